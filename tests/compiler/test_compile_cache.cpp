// SPDX-License-Identifier: Apache-2.0
// C++ through the store: every way in which a result can go stale, each with the bytes that the compiler alone writes.
#include <QScopeGuard>
#include <QTest>
#include <csignal>

#include "compiling.h"

using namespace keyhole;

namespace {

using Cpp = test::Compiling;

const QStringList kCompile{"g++", "-c", "a.cpp", "-o", "o.o"};

}  // namespace

class TestCompileCache : public QObject {
  Q_OBJECT

 private slots:
  void init() { NEEDS("g++", "nothing is compiled through the store"); }

  void hitAfterMiss() {
    Cpp c;
    c.write("a.cpp", "#include <vector>\nint f() { return 1; }\n");
    COMPILES(c, Outcome::miss, kCompile);
    COMPILES(c, Outcome::hit, kCompile);
    QVERIFY(c.last().saved > 0);
    QVERIFY(!c.components().isEmpty());
    QCOMPARE(c.count(Outcome::miss), 1);
  }

  void optionsAreToldApart() {
    Cpp c;
    c.write("a.cpp", "int f(int n) { return n / N; }\n");
    const auto with = [](const QStringList& options) {
      return QStringList{"g++"} + options + QStringList{"-c", "a.cpp", "-o", "o.o"};
    };
    COMPILES(c, Outcome::miss, with({"-DN=2"}));
    COMPILES(c, Outcome::miss, with({"-DN=3"}));
    COMPILES(c, Outcome::miss, with({"-DN=3", "-O2"}));
    COMPILES(c, Outcome::miss, with({"-DN=3", "-O3"}));
    COMPILES(c, Outcome::hit, with({"-D", "N=2"}));
    COMPILES(c, Outcome::miss, with({"-DN=2", "-DUNUSED"}));  // may be asked for by any header: counts
  }

  void sourceAndHeaderChange() {
    Cpp c;
    c.write("h.h", "#define N 1\n");
    c.write("a.cpp", "#include \"h.h\"\nint f() { return N; }\n");
    COMPILES(c, Outcome::miss, kCompile);
    c.write("h.h", "#define N 2\n");
    COMPILES(c, Outcome::miss, kCompile);
    c.write("h.h", "#define N 1\n");  // back: the first result still stands
    COMPILES(c, Outcome::hit, kCompile);
    c.write("a.cpp", "#include \"h.h\"\nint f() { return N + 1; }\n");
    COMPILES(c, Outcome::miss, kCompile);
  }

  /// Same size, and the time put back: only ctime tells.
  void headerChangesUnderItsTime() {
    Cpp c;
    c.write("h.h", "#define N 1\n");
    c.write("a.cpp", "#include \"h.h\"\nint f() { return N; }\n");
    QVERIFY(c.plain({"touch", "-d", "2020-01-01", "h.h"}).status == 0);
    COMPILES(c, Outcome::miss, kCompile);
    c.write("h.h", "#define N 2\n");
    QVERIFY(c.plain({"touch", "-d", "2020-01-01", "h.h"}).status == 0);
    COMPILES(c, Outcome::miss, kCompile);
  }

  void shadowingHeader() {
    Cpp c;
    c.write("late/h.h", "#define N 1\n");
    c.write("early/other.h", "");
    c.write("a.cpp", "#include <h.h>\nint f() { return N; }\n");
    const QStringList command{"g++", "-Iearly", "-Inever/there", "-Ilate", "-c", "a.cpp", "-o", "o.o"};
    COMPILES(c, Outcome::miss, command);
    COMPILES(c, Outcome::hit, command);
    c.write("never/there/h.h", "#define N 3\n");
    COMPILES(c, Outcome::miss, command);
    c.write("early/h.h", "#define N 2\n");
    COMPILES(c, Outcome::miss, command);
    c.remove("early/h.h");
    COMPILES(c, Outcome::hit, command);
  }

  void shadowingBesideTheSource() {
    Cpp c;
    c.write("inc/h.h", "#define N 1\n");
    c.write("inc/deep/g.h", "#include \"h.h\"\n");
    c.write("a.cpp", "#include <deep/g.h>\nint f() { return N; }\n");
    const QStringList command{"g++", "-Iinc", "-c", "a.cpp", "-o", "o.o"};
    COMPILES(c, Outcome::miss, command);
    c.write("inc/deep/h.h", "#define N 2\n");
    COMPILES(c, Outcome::miss, command);
  }

  void hasInclude() {
    Cpp c;
    c.write("a.cpp", "#if __has_include(\"opt.h\")\nint f() { return 1; }\n#else\nint f() { return 2; }\n#endif\n");
    COMPILES(c, Outcome::miss, kCompile);
    COMPILES(c, Outcome::hit, kCompile);
    c.write("opt.h", "");
    COMPILES(c, Outcome::miss, kCompile);
    COMPILES(c, Outcome::hit, kCompile);
    c.remove("opt.h");
    COMPILES(c, Outcome::hit, kCompile);
  }

  void hasIncludeBehindMacros() {
    Cpp c;
    c.write("a.cpp",
            "#define HAS(x) __has_include(x)\n#define HAS_TOO(x) HAS(x)\n"
            "#if HAS_TOO(<opt.h>)\nint f() { return 1; }\n#else\nint f() { return 2; }\n#endif\n");
    const QStringList command{"g++", "-I.", "-c", "a.cpp", "-o", "o.o"};
    COMPILES(c, Outcome::miss, command);
    c.write("opt.h", "");
    COMPILES(c, Outcome::miss, command);
    c.write("b.cpp",
            "#define HAS(x) __has_include(x)\n#define HAS_TOO(x) HAS(x)\n#define NAME <opt.h>\n"
            "#if HAS_TOO(NAME)\nint f() { return 1; }\n#endif\n");
    COMPILES(c, Outcome::bypass, (QStringList{"g++", "-I.", "-c", "b.cpp", "-o", "o.o"}));
    QVERIFY(c.last().reason.find("__has_include of a macro") != std::string::npos);
  }

  void computedInclude() {
    Cpp c;
    c.write("late/h.h", "#define N 1\n");
    c.write("early/x.h", "");
    c.write("a.cpp", "#define H <h.h>\n#include H\nint f() { return N; }\n");
    const QStringList command{"g++", "-Iearly", "-Ilate", "-c", "a.cpp", "-o", "o.o"};
    COMPILES(c, Outcome::miss, command);
    c.write("early/h.h", "#define N 2\n");
    COMPILES(c, Outcome::miss, command);
    c.write("early/h.h", "#define N 3\n");
    COMPILES(c, Outcome::miss, command);
  }

  void preIncludedFile() {
    Cpp c;
    c.write("pre.h", "#define N 1\n");
    c.write("a.cpp", "int f() { return N; }\n");
    const QStringList command{"g++", "-include", "pre.h", "-c", "a.cpp", "-o", "o.o"};
    COMPILES(c, Outcome::miss, command);
    c.write("pre.h", "#define N 2\n");
    COMPILES(c, Outcome::miss, command);
  }

  void responseFile() {
    Cpp c;
    c.write("flags", "-DN=1 '-DTEXT=\"a b\"'");
    c.write("a.cpp", "const char* t = TEXT;\nint f() { return N; }\n");
    const QStringList command{"g++", "@flags", "-c", "a.cpp", "-o", "o.o"};
    COMPILES(c, Outcome::miss, command);
    COMPILES(c, Outcome::hit, command);
    c.write("flags", "-DN=2 '-DTEXT=\"a b\"'");
    COMPILES(c, Outcome::miss, command);
  }

  void searchPathFromTheEnvironment() {
    Cpp c;
    c.write("one/h.h", "#define N 1\n");
    c.write("two/h.h", "#define N 2\n");
    c.write("a.cpp", "#include <h.h>\nint f() { return N; }\n");
    c.environment.insert("CPATH", QString::fromStdString(c.path("one")));
    COMPILES(c, Outcome::miss, kCompile);
    c.environment.insert("CPATH", QString::fromStdString(c.path("two")));
    COMPILES(c, Outcome::miss, kCompile);
  }

  void compileTimeIsNotKept() {
    Cpp c;
    c.write("h.h", "inline const char* when() { return __TIME__; }\n");
    c.write("a.cpp", "#include \"h.h\"\nconst char* f() { return when(); }\n");
    const auto ran = c.cc(kCompile);
    QVERIFY2(ran.status == 0, ran.told());
    QCOMPARE(c.last().outcome, Outcome::bypass);
    QVERIFY(c.last().reason.find("__TIME__") != std::string::npos);
    c.environment.insert("SOURCE_DATE_EPOCH", "1000000000");
    COMPILES(c, Outcome::miss, kCompile);
    COMPILES(c, Outcome::hit, kCompile);
    c.environment.insert("SOURCE_DATE_EPOCH", "1100000000");
    COMPILES(c, Outcome::miss, kCompile);
  }

  void dependencyFileComesBack() {
    Cpp c;
    c.write("h.h", "");
    c.write("a.cpp", "#include \"h.h\"\n#include <cstddef>\nint f() { return 1; }\n");
    for (const char* kind : {"-MD", "-MMD"}) {
      const QStringList command{"g++", kind, "-MT", "target", "-MF", "o.d", "-c", "a.cpp", "-o", "o.o"};
      COMPILES(c, Outcome::miss, command);
      const std::string plain = c.bytes("o.d");
      c.remove("o.d");
      COMPILES(c, Outcome::hit, command);
      c.remove("o.d");
      QCOMPARE(c.cc(command).status, 0);
      QVERIFY(!plain.empty());
      QCOMPARE(c.bytes("o.d"), plain);
    }
  }

  void warningsComeBack() {
    Cpp c;
    c.write("a.cpp", "#include <vector>\nint f() { int unused; return 1; }\n");
    const QStringList command{"g++", "-Wall", "-c", "a.cpp", "-o", "o.o"};
    COMPILES(c, Outcome::miss, command);
    COMPILES(c, Outcome::hit, command);
    QVERIFY(c.cc(command).err.contains("unused variable"));
  }

  void failingCompileIsTheCompilers() {
    Cpp c;
    c.write("a.cpp", "int f() { return }\n");
    for (int i = 0; i < 2; ++i) {
      const auto through = c.cc(kCompile), plain = c.plain(kCompile);
      QCOMPARE(through.status, plain.status);
      QCOMPARE(through.err, plain.err);
      QVERIFY(!QFile::exists(QString::fromStdString(c.path("o.o"))));
      QCOMPARE(c.last().outcome, Outcome::miss);
      QCOMPARE(c.last().status, std::string("compile_failed"));
    }
  }

  void editedDuringTheCompile() {
    Cpp c;
    c.write("pipe.h", "");  // a pipe in the compiler's way: it waits there until the header is saved
    QVERIFY(c.plain({"sh", "-c", "rm pipe.h && mkfifo pipe.h"}).status == 0);
    c.write("h.h", "#define N 1\n");
    c.write("a.cpp", "#include \"h.h\"\n#include \"pipe.h\"\nint f() { return N; }\n");
    std::thread editor([&] {
      QFile pipe(QString::fromStdString(c.path("pipe.h")));
      if (!pipe.open(QIODevice::WriteOnly)) return;  // as soon as the compiler reads it
      c.write("h.h", "#define N 2\n");
      QFile::remove(pipe.fileName());
      c.write("pipe.h", "");
    });
    const auto ran = c.cc(kCompile);
    editor.join();
    QVERIFY2(ran.status == 0, ran.told());
    QCOMPARE(c.last().outcome, Outcome::bypass);
    QVERIFY(c.last().reason.find("changed during the compile") != std::string::npos);
  }

  void fileNewerThanTheClock() {
    Cpp c;
    c.write("h.h", "#define N 1\n");
    c.write("a.cpp", "#include \"h.h\"\nint f() { return N; }\n");
    QVERIFY(c.plain({"touch", "-d", "2100-01-01", "h.h"}).status == 0);
    COMPILES(c, Outcome::bypass, kCompile);
  }

  void sameSourcesInTwoFolders() {
    Cpp c;
    for (const char* folder : {"one/", "two/"}) {
      c.write(std::string(folder) + "h.h", "#define N 1\n");
      c.write(std::string(folder) + "a.cpp", "#include \"h.h\"\nint f() { return N; }\n");
    }
    QCOMPARE(c.cc(kCompile, "work/one").status, 0);
    QCOMPARE(c.cc(kCompile, "work/two").status, 0);
    QCOMPARE(c.last().outcome, Outcome::hit);  // nothing of the folder is in the object
    QCOMPARE(c.bytes("one/o.o"), c.bytes("two/o.o"));
    const QStringList debug{"g++", "-g", "-c", "a.cpp", "-o", "o.o"};
    QCOMPARE(c.cc(debug, "work/one").status, 0);
    QCOMPARE(c.cc(debug, "work/two").status, 0);
    QCOMPARE(c.last().outcome, Outcome::miss);  // debug information names it
    c.write("two/h.h", "#define N 2\n");
    QCOMPARE(c.cc(kCompile, "work/two").status, 0);
    QCOMPARE(c.last().outcome, Outcome::miss);
  }

  void unwritableOutput() {
    Cpp c;
    c.write("a.cpp", "int f() { return 1; }\n");
    QCOMPARE(c.cc(kCompile).status, 0);
    const auto ran = c.cc({"g++", "-c", "a.cpp", "-o", "no/such/folder/o.o"});
    QVERIFY(ran.status != 0);
    QVERIFY2(ran.err.contains("no/such/folder"), ran.told());
  }

  void whatIsNotKept_data() {
    QTest::addColumn<QStringList>("command");
    QTest::addColumn<QString>("reason");
    QTest::newRow("linking") << QStringList{"g++", "a.cpp", "-o", "o.o"} << "links";
    QTest::newRow("two sources") << QStringList{"g++", "-c", "a.cpp", "b.cpp"} << "several sources";
    QTest::newRow("native") << QStringList{"g++", "-march=native", "-c", "a.cpp", "-o", "o.o"} << "this machine";
    QTest::newRow("coverage") << QStringList{"g++", "--coverage", "-c", "a.cpp", "-o", "o.o"} << "further files";
    QTest::newRow("preprocess") << QStringList{"g++", "-E", "a.cpp", "-o", "o.o"} << "does not compile";
    QTest::newRow("unknown") << QStringList{"g++", "-Xpreprocessor", "-DX", "-c", "a.cpp", "-o", "o.o"}
                             << "unknown option";
  }
  void whatIsNotKept() {
    QFETCH(QStringList, command);
    QFETCH(QString, reason);
    Cpp c;
    c.write("a.cpp", "int main() { return 0; }\n");
    c.write("b.cpp", "int g() { return 0; }\n");
    QCOMPARE(c.cc(command).status, c.plain(command).status);
    QCOMPARE(c.last().outcome, Outcome::bypass);
    QVERIFY2(c.last().reason.find(reason.toStdString()) != std::string::npos, c.last().reason.c_str());
  }

  void compilerChangesBehindALink() {
    Cpp c;
    c.write("a.cpp", "int f() { return 1; }\n");
    QVERIFY(c.plain({"sh", "-c",
                     "mkdir bin tool && printf '#!/bin/sh\\nexec %s \"$@\"\\n' $(command -v g++) > tool/g++ && chmod "
                     "+x tool/g++ && ln -s ../tool/g++ bin/g++"})
                .status == 0);
    const QString shim = QString::fromStdString(c.path("bin/g++"));
    const QStringList command{shim, "-c", "a.cpp", "-o", "o.o"};
    COMPILES(c, Outcome::miss, command);
    COMPILES(c, Outcome::hit, command);
    QVERIFY(c.plain({"sh", "-c", "echo '# another' >> tool/g++"}).status == 0);
    COMPILES(c, Outcome::miss, command);
  }

  void scriptThatCannotBeFollowed() {
    Cpp c;
    c.write("a.cpp", "int f() { return N; }\n");
    c.write("g++", "#!/bin/sh\nexec g++ -DN=$N \"$@\"\n");
    QVERIFY(c.plain({"chmod", "+x", "g++"}).status == 0);
    c.environment.insert("N", "1");
    COMPILES(c, Outcome::bypass, (QStringList{QString::fromStdString(c.path("g++")), "-c", "a.cpp", "-o", "o.o"}));
  }

  void symlinkUnderTheCompilersName() {
    Cpp c;
    c.write("a.cpp", "int f() { return 1; }\n");
    QVERIFY(QFile::link(test::Keyhole::program(), QString::fromStdString(c.path("g++"))));
    const QStringList command{QString::fromStdString(c.path("g++")), "-c", "a.cpp", "-o", "o.o"};
    QCOMPARE(c.plain(command).status, 0);
    QCOMPARE(c.last().outcome, Outcome::miss);
    QCOMPARE(c.plain(command).status, 0);
    QCOMPARE(c.last().outcome, Outcome::hit);
  }

  void sixteenProcessesCompileOnce() {
    Cpp c;
    c.write("a.cpp", "#include <map>\n#include <string>\nint f() { return 1; }\n");
    std::vector<std::thread> threads;
    std::atomic<int> failed{0};
    for (int i = 0; i < 16; ++i)
      threads.emplace_back([&, i] {
        failed += c.cc({"g++", "-c", "a.cpp", "-o", QString("o%1.o").arg(i)}).status != 0 ? 1 : 0;
      });
    for (auto& t : threads) t.join();
    QCOMPARE(failed.load(), 0);
    QCOMPARE(c.count(Outcome::miss), 1);
    QCOMPARE(c.count(Outcome::hit), 15);
    for (int i = 1; i < 16; ++i) QCOMPARE(c.bytes("o" + std::to_string(i) + ".o"), c.bytes("o0.o"));
  }

  void damagedManifestIsAMiss() {
    Cpp c;
    c.write("a.cpp", "int f() { return 1; }\n");
    COMPILES(c, Outcome::miss, kCompile);
    QVERIFY(
        c.plain({"sh", "-c",
                 "for f in ../store/compile/manifests/*/*; do printf '\\0' | dd of=$f bs=1 seek=60 conv=notrunc; done"})
            .status == 0);
    COMPILES(c, Outcome::miss, kCompile);
    COMPILES(c, Outcome::hit, kCompile);
  }

  /// A disk that is full where the store is: the compiler's result stands. Where the output is: the compiler says so.
  void fullDisk() {
    Cpp c;
    c.write("a.cpp", "int f() { return 1; }\n");
    c.write("full/.keep", "");
    const QString full = QString::fromStdString(c.path("full"));
    if (c.plain({"mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", full}).status != 0)
      QSKIP("no small disk can be mounted here: a full disk is not tried");
    const auto fill = [&](const QString& folder) {
      static_cast<void>(c.plain({"sh", "-c", "dd if=/dev/zero of=" + folder + "/filler bs=1k count=1000 2>/dev/null"}));
    };
    const auto unmount = qScopeGuard([&] { static_cast<void>(c.plain({"umount", full})); });
    COMPILES(c, Outcome::miss, kCompile);
    fill(full);
    const auto hit = c.cc({"g++", "-c", "a.cpp", "-o", "full/o.o"});
    const auto alone = c.plain({"g++", "-c", "a.cpp", "-o", "full/o.o"});
    QCOMPARE(hit.status != 0, alone.status != 0);
    QVERIFY2(hit.status != 0 && hit.err.contains("No space left on device"), hit.told());
    QCOMPARE(c.plain({"sh", "-c", "ls full | grep -v filler | grep -vx o.o | wc -l"}).out.trimmed(), QByteArray("0"));

    c.environment.insert("KEYHOLE_STORE", full + "/store");
    c.remove("o.o");
    for (int i = 0; i < 2; ++i) {
      const auto ran = c.cc(kCompile);
      QVERIFY2(ran.status == 0, ran.told());
      const std::string made = c.bytes("o.o");
      QCOMPARE(c.plain(kCompile).status, 0);
      QCOMPARE(made, c.bytes("o.o"));
    }
  }

  void clang() {
    const char* name = test::is_installed("clang++") ? "clang++" : "clang++-14";
    if (!test::is_installed(name)) QSKIP("clang++ is not installed: it is not tried as a compiler");
    Cpp c;
    c.write("h.h", "#define N 1\n");
    c.write("a.cpp", "#include <vector>\n#include \"h.h\"\nint f() { int unused; return N; }\n");
    const QStringList command{name, "-Wall", "-MD", "-MF", "o.d", "-c", "a.cpp", "-o", "o.o"};
    COMPILES(c, Outcome::miss, command);
    const std::string dependencies = c.bytes("o.d");
    c.remove("o.d");
    COMPILES(c, Outcome::hit, command);
    QVERIFY(dependencies.find("h.h") != std::string::npos);
    QCOMPARE(c.bytes("o.d"), dependencies);
    c.write("h.h", "#define N 2\n");
    COMPILES(c, Outcome::miss, command);
    QCOMPARE(c.count(Outcome::hit), 1);
  }

  void dependencyFilesPlaceIsNoPart() {
    Cpp c;
    c.write("a.cpp", "int f() { return 1; }\n");
    const auto command = [](const char* file) {
      return QStringList{"g++", "-MD", "-MT", "t", "-MF", file, "-c", "a.cpp", "-o", "o.o"};
    };
    COMPILES(c, Outcome::miss, command("one.d"));
    COMPILES(c, Outcome::hit, command("two.d"));
    QCOMPARE(c.bytes("one.d"), c.bytes("two.d"));
  }

  void appearingHeaderIsToldByItsPlace() {
    Cpp c;
    c.write("early/x.h", "");
    c.write("late/h.h", "#define N 1\n");
    c.write("a.cpp", "#include <h.h>\nint f() { return N; }\n");
    const QStringList command{"g++", "-Iearly", "-Ilate", "-c", "a.cpp", "-o", "o.o"};
    COMPILES(c, Outcome::miss, command);
    QVERIFY(c.components().value("looked_for[early]").contains("not there: h.h"));
    c.write("early/h.h", "#define N 2\n");
    COMPILES(c, Outcome::miss, command);
    QVERIFY(!(c.components().value("looked_for[early]") + ",").contains(" h.h,"));
    QVERIFY(c.components().contains("include[early/h.h]"));
    QVERIFY(c.components().value("looked_for[late]").contains("there, not read: h.h"));
  }

  /// The compiler is killed, and so is all that was begun; the next compile finds its place clean.
  void signalReachesTheCompiler() {
    Cpp c;
    QVERIFY(c.plain({"sh", "-c", "mkfifo pipe.h"}).status == 0);
    c.write("a.cpp", "#include \"pipe.h\"\nint f() { return 1; }\n");
    QProcess process;
    process.setProcessEnvironment(c.environment);
    process.setWorkingDirectory(QString::fromStdString(c.path("")));
    process.start(test::Keyhole::program(), QStringList{"cc", "--"} + kCompile);
    QVERIFY(process.waitForStarted());
    const QByteArray compilers = "pgrep -f 'cc1plus.*" + QByteArray::fromStdString(c.path("")).chopped(1) +
                                 "|cc1plus.*a.cpp' -P $(pgrep -P " + QByteArray::number(process.processId()) + ")";
    QTRY_VERIFY_WITH_TIMEOUT(!c.plain({"sh", "-c", compilers}).out.trimmed().isEmpty(), 20000);
    const auto compiler = c.plain({"sh", "-c", compilers}).out.trimmed();
    process.terminate();
    QVERIFY(process.waitForFinished(20000));
    QCOMPARE(process.exitStatus(), QProcess::CrashExit);
    QCOMPARE(process.exitCode(), SIGTERM);
    QTRY_VERIFY_WITH_TIMEOUT(c.plain({"sh", "-c", "kill -0 " + compiler}).status != 0, 20000);
    QVERIFY(!QFile::exists(QString::fromStdString(c.path("o.o"))));
  }

  void killedCompilerIsToldAsShellsDo() {
    Cpp c;
    c.write("a.cpp", "int f() { return 1; }\n");
    c.write("g++", "#!/bin/sh\nkill -9 $$\n");
    QVERIFY(c.plain({"chmod", "+x", "g++"}).status == 0);
    const auto ran = c.plain({"sh", "-c", QString(test::Keyhole::program()) + " cc -- ./g++ -c a.cpp -o o.o; echo $?"});
    QVERIFY2(ran.out.trimmed() == "137", ran.told());
  }

  void missSaysWhichOptionWasAdded() {
    Cpp c;
    c.write("a.cpp", "int f() { return 1; }\n");
    COMPILES(c, Outcome::miss, kCompile);
    const auto before = c.components().keys();
    COMPILES(c, Outcome::miss, (QStringList{"g++", "-O2", "-c", "a.cpp", "-o", "o.o"}));
    QStringList added = c.components().keys();
    for (const auto& name : before) added.removeOne(name);
    QCOMPARE(added, QStringList{"option[-O]"});
  }
};

QTEST_GUILESS_MAIN(TestCompileCache)
#include "test_compile_cache.moc"
