// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "keyhole/base/error.h"
#include "keyhole/key/hash.h"

namespace keyhole {

/// What ahead-of-time packages ask of a kernel's files; PyTorch's aot_inductor configuration.
struct KernelPackaging {
  std::string folder = {};  ///< of the package; empty: the cache's own folders
  bool cpp_only = false;    ///< package_cpp_only: files bear the kernel's mangled name
  bool multi_arch = false;  ///< emit_multi_arch_kernel: the binary that is named is made later, of all architectures
  bool rocm = false;        ///< parameters say hsaco_path instead of cubin_path
};

/// PyTorch's CudaKernelParamCache: the parameters with which a compiled kernel is launched, by the kernel's name, and
/// its binary and assembly as files. Thread-safe.
class KernelParams {
 public:
  using Params = std::map<std::string, std::string>;

  KernelParams(std::string cache_root, KernelPackaging packaging = {})
      : root_(std::move(cache_root)), packaging_(std::move(packaging)) {}

  struct Binary {
    HashContent content = {};
    std::string type = {};  ///< "cubin", "hsaco", the XPU format
    HashContent assembly = {};
    std::string assembly_type = {};  ///< "ptx", "amdgcn", "spv", "ll"; empty: none
  };
  /// Writes the files and remembers `params` with cubin_path (or hsaco_path), runtime_bin_path and asm added. Fails:
  /// usage "Missing kernel name", "Missing kernel assembly code", "… type" where the packaging asks for them; io.
  Result<void> set(const std::string& key, Params params, const Binary& binary);
  [[nodiscard]] std::optional<Params> get(const std::string& key) const;
  [[nodiscard]] std::vector<std::string> keys() const;
  void clear();

 private:
  std::string root_ = {};
  KernelPackaging packaging_;
  mutable std::mutex mutex_;
  std::map<std::string, Params> params_;
};

}  // namespace keyhole
