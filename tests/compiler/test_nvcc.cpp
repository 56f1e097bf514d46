// SPDX-License-Identifier: Apache-2.0
// CUDA through the store: what the host pass alone sees, every architecture, the flags that nvcc takes from elsewhere.
#include <QTest>
#include <set>

#include "compiling.h"

using namespace keyhole;

namespace {

using Cuda = test::CompilingCuda;

const QStringList kCompile{"nvcc", "-arch=sm_80", "-c", "a.cu", "-o", "o.o"};
QStringList with(const QStringList& options) {
  return QStringList{"nvcc"} + options + QStringList{"a.cu", "-o", "o.o"};
}
constexpr const char* kKernel = "__global__ void k(float* x) { x[0] = 1; }\n";

}  // namespace

class TestNvcc : public QObject {
  Q_OBJECT

 private slots:
  void init() { NEEDS("nvcc", "no CUDA is compiled through the store"); }

  void hitAfterMissAndHostOnlyCode() {
    Cuda c;
    c.write("host.h", "#define N 1\n");
    c.write("a.cu",
            std::string("#ifndef __CUDA_ARCH__\n#include \"host.h\"\nint host() { return N; }\n#endif\n") + kKernel);
    COMPILES(c, Outcome::miss, kCompile);
    const std::string first = c.bytes("o.o");
    c.remove("o.o");
    QCOMPARE(c.cc(kCompile).status, 0);
    QCOMPARE(c.last().outcome, Outcome::hit);
    const std::string hit = c.bytes("o.o");
    c.write("host.h", "#define N 2\n");
    COMPILES(c, Outcome::miss, kCompile);
    c.write("a.cu", std::string("#ifndef __CUDA_ARCH__\n#include \"host.h\"\nint host() { return N + 1; }\n#endif\n") +
                        kKernel);
    COMPILES(c, Outcome::miss, kCompile);
    QCOMPARE(c.count(Outcome::hit), 1);
    QVERIFY(!hit.empty());
  }

  void architecturesAndForms() {
    Cuda c;
    c.write("a.cu", kKernel);
    std::set<std::string> results;
    int misses = 0, hits = 0;
    for (const auto& options : {QStringList{"-c", "-arch=sm_75"},
                                {"-c", "-arch=sm_80"},
                                {"-c", "-arch=sm_90"},
                                {"-dc", "-arch=sm_80"},
                                {"-ptx", "-arch=sm_80"},
                                {"-cubin", "-arch=sm_80"},
                                {"-fatbin", "-arch=sm_80"},
                                {"-c", "-gencode", "arch=compute_80,code=sm_80", "--threads", "2"}}) {
      std::string made;
      for (const auto outcome : {Outcome::miss, Outcome::hit}) {
        c.remove("o.o");
        const auto ran = c.cc(with(options));
        QVERIFY2(ran.status == 0, ran.told());
        QCOMPARE(c.last().outcome, outcome);
        (outcome == Outcome::miss ? misses : hits) += 1;
        if (outcome == Outcome::hit) QCOMPARE(c.bytes("o.o"), made);
        made = c.bytes("o.o");
        QVERIFY(!made.empty());
      }
      results.insert(made);
      QCOMPARE(c.count(Outcome::miss), misses);
      QCOMPARE(c.count(Outcome::hit), hits);
    }
    QCOMPARE(results.size(), std::size_t{8});
  }

  /// -ptx is the cheapest form: device code alone. What it reads goes the way of all.
  void defines() {
    Cuda c;
    c.write("a.cu", "__global__ void k(float* x) { x[0] = N; }\n");
    const auto ptx = [](const QStringList& options) { return with(QStringList{"-ptx", "-arch=sm_80"} + options); };
    COMPILES(c, Outcome::miss, ptx({"-DN=1"}));
    COMPILES(c, Outcome::miss, ptx({"-DN=2"}));
    COMPILES(c, Outcome::miss, ptx({"-DN=1", "-DUNUSED"}));  // may be asked for by any header: counts
    QCOMPARE(c.count(Outcome::miss), 3);
  }

  void headersThatAppear() {
    Cuda c;
    c.write("late/h.h", "#define M 1\n");
    c.write("early/x.h", "");
    c.write("a.cu",
            "#define H <h.h>\n#include H\n#if __has_include(\"opt.h\")\n#define O 1\n#else\n#define O 0\n#endif\n"
            "__global__ void k(float* x) { x[0] = M * 10 + O * 100; }\n");
    const auto command = with({"-ptx", "-arch=sm_80", "-Iearly", "-Ilate"});
    COMPILES(c, Outcome::miss, command);
    c.write("early/h.h", "#define M 2\n");  // before the one that was read, by a computed name
    COMPILES(c, Outcome::miss, command);
    c.write("opt.h", "");
    COMPILES(c, Outcome::miss, command);
    c.remove("opt.h");
    COMPILES(c, Outcome::hit, command);
    QCOMPARE(c.count(Outcome::miss), 3);
    QCOMPARE(c.count(Outcome::hit), 1);
  }

  void optionsWithArguments() {
    Cuda c;
    c.write("a.cu", "__global__ void k(float* x) { x[0] = 1; }\n__global__ void unused() { int n; }\n");
    c.write("out/x", "");
    const QString host = QStandardPaths::findExecutable("g++");
    const auto ptx = [](const QStringList& options) {
      return QStringList{"nvcc", "-ptx", "-arch=sm_80", "a.cu"} + options;
    };
    const auto to = [](const QStringList& options) { return QStringList{"-o", "o.o"} + options; };
    COMPILES(c, Outcome::miss, ptx(to({"-ccbin", host})));
    COMPILES(c, Outcome::hit, ptx(to({"-ccbin", host})));
    COMPILES(c, Outcome::miss, ptx(to({"-Werror", "cross-execution-space-call"})));
    COMPILES(c, Outcome::hit, ptx(to({"-Werror=cross-execution-space-call"})));
    QCOMPARE(c.cc(ptx({"-odir", "out"})).status, 0);
    QCOMPARE(c.last().outcome, Outcome::miss);
    const std::string placed = c.bytes("out/a.ptx");
    QCOMPARE(c.plain(ptx({"-odir", "out"})).status, 0);
    QVERIFY(c.same_object(placed, c.bytes("out/a.ptx")));
    QCOMPARE(c.cc(ptx(to({"-ldir", "/no/such/folder"}))).status != 0,
             c.plain(ptx(to({"-ldir", "/no/such/folder"}))).status != 0);
    QCOMPARE(c.last().outcome, Outcome::bypass);
    QVERIFY(c.last().reason.find("toolkit's library") != std::string::npos);
  }

  void dependencyFileAndPaths() {
    Cuda c;
    c.write("h.h", "#define N 1\n");
    c.write("a.cu", "#include \"h.h\"\n__global__ void k(float* x) { x[0] = N; }\n");
    c.write("two/h.h", "#define N 1\n");
    c.write("two/a.cu", "#include \"h.h\"\n__global__ void k(float* x) { x[0] = N; }\n");
    const QStringList relative{"nvcc", "-ptx", "-arch=sm_80", "-MD", "-MF", "o.d", "a.cu", "-o", "o.o"};
    COMPILES(c, Outcome::miss, relative);
    const std::string dependencies = c.bytes("o.d");
    QVERIFY(dependencies.find("h.h") != std::string::npos);
    c.remove("o.d");
    c.remove("o.o");
    QCOMPARE(c.cc(relative).status, 0);
    QCOMPARE(c.last().outcome, Outcome::hit);
    QCOMPARE(c.bytes("o.d"), dependencies);
    QCOMPARE(c.cc({"nvcc", "-ptx", "-arch=sm_80", "a.cu", "-o", "o.o"}, "work/two").status, 0);
    QCOMPARE(c.last().outcome, Outcome::miss);  // nvcc names symbols by where a source lies
    const QString absolute = QString::fromStdString(c.path("a.cu"));
    QCOMPARE(c.cc({"nvcc", "-ptx", "-arch=sm_80", absolute, "-o", "o.o"}).status, 0);
    QCOMPARE(c.last().outcome, Outcome::miss);
    QCOMPARE(c.cc({"nvcc", "-ptx", "-arch=sm_80", absolute, "-o", "o.o"}, "work/two").status, 0);
    QCOMPARE(c.last().outcome, Outcome::hit);  // named from the root, it is one source from everywhere
    QCOMPARE(c.bytes("two/o.o"), c.bytes("o.o"));
    c.write("two/h.h", "#define N 2\n");
    QCOMPARE(c.cc({"nvcc", "-ptx", "-arch=sm_80", "a.cu", "-o", "o.o"}, "work/two").status, 0);
    QCOMPARE(c.last().outcome, Outcome::miss);
  }

  void flagsFromTheEnvironment() {
    Cuda c;
    c.write("a.cu", "__global__ void k(float* x) { x[0] = N; }\n");
    c.environment.insert("NVCC_PREPEND_FLAGS", "-DN=1");
    COMPILES(c, Outcome::miss, kCompile);
    c.environment.insert("NVCC_PREPEND_FLAGS", "-DN=2");
    COMPILES(c, Outcome::miss, kCompile);
    COMPILES(c, Outcome::hit, kCompile);
    c.environment.insert("NVCC_APPEND_FLAGS", "-lineinfo");
    QCOMPARE(c.cc(kCompile).status, 0);
    QCOMPARE(c.last().outcome, Outcome::miss);
    QCOMPARE(c.components().value("option[-lineinfo]"), QString("given (NVCC_APPEND_FLAGS)"));
  }

  void optionsFile() {
    Cuda c;
    c.write("flags", "-DN=1");
    c.write("a.cu", "__global__ void k(float* x) { x[0] = N; }\n");
    const auto command = with({"-optf", "flags", "-arch=sm_80", "-c"});
    COMPILES(c, Outcome::miss, command);
    c.write("flags", "-DN=2");
    COMPILES(c, Outcome::miss, command);
  }

  void failingCompile() {
    Cuda c;
    c.write("a.cu", "__global__ void k() { undeclared(); }\n");
    const auto through = c.cc(kCompile), plain = c.plain(kCompile);
    QCOMPARE(through.status, plain.status);
    QCOMPARE(through.err, plain.err);
    QCOMPARE(c.last().status, std::string("compile_failed"));
  }

  /// A toolkit of links, of which one program is changed: behind the shim all looks as before.
  void changedPtxasBehindAShim() {
    Cuda c;
    c.write("a.cu", kKernel);
    const auto here = c.plain({"sh", "-c", "nvcc --dryrun -c a.cu 2>&1 | sed -n 's/^#$ _HERE_=//p'"}).out.trimmed();
    QVERIFY(!here.isEmpty());
    const QByteArray make =
        "set -e; root=$(dirname " + here +
        "); mkdir -p kit/bin; for f in $root/*; do [ $(basename $f) = bin ] || ln -s $f kit/; done; "
        "for f in $root/bin/*; do ln -s $f kit/bin/; done; rm kit/bin/nvcc kit/bin/ptxas; cp $root/bin/nvcc "
        "$root/bin/ptxas kit/bin/; "
        "printf '#!/bin/sh\\nexec %s/kit/bin/nvcc \"$@\"\\n' $PWD > nvcc; chmod +x nvcc";
    const auto made = c.plain({"sh", "-c", make});
    QVERIFY2(made.status == 0, made.told());
    const QStringList command{QString::fromStdString(c.path("nvcc")), "-arch=sm_80", "-c", "a.cu", "-o", "o.o"};
    COMPILES(c, Outcome::miss, command);
    QCOMPARE(c.cc(command).status, 0);
    QCOMPARE(c.last().outcome, Outcome::hit);
    QVERIFY(c.plain({"sh", "-c", "printf x >> kit/bin/ptxas"}).status == 0);
    QCOMPARE(c.cc(command).status, 0);
    QCOMPARE(c.last().outcome, Outcome::miss);
  }

  void notKept() {
    Cuda c;
    c.write("a.cu", kKernel);
    QCOMPARE(c.cc(with({"-arch=native", "-c"})).status, c.plain(with({"-arch=native", "-c"})).status);
    QCOMPARE(c.last().outcome, Outcome::bypass);
    QVERIFY(c.last().reason.find("GPU of this machine") != std::string::npos);
  }
};

QTEST_GUILESS_MAIN(TestNvcc)
#include "test_nvcc.moc"
