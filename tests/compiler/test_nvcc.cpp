// SPDX-License-Identifier: Apache-2.0
// CUDA through the store: what the host pass alone sees, every architecture, the flags that nvcc takes from elsewhere.
#include <QStandardPaths>
#include <QTest>
#include <set>

#include "compiling.h"

using namespace keyhole;

namespace {

class Cuda : public test::Compiling {
 public:
  /// nvcc alone, with its intermediate files in a folder: else it puts its process id into the name of a symbol.
  [[nodiscard]] test::Ran plain(QStringList command, const QString& folder = "work") const {
    if (command.front().endsWith("nvcc")) {
      make_folders(path("keep"));
      command += {"--keep", "--keep-dir", "keep"};
    }
    return Compiling::plain(command, folder);
  }
  [[nodiscard]] static bool same_object(const std::string& a, const std::string& b) { return !a.empty() && a == b; }
};

const QStringList kCompile{"nvcc", "-arch=sm_80", "-c", "a.cu", "-o", "o.o"};
QStringList with(const QStringList& options) { return QStringList{"nvcc"} + options + QStringList{"a.cu", "-o", "o.o"}; }
constexpr const char* kKernel = "__global__ void k(float* x) { x[0] = 1; }\n";

}  // namespace

class TestNvcc : public QObject {
  Q_OBJECT

 private slots:
  void init() {
    if (QStandardPaths::findExecutable("nvcc").isEmpty()) QSKIP("nvcc is not installed: no CUDA is compiled through the store");
  }

  void hitAfterMissAndHostOnlyCode() {
    Cuda c;
    c.write("host.h", "#define N 1\n");
    c.write("a.cu", std::string("#ifndef __CUDA_ARCH__\n#include \"host.h\"\nint host() { return N; }\n#endif\n") + kKernel);
    COMPILES(c, Outcome::miss, kCompile);
    const std::string first = c.bytes("o.o");
    c.remove("o.o");
    QCOMPARE(c.cc(kCompile).status, 0);
    QCOMPARE(c.last().outcome, Outcome::hit);
    const std::string hit = c.bytes("o.o");
    c.write("host.h", "#define N 2\n");
    COMPILES(c, Outcome::miss, kCompile);
    c.write("a.cu", std::string("#ifndef __CUDA_ARCH__\n#include \"host.h\"\nint host() { return N + 1; }\n#endif\n") + kKernel);
    COMPILES(c, Outcome::miss, kCompile);
    QCOMPARE(c.count(Outcome::hit), 1);
    QVERIFY(!hit.empty());
  }

  void architecturesAndForms() {
    Cuda c;
    c.write("a.cu", kKernel);
    std::set<std::string> results;
    for (const auto& options : {QStringList{"-c", "-arch=sm_75"}, {"-c", "-arch=sm_80"}, {"-dc", "-arch=sm_80"}, {"-ptx", "-arch=sm_80"},
                                {"-cubin", "-arch=sm_80"}, {"-fatbin", "-arch=sm_80"}, {"-c", "-gencode", "arch=compute_80,code=sm_80", "--threads", "2"}}) {
      for (const auto outcome : {Outcome::miss, Outcome::hit}) {
        c.remove("o.o");
        const auto ran = c.cc(with(options));
        QVERIFY2(ran.status == 0, ran.told());
        QCOMPARE(c.last().outcome, outcome);
        results.insert(c.bytes("o.o"));
      }
    }
    QCOMPARE(results.size(), std::size_t{7});
  }

  void flagsFromTheEnvironment() {
    Cuda c;
    c.write("a.cu", "__global__ void k(float* x) { x[0] = N; }\n");
    c.environment.insert("NVCC_PREPEND_FLAGS", "-DN=1");
    COMPILES(c, Outcome::miss, kCompile);
    c.environment.insert("NVCC_PREPEND_FLAGS", "-DN=2");
    COMPILES(c, Outcome::miss, kCompile);
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
    const QByteArray make = "set -e; root=$(dirname " + here + "); mkdir -p kit/bin; for f in $root/*; do [ $(basename $f) = bin ] || ln -s $f kit/; done; "
        "for f in $root/bin/*; do ln -s $f kit/bin/; done; rm kit/bin/nvcc kit/bin/ptxas; cp $root/bin/nvcc $root/bin/ptxas kit/bin/; "
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
