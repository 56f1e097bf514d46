// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "keyhole/base/error.h"
#include "keyhole/cache/artifact_cache.h"

namespace keyhole {

/// The files of one compiled kernel. In .json files the kernel's folder is written as [REPLACE].
struct KernelFiles {
  std::string hash;
  int device = 0;
  std::vector<NamedFile> files;  ///< sorted by name
};
/// A kernel that is launched without Triton: its key in the map of compiled kernels and its bytes.
struct StaticKernel {
  std::string key, kernel_name, bytes;
};
struct TritonBundle {
  std::vector<KernelFiles> kernels;
  std::vector<StaticKernel> static_kernels;
  [[nodiscard]] bool empty() const { return kernels.empty() && static_kernels.empty(); }
  [[nodiscard]] std::string encode() const;
  static Result<TritonBundle> decode(std::string_view bytes);
};

struct TritonBundlerMetadata {
  std::vector<std::string> cached_kernel_names, statically_launched_kernel_names;
  [[nodiscard]] std::string text() const;  ///< as PyTorch prints it: TritonBundlerMetadata(cached_kernel_names=[…], …)
};

/// Gathers the compiled kernels of one graph, so that they travel with its entry. Counts, in group "inductor":
/// triton_bundler_save_kernel and triton_bundler_read_and_emit_kernel a file, triton_bundler_save_static_autotuner a
/// collect, triton_bundler_load_static_autotuner a kernel. One thread at a time.
class TritonBundler {
 public:
  /// `folder_of`: the Triton cache folder of a device.
  explicit TritonBundler(std::function<std::string(int device)> folder_of) : folder_of_(std::move(folder_of)) {}

  /// usage where one is active already.
  Result<void> begin();
  [[nodiscard]] bool active() const { return active_; }
  void put(const std::string& kernel_hash, int device);  ///< nothing where none is active
  void put_winner(const std::string& kernel_hash);       ///< with winners known, only these are collected
  void put_static(StaticKernel kernel);
  struct Collected {
    TritonBundle bundle;
    std::optional<TritonBundlerMetadata> metadata;  ///< absent: none was active
  };
  /// Reads the files and ends. Kernels without a folder are passed over; a .json file that holds [REPLACE] is left out.
  Collected collect();
  void end();  ///< discards

  /// Writes the kernels into their folders. A folder that is there and not empty is left alone; else it appears whole,
  /// by a rename. `load_static` gets each static kernel and gives whether it can be used.
  TritonBundlerMetadata read_and_emit(const TritonBundle& bundle,
                                      const std::function<bool(const StaticKernel&)>& load_static = {});

 private:
  std::function<std::string(int)> folder_of_;
  bool active_ = false;
  std::vector<std::pair<std::string, int>> kernels_;
  std::vector<std::string> winners_;
  std::vector<StaticKernel> static_kernels_;
};

}  // namespace keyhole
