// SPDX-License-Identifier: Apache-2.0
// The command lines with which PyTorch 2.13 has nvcc compile generated CUDA (torch/_inductor/codegen/cuda), word by
// word.
#pragma once

#include <string>
#include <vector>

#include "keyhole/base/error.h"

namespace keyhole {

/// PyTorch's configuration, as far as it enters a command. The defaults are PyTorch's.
struct CudaBuild {
  std::string compiler = {};                ///< config.cuda.cuda_cxx; empty: not set
  std::string arch = {};                    ///< "90", "80": config.cuda.arch, or the first device's; empty: not known
  std::string optimization = "-O1";         ///< -O0 … -O3, -OS
  bool lto = false;                         ///< cuda.enable_cuda_lto
  bool debug = false;                       ///< cutlass.enable_debug_info
  bool ptxas_info = false;                  ///< cuda.enable_ptxas_info
  bool fast_math = false;                   ///< cutlass.use_fast_math
  bool hash_with_command = false;           ///< cutlass.cutlass_hash_with_compile_cmd: the key covers the whole command
  std::string cutlass = {};                 ///< folder of CUTLASS; empty: it is not there
  std::string cutlass_key = {};             ///< 32 bytes that stand for CUTLASS's sources; see PyTorch's cutlass_key()
  std::vector<std::string> libraries = {};  ///< folders, in order
};

/// config.cuda.cuda_cxx, CUDACXX, CUDA_HOME/bin/nvcc (only where the text of CUDA_HOME itself names a program, as
/// PyTorch has it), else "nvcc".
[[nodiscard]] std::string cuda_compiler(const CudaBuild& build);
/// "90" -> "90a", and so for the other architectures that need it.
[[nodiscard]] std::string cuda_arch_option(const std::string& arch);
[[nodiscard]] std::vector<std::string> cuda_compiler_options(const CudaBuild& build);
[[nodiscard]] std::vector<std::string> cuda_host_options();

/// `ext`: "o", "so" or "exe"; else unsupported: "Unsupported output file suffix …!". bad_input where no architecture is
/// known.
Result<std::string> cuda_command(const CudaBuild& build, const std::vector<std::string>& sources,
                                 const std::string& output, const std::string& ext,
                                 const std::vector<std::string>& extra_args = {});

/// What the key of a source covers beside it: the printed list of compiler, options and CUTLASS's key.
[[nodiscard]] std::string cuda_source_extra(const CudaBuild& build);

}  // namespace keyhole
