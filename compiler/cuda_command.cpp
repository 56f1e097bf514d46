// SPDX-License-Identifier: Apache-2.0
#include "keyhole/compiler/cuda_command.h"

#include <algorithm>
#include <array>

#include "keyhole/base/environment.h"
#include "keyhole/compiler/toolchain.h"
#include "keyhole/key/hash.h"
#include "stamp.h"

namespace keyhole {
namespace {

constexpr std::array kCutlassFolders = {"include", "tools/library/include", "tools/library/src", "tools/util/include"};

/// As shutil.which() has it.
bool is_command(const std::string& word) {
  if (word.empty()) return false;
  const std::string path = resolve_program(word);
  return !path.empty() && stamp_of(path).exists() && !stamp_of(path).directory;
}

std::string printed(const std::vector<std::string>& words) {
  std::string out = "[";
  for (const auto& word : words) out += (out.size() == 1 ? "" : ", ") + python_repr_text(word);
  return out + "]";
}

}  // namespace

std::string cuda_compiler(const CudaBuild& build) {
  if (is_command(build.compiler)) return build.compiler;
  if (const auto named = environment_variable("CUDACXX"); is_command(named)) return named;
  if (const auto home = environment_variable("CUDA_HOME"); is_command(home)) {
    const std::string nvcc = joined(home, "bin/nvcc"), real = real_path(nvcc);
    return real.empty() ? nvcc : real;
  }
  return "nvcc";
}

std::string cuda_arch_option(const std::string& arch) {
  constexpr std::array with_suffix = {"90", "100", "101", "103", "110", "120", "121"};
  return std::find(with_suffix.begin(), with_suffix.end(), arch) != with_suffix.end() ? arch + 'a' : arch;
}

std::vector<std::string> cuda_compiler_options(const CudaBuild& build) {
  const std::string arch = cuda_arch_option(build.arch);
  std::vector<std::string> options = {"-t=0",
                                      "-DCUTLASS_ENABLE_TENSOR_CORE_MMA=1",
                                      "-DCUTLASS_ENABLE_SM90_EXTENDED_MMA_SHAPES=1",
                                      "-DCUTE_SM90_EXTENDED_MMA_SHAPES_ENABLED",
                                      "-w",
                                      "-gencode=arch=compute_" + arch + ",code=[sm_" + arch + ",compute_" + arch +
                                          (build.lto ? ",lto_" + arch : "") + "]",
                                      build.optimization,
                                      "-std=c++20",
                                      "--expt-relaxed-constexpr",
                                      "-DNDEBUG"};
  if (build.debug) options.insert(options.end(), {"-lineinfo", "-g", "-DCUTLASS_DEBUG_TRACE_LEVEL=1"});
  if (build.ptxas_info)
    options.insert(options.end(), {"--keep", "--ptxas-options=--warn-on-local-memory-usage",
                                   "--ptxas-options=--warn-on-spills", "--resource-usage", "--source-in-ptx"});
  if (build.fast_math) options.insert(options.end(), {"--use_fast_math", "-DCUTLASS_USE_TANH_FOR_SIGMOID=1"});
  return options;
}

std::vector<std::string> cuda_host_options() {
  return {"-fPIC", "-fno-strict-aliasing", "-fvisibility=hidden", "-Wconversion"};
}

Result<std::string> cuda_command(const CudaBuild& build, const std::vector<std::string>& sources,
                                 const std::string& output, const std::string& ext,
                                 const std::vector<std::string>& extra_args) {
  if (build.arch.empty())
    return fail(ErrorKind::bad_input, "the GPU's architecture is not known", {}, "give one: there is no GPU to ask");
  auto words = cuda_compiler_options(build);
  words.insert(words.begin(), cuda_compiler(build));
  words.insert(words.end(), extra_args.begin(), extra_args.end());
  for (const auto& option : cuda_host_options())
    words.push_back((option.find('=') == std::string::npos ? "-Xcompiler=" : "-Xcompiler ") + option);
  if (!build.cutlass.empty())
    for (const char* folder : kCutlassFolders) {
      const std::string path = joined(build.cutlass, folder), real = real_path(path);
      words.push_back("-I" + (real.empty() ? path : real));
    }
  for (const auto& folder : build.libraries) {
    if (folder.find("torch/lib") != std::string::npos) continue;  // not to depend on PyTorch
    words.push_back("-L" + folder);
    if (base_of(folder) != "stubs") words.push_back("-Xlinker -rpath=" + folder);
  }
  words.insert(words.end(), {"-lcuda", "-lcudart"});
  if (ext == "o")
    words.emplace_back("-c");
  else if (ext == "so")
    words.emplace_back("-shared");
  else if (ext != "exe")
    return fail(ErrorKind::unsupported, "Unsupported output file suffix " + ext + "!");
  words.push_back("-o " + output);
  words.insert(words.end(), sources.begin(), sources.end());
  return joined_words(words);
}

std::string cuda_source_extra(const CudaBuild& build) {
  return "[" + python_repr_text(cuda_compiler(build)) + ", " + printed(cuda_compiler_options(build)) + ", " +
         printed(cuda_host_options()) + ", " + python_repr_bytes(build.cutlass_key) + "]";
}

}  // namespace keyhole
