// SPDX-License-Identifier: Apache-2.0
// The command lines with which PyTorch 2.13 compiles generated C++ (torch/_inductor/cpp_builder.py) on Linux, and the
// Python bindings that it writes behind the code.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace keyhole {

/// What a command is put together from; options without their dash. Duplicates are dropped when it is printed.
struct CppBuild {
  std::string compiler = "g++";
  std::vector<std::string> definitions = {}, include_dirs = {}, cflags = {}, ldflags = {}, library_dirs = {},
                           libraries = {};
  std::vector<std::string> passthrough = {};  ///< as they are, behind all other options of the compiler
  bool compile_only = false;                  ///< an object, not a library
  std::string precompiled_header = {};        ///< -include; empty: none
};

/// "o.o" or "o.so" from the name "o".
[[nodiscard]] std::string cpp_target(const CppBuild& build, const std::string& name);
/// The command as one line, as a shell reads it, with PyTorch's own spaces: it is part of keys.
[[nodiscard]] std::string cpp_command(const CppBuild& build, const std::string& name,
                                      const std::vector<std::string>& sources);

/// What varies of the builds that PyTorch makes for a CPU. Folders are given: they belong to the Python that runs it.
struct TorchCpp {
  std::string compiler = "g++";
  bool clang = false;
  bool compile_only = false;
  bool min_optimize = false;  ///< -O1 for a wrapper whose kernels are compiled apart
  bool debug = false;         ///< TORCHINDUCTOR_DEBUG_COMPILE: -O0 -g
  std::string march = "native";
  std::string isa_macro = {}, isa_flags = {};  ///< "CPU_CAPABILITY_AVX2", "-mavx2 -mfma -mf16c"; empty: no vectors
  std::vector<std::string> extra_flags = {};
  std::string python_include = {}, python_lib = {};  ///< "…/include/python3.11", "…/lib"
  std::string torch = {};                            ///< the folder of the package
};
[[nodiscard]] CppBuild torch_cpp_build(const TorchCpp& request);

/// The bindings: how a Python program calls the entry of the library.
enum class CppBinding { kernel, wrapper };
/// "kernel" or "inductor_entry_cpp": the function that the code has to define, and the name of the Python module.
[[nodiscard]] std::string_view binding_entry(CppBinding binding);
/// The text behind the code. `types`: of the arguments ("const float*", "int64_t"); `outputs`: of a wrapper.
[[nodiscard]] std::string binding_code(CppBinding binding, std::span<const std::string> types, int outputs = -1);

}  // namespace keyhole
