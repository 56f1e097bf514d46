// SPDX-License-Identifier: Apache-2.0
// A CMake project with CUDA whose compilers have `keyhole cc` before them, and one whose compiler is a link of that
// name.
#include <QTest>

#include "compiling.h"

using namespace keyhole;

namespace {

class Project : public test::Compiling {
 public:
  Project() {
    write("CMakeLists.txt",
          "cmake_minimum_required(VERSION 3.22)\nproject(demo LANGUAGES CXX CUDA)\n"
          "add_library(demo STATIC a.cu c.cpp)\ntarget_include_directories(demo PRIVATE inc)\n");
    write("inc/h.h", "#define N 1\n");
    write("a.cu", "#include <h.h>\n__global__ void a(float* x) { x[0] = N; }\n");
    write("c.cpp", "#include <h.h>\nint c() { return N; }\n");
  }
  [[nodiscard]] test::Ran cmake(const QStringList& arguments) const { return plain(QStringList{"cmake"} + arguments); }
};

}  // namespace

class TestCmakeProject : public QObject {
  Q_OBJECT

 private slots:
  void init() {
    NEEDS("cmake", "no project is built");
    NEEDS("nvcc", "no CUDA project is built");
  }

  void launcher() {
    Project p;
    const QString launcher = QString(test::Keyhole::program()) + ";cc";
    const auto configured =
        p.cmake({"-B", "build", "-DCMAKE_CUDA_ARCHITECTURES=80", "-DCMAKE_CUDA_COMPILER_LAUNCHER=" + launcher,
                 "-DCMAKE_CXX_COMPILER_LAUNCHER=" + launcher});
    QVERIFY2(configured.status == 0, configured.told());
    const auto build = [&] { return p.cmake({"--build", "build"}); };
    auto built = build();
    QVERIFY2(built.status == 0, built.told());
    QCOMPARE(p.count(Outcome::miss), 2);
    const std::string object = "build/CMakeFiles/demo.dir/a.cu.o", first = p.bytes(object),
                      dependencies = p.bytes(object + ".d");
    QVERIFY(!first.empty() && dependencies.find("inc/h.h") != std::string::npos);

    QCOMPARE(p.cmake({"--build", "build", "--target", "clean"}).status, 0);
    built = build();
    QVERIFY2(built.status == 0, built.told());
    QCOMPARE(p.count(Outcome::miss), 2);
    QCOMPARE(p.count(Outcome::hit), 2);
    QCOMPARE(p.bytes(object), first);
    QCOMPARE(p.bytes(object + ".d"), dependencies);
    built = build();
    QCOMPARE(p.count(Outcome::hit), 2);  // up to date: the dependency files are what the build tool wants

    p.write("inc/h.h", "#define N 2\n");
    built = build();
    QVERIFY2(built.status == 0, built.told());
    QCOMPARE(p.count(Outcome::miss), 4);
    QVERIFY(p.bytes(object) != first);
  }

  /// CMake asks the compiler what it is, through the link too.
  void linkUnderTheCompilersName() {
    Project p;
    p.write("bin/x", "");
    for (const char* name : {"bin/nvcc", "bin/g++"})
      QVERIFY(QFile::link(test::Keyhole::program(), QString::fromStdString(p.path(name))));
    p.environment.insert("PATH", QString::fromStdString(p.path("bin")) + ":" + p.environment.value("PATH"));
    const QString nvcc = QString::fromStdString(p.path("bin/nvcc"));
    const auto compile = [&] { return p.plain({nvcc, "-ptx", "-arch=sm_80", "-Iinc", "a.cu", "-o", "o.o"}); };
    auto ran = compile();
    QVERIFY2(ran.status == 0, ran.told());
    QCOMPARE(p.last().outcome, Outcome::miss);
    const std::string made = p.bytes("o.o");
    ran = compile();
    QCOMPARE(p.last().outcome, Outcome::hit);
    QCOMPARE(p.bytes("o.o"), made);
    const auto asked = p.plain({nvcc, "--version"});
    QVERIFY2(asked.status == 0 && asked.out.contains("Cuda compilation tools"), asked.told());
  }
};

QTEST_GUILESS_MAIN(TestCmakeProject)
#include "test_cmake_project.moc"
