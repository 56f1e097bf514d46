// SPDX-License-Identifier: Apache-2.0
// What would make a cache serve another compile's result, or lose a part of its own. Each with the bytes and the words
// of the compiler alone.
#include <QTest>

#include "compiling.h"

using namespace keyhole;

namespace {

using Cpp = test::Compiling;

const QStringList kTrapped{"g++", "-c", "a.cpp", "-o", "o.o"};
constexpr const char* kFunction = "int f() { return N; }\n";

}  // namespace

/// Passed on to the compiler with a reason that names `why`, and right.
#define PASSES(c, why, command)                                                            \
  do {                                                                                     \
    COMPILES(c, Outcome::bypass, command);                                                 \
    QVERIFY2((c).last().reason.find(why) != std::string::npos, (c).last().reason.c_str()); \
  } while (false)

class TestTraps : public QObject {
  Q_OBJECT

 private slots:
  void init() { NEEDS("g++", "no trap is tried"); }

  /// `g++ -c a.cpp -o /dev/null` asks whether it compiles: what it leaves is not the object.
  void outputThatIsNoFile() {
    Cpp c;
    c.write("a.cpp", "int f() { return 1; }\n");
    QCOMPARE(c.cc({"g++", "-c", "a.cpp", "-o", "/dev/null"}).status, 0);
    QCOMPARE(c.last().outcome, Outcome::bypass);
    COMPILES(c, Outcome::miss, kTrapped);
    COMPILES(c, Outcome::hit, kTrapped);
    QCOMPARE(c.cc({"g++", "-c", "a.cpp", "-o", "/dev/null"}).status, 0);
    QVERIFY(!QFileInfo("/dev/null").isFile());
  }

  /// A compiler writes assembly through a link; a file that is moved there would take the link's place.
  void outputThatIsALink() {
    Cpp c;
    c.write("a.cpp", "int f() { return 1; }\n");
    const QStringList command{"g++", "-S", "a.cpp", "-o", "link.s"};
    QVERIFY(QFile::link("real.s", QString::fromStdString(c.path("link.s"))));
    for (int i = 0; i < 2; ++i) QCOMPARE(c.cc(command).status, 0);
    QVERIFY(QFileInfo(QString::fromStdString(c.path("link.s"))).isSymLink());
    QVERIFY(c.bytes("real.s").find("_Z1fv") != std::string::npos);
    c.remove("link.s");
    QCOMPARE(c.cc(command).status, 0);
    QVERIFY(QFile::link("real.s", QString::fromStdString(c.path("again.s"))));
    QCOMPARE(c.cc({"g++", "-S", "a.cpp", "-o", "again.s"}).status, 0);  // in the store by now
    QVERIFY(QFileInfo(QString::fromStdString(c.path("again.s"))).isSymLink());
  }

  void hasIncludeInAMacro() {
    Cpp c;
    c.write("a.cpp",
            std::string("#define HAS __has_include(\"h.h\")\n#if HAS\n#define N 1\n#else\n#define N 2\n#endif\n") +
                kFunction);
    COMPILES(c, Outcome::miss, kTrapped);
    c.write("h.h", "");
    COMPILES(c, Outcome::miss, kTrapped);
    c.remove("h.h");
    COMPILES(c, Outcome::hit, kTrapped);
  }

  void hasIncludeOnTheCommandLine() {
    Cpp c;
    c.write("a.cpp", std::string("#if HAS\n#define N 1\n#else\n#define N 2\n#endif\n") + kFunction);
    const QStringList command{"g++", "-DHAS=__has_include(\"h.h\")", "-c", "a.cpp", "-o", "o.o"};
    PASSES(c, "asks for a file", command);
    c.write("h.h", "");
    PASSES(c, "asks for a file", command);
  }

  void directivesInDigraphs_data() {
    QTest::addColumn<QString>("condition");
    QTest::addColumn<QStringList>("options");
    QTest::newRow("digraph") << "%:if __has_include(\"h.h\")" << QStringList{};
    QTest::newRow("trigraph") << "\?\?=if __has_include(\"h.h\")" << QStringList{"-std=c++11"};
  }
  void directivesInDigraphs() {
    QFETCH(QString, condition);
    QFETCH(QStringList, options);
    Cpp c;
    c.write("a.cpp", condition.toStdString() + "\n#define N 1\n#else\n#define N 2\n#endif\n" + kFunction);
    const QStringList command = QStringList{"g++"} + options + QStringList{"-c", "a.cpp", "-o", "o.o"};
    PASSES(c, "digraph", command);
    c.write("h.h", "");
    PASSES(c, "digraph", command);
  }

  void filesOfTheAssembler() {
    Cpp c;
    c.write("b", ".byte 1\n");
    c.write("a.cpp", "asm(\".include \\\"b\\\"\");\n");
    PASSES(c, ".include", kTrapped);
    c.write("b", ".byte 2\n");
    PASSES(c, ".include", kTrapped);
  }

  void pragmaThatLooksAtATime() {
    Cpp c;
    c.write("a.cpp", "#pragma GCC dependency \"d\"\nint f() { return 1; }\n");
    c.write("d", "");  // newer than the source: the compiler says so
    PASSES(c, "dependency", kTrapped);
  }

  /// The compiler shows the line of the file that #line names, if there is one.
  void lineThatIsShown() {
    Cpp c;
    c.write("a.cpp", "#line 1 \"a.y\"\nint f() { int unused; return 1; }\n");
    const QStringList command{"g++", "-Wall", "-c", "a.cpp", "-o", "o.o"};
    COMPILES(c, Outcome::miss, command);
    c.write("a.y", "the grammar\n");
    COMPILES(c, Outcome::miss, command);
    c.write("a.y", "the grammar, edited\n");
    COMPILES(c, Outcome::miss, command);
    COMPILES(c, Outcome::hit, command);
  }

  /// gcc writes its options into the debug information: none may be added to them.
  void debugInformationIsTheCompilers_data() {
    const std::string named = "#include <stddef.h>\n#include <h.h>\n", computed = "#define H <h.h>\n#include H\n";
    QTest::addColumn<QStringList>("options");
    QTest::addColumn<std::string>("includes");
    QTest::newRow("-g") << QStringList{"-g"} << named;
    QTest::newRow("-g3 -O2") << QStringList{"-g3", "-O2"} << named;
    QTest::newRow("with -MD") << QStringList{"-g", "-MD", "-MP", "-MF", "o.d"} << named;
    QTest::newRow("computed include") << QStringList{"-g"} << computed;
  }
  void debugInformationIsTheCompilers() {
    QFETCH(QStringList, options);
    QFETCH(std::string, includes);
    Cpp c;
    c.write("late/h.h", "#define N 1\n");
    c.write("early/x.h", "");
    c.write("a.cpp", includes + kFunction);
    const QStringList command =
        QStringList{"g++", "-Iearly", "-Ilate"} + options + QStringList{"-c", "a.cpp", "-o", "o.o"};
    COMPILES(c, Outcome::miss, command);
    COMPILES(c, Outcome::hit, command);
    c.write("late/h.h", "#define N 2\n");
    COMPILES(c, Outcome::miss, command);
    c.write("early/h.h", "#define N 3\n");
    COMPILES(c, Outcome::miss, command);
    c.remove("early/h.h");
    COMPILES(c, Outcome::hit, command);
  }

  void precompiledHeaderWithDebugInformation() {
    Cpp c;
    c.write("h.h", "#define N 1\n");
    c.write("a.cpp", std::string("#include \"h.h\"\n") + kFunction);
    const QStringList command{"g++", "-g", "-c", "a.cpp", "-o", "o.o"};
    COMPILES(c, Outcome::miss, command);
    QCOMPARE(c.plain({"g++", "-g", "h.h"}).status, 0);
    PASSES(c, "precompiled header", command);
  }

  void commentedAssembly() {
    Cpp c;
    c.write("a.cpp", "int f() { return 1; }\n");
    const QStringList command{"g++", "-fverbose-asm", "-S", "a.cpp", "-o", "o.o"};
    COMPILES(c, Outcome::miss, command);
    COMPILES(c, Outcome::hit, command);
  }

  void wordsThatAVariableAdds() {
    Cpp c;
    c.write("a.cpp", "int f(int a, int b) { if (a = b) return 1; return 2; }\n");
    const QStringList command{"g++", "-Wall", "-c", "a.cpp", "-o", "o.o"};
    COMPILES(c, Outcome::miss, command);
    c.environment.insert("GCC_EXTRA_DIAGNOSTIC_OUTPUT", "fixits-v1");
    COMPILES(c, Outcome::miss, command);
  }

  void splitDebugInformationOfClang() {
    NEEDS("clang++-14", "its -gsplit-dwarf is not tried");
    Cpp c;
    c.write("a.cpp", "int f() { return 1; }\n");
    for (int i = 0; i < 2; ++i) {
      c.remove("o.dwo");
      QCOMPARE(c.cc({"clang++-14", "-g", "-gsplit-dwarf=split", "-c", "a.cpp", "-o", "o.o"}).status, 0);
      QVERIFY(!c.bytes("o.dwo").empty());
    }
  }

  /// Which folders are searched follows the language, not the suffix.
  void languageOfTheOption() {
    Cpp c;
    c.write("a.c", "#ifdef __cplusplus\n#define N 1\n#else\n#define N 2\n#endif\nint f(void) { return N; }\n");
    COMPILES(c, Outcome::miss, (QStringList{"gcc", "-c", "a.c", "-o", "o.o"}));
    COMPILES(c, Outcome::miss, (QStringList{"gcc", "-x", "c++", "-c", "a.c", "-o", "o.o"}));
    COMPILES(c, Outcome::miss, (QStringList{"g++", "-c", "a.c", "-o", "o.o"}));
    COMPILES(c, Outcome::hit, (QStringList{"gcc", "-c", "a.c", "-o", "o.o"}));
  }

  void folderThatIsALink() {
    Cpp c;
    c.write("one/h.h", "#define N 1\n");
    c.write("two/h.h", "#define N 2\n");
    c.write("a.cpp", std::string("#include <h.h>\n") + kFunction);
    const QStringList command{"g++", "-Iinc", "-c", "a.cpp", "-o", "o.o"};
    QVERIFY(QFile::link("one", QString::fromStdString(c.path("inc"))));
    COMPILES(c, Outcome::miss, command);
    c.remove("inc");
    QVERIFY(QFile::link("two", QString::fromStdString(c.path("inc"))));
    COMPILES(c, Outcome::miss, command);
  }

  void permissionsFollowTheUmask() {
    Cpp c;
    c.write("a.cpp", "int f() { return 1; }\n");
    COMPILES(c, Outcome::miss, kTrapped);
    const QString cc = test::Keyhole::program() + " cc -- g++ -c a.cpp -o o.o";
    for (const char* mask : {"077", "002"}) {
      c.remove("o.o");
      QCOMPARE(c.plain({"sh", "-c", QString("umask %1; exec %2").arg(mask, cc)}).status, 0);
      const auto through = QFile::permissions(QString::fromStdString(c.path("o.o")));
      c.remove("o.o");
      QCOMPARE(c.plain({"sh", "-c", QString("umask %1; exec g++ -c a.cpp -o o.o").arg(mask)}).status, 0);
      QCOMPARE(through, QFile::permissions(QString::fromStdString(c.path("o.o"))));
    }
  }
};

QTEST_GUILESS_MAIN(TestTraps)
#include "test_traps.moc"
