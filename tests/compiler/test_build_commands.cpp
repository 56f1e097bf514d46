// SPDX-License-Identifier: Apache-2.0
// The command lines of PyTorch, word by word, against those that PyTorch 2.13 made.
#include <QTest>

#include "golden.h"
#include "keyhole/compiler/cpp_command.h"
#include "keyhole/compiler/cuda_command.h"
#include "keyhole/key/hash.h"

using namespace keyhole;

namespace {

CudaBuild cuda_build(const nlohmann::json& patch) {
  CudaBuild build{.arch = "90", .libraries = {"<CUDA>/lib64"}};
  for (const auto& [name, value] : patch.items()) {
    if (name == "cuda.enable_cuda_lto")
      build.lto = value;
    else if (name == "cutlass.enable_debug_info")
      build.debug = value;
    else if (name == "cuda.enable_ptxas_info")
      build.ptxas_info = value;
    else if (name == "cutlass.use_fast_math")
      build.fast_math = value;
    else if (name == "cutlass.compile_opt_level")
      build.optimization = value;
    else if (name == "cuda.arch")
      build.arch = value;
    else
      qFatal("an option that is not known");
  }
  return build;
}

TorchCpp torch_cpp(const nlohmann::json& options) {
  TorchCpp torch{.python_include = "<PYTHON>/include/python3.11", .python_lib = "<PYTHON>/lib", .torch = "<TORCH>"};
  if (options.value("avx2", false)) {
    torch.isa_macro = "CPU_CAPABILITY_AVX2";
    torch.isa_flags = "-mavx2 -mfma -mf16c";
  }
  torch.compile_only = options.value("compile_only", false);
  torch.min_optimize = options.value("min_optimize", false);
  torch.extra_flags = options.value("extra_flags", std::vector<std::string>());
  return torch;
}

/// -I<TORCH> holds no character that a shell would see in the real path.
std::string unquoted(std::string text) {
  for (auto at = text.find("-I'"); at != std::string::npos; at = text.find("-I'")) {
    text.erase(text.find('\'', at + 3), 1);
    text.erase(at + 2, 1);
  }
  return text;
}

}  // namespace

class TestBuildCommands : public QObject {
  Q_OBJECT

 private slots:
  void init() {
    qunsetenv("CUDACXX");
    qunsetenv("CUDA_HOME");
  }

  void cudaCommands() {
    for (const auto& row : golden("compile")["cuda"]) {
      const std::string ext = row["ext"];
      const auto command =
          cuda_command(cuda_build(row["patch"]), {"a.cu", "b.cu"}, "out." + ext, ext, row["extra_args"]);
      QVERIFY(command.has_value());
      QCOMPARE(*command, row["command"].get<std::string>());
    }
    const auto bad = cuda_command({.arch = "90"}, {"a.cu"}, "out.bad", "bad");
    QVERIFY(!bad && bad.error().kind == ErrorKind::unsupported);
    QCOMPARE("NotImplementedError: " + bad.error().what,
             golden("compile")["cuda_commands"]["cmd_bad"].get<std::string>());
    QVERIFY(!cuda_command({}, {"a.cu"}, "out.o", "o"));  // no GPU to ask
  }

  void cudaCommandsOfTheSpecification() {
    const auto& commands = golden("compile")["cuda_commands"];
    for (const char* ext : {"o", "so", "exe"}) {
      const auto command = cuda_command({.arch = "90", .libraries = {"<CUDA_HOME>/lib"}}, {"a.cu", "b.cu"},
                                        std::string("out.") + ext, ext, {"-extra"});
      QCOMPARE(command.value_or(""), commands[std::string("cmd_") + ext].get<std::string>());
    }
    using Words = std::vector<std::string>;
    QCOMPARE(cuda_compiler_options({.arch = "90", .lto = true}), commands["opts_lto"].get<Words>());
    QCOMPARE(cuda_compiler_options({.arch = "90", .debug = true}), commands["opts_debug"].get<Words>());
    QCOMPARE(cuda_compiler_options({.arch = "90", .ptxas_info = true}), commands["opts_ptxas"].get<Words>());
    QCOMPARE(cuda_compiler_options({.arch = "90", .fast_math = true}), commands["opts_fastmath"].get<Words>());
    QCOMPARE(cuda_compiler_options({.arch = "90", .optimization = "-O3"}), commands["opts_O3"].get<Words>());
  }

  void architectures() {
    for (const auto& [arch, option] : golden("compile")["cuda_arch"].items())
      QCOMPARE(cuda_arch_option(arch), option.get<std::string>());
  }

  /// The key that PyTorch gave the source of its own test, from what it printed of compiler, options and CUTLASS.
  void cudaSourceKey() {
    const auto& real = golden("compile")["cuda_real"];
    const std::string extra = real["source_code_extra"];
    CudaBuild build{.arch = "90"};
    const std::string mark = "b\"";
    QVERIFY(extra.find(mark) != std::string::npos);
    const std::string without_key = extra.substr(0, extra.find(mark));
    QCOMPARE(cuda_source_extra(build).substr(0, without_key.size()), without_key);
    QCOMPARE(code_hash(kSaxpy, extra), real["write_key"].get<std::string>());
  }

  void cppCommands() {
    for (const auto& row : golden("compile")["cpp"])
      QCOMPARE(unquoted(cpp_command(torch_cpp_build(torch_cpp(row["options"])), "o", {"i"})),
               row["command"].get<std::string>());
  }

  void cppCommandQuotesAndDropsTwins() {
    CppBuild build{
        .definitions = {"A", "A"}, .include_dirs = {"/a b"}, .libraries = {"x", "x"}, .passthrough = {"-DZ"}};
    QCOMPARE(cpp_command(build, "n", {"a.cpp", "b.cpp"}),
             std::string("g++ a.cpp b.cpp -D A   -I'/a b'  -DZ  -o n.so  -lx  "));
  }

 private:
  static constexpr const char* kSaxpy = R"cu(#include <stdio.h>

__global__
void saxpy_device(int n, float a, float *x, float *y)
{
  int i = blockIdx.x*blockDim.x + threadIdx.x;
  if (i < n) y[i] = a*x[i] + y[i];
}

extern "C" {

__attribute__((__visibility__("default")))
int saxpy(int n, float a, float *x, float *y) {
  // Perform SAXPY
  saxpy_device<<<(n+255)/256, 256>>>(n, a, x, y);
  return 0;
}

})cu";
};

QTEST_GUILESS_MAIN(TestBuildCommands)
#include "test_build_commands.moc"
