// SPDX-License-Identifier: Apache-2.0
// Which configuration of a kernel was the fastest. Names, keys and JSON are PyTorch's.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "keyhole/base/error.h"
#include "keyhole/base/records.h"

namespace keyhole {

class ArtifactCache;
class ArtifactManager;
class RemoteCache;

/// One configuration of a Triton kernel.
struct TritonConfig {
  std::vector<std::pair<std::string, std::int64_t>> args;  ///< block sizes by name, in the order of the kernel
  std::int64_t num_warps = 4, num_stages = 1;
  friend bool operator==(const TritonConfig&, const TritonConfig&) = default;
};
/// Tells sets of configurations apart; their order counts.
[[nodiscard]] std::string hash_of(const std::vector<TritonConfig>& configs);

/// Where the best configuration of the kernels in a source file stands.
struct BestConfigKey {
  std::string prepared;  ///< autotune key of "<file name>:<tag>"
  std::string path;      ///< "<folder of the source>/<hex>.best_config"
  std::string artifact;  ///< its last two parts
};
[[nodiscard]] BestConfigKey best_config_key(const std::string& source_path, std::string_view tag,
                                            std::string_view torch_key);
/// Key of the shared tier's cache of best configurations; nothing without a backend hash.
[[nodiscard]] std::string best_config_remote_id(std::string_view torch_key, std::string_view backend_hash,
                                                std::string_view configs_hash);
/// Key of the bundle of one generated module: comments are cut (within strings too, as PyTorch does).
[[nodiscard]] std::string autotune_bundle_key(std::string_view code_hash, std::string_view backend_hash);
[[nodiscard]] std::string code_hash_without_comments(std::string_view code);

/// What is stored of the best configuration.
struct BestConfig {
  TritonConfig config;
  std::string configs_hash;
  bool found_by_coordesc = false;
  Nanoseconds time_taken = 0;
  std::string triton_cache_hash;
  [[nodiscard]] std::string json() const;
  static std::optional<BestConfig> parse(std::string_view json);  ///< nothing where it is no such object
};

/// Best configurations in a store, in the shared tier, and as artifacts.
class AutotuneCache {
 public:
  AutotuneCache(ArtifactCache& store, std::string torch_key, std::string tag = {}, RemoteCache* remote = nullptr,
                ArtifactManager* artifacts = nullptr);
  /// The stored one that belongs to these configurations: of another set it is none. One that coordinate descent found
  /// counts only where `coordinate_descent` is on; else the configuration of the set with the same values.
  std::optional<TritonConfig> read(const std::string& source_path, const std::vector<TritonConfig>& configs,
                                   bool coordinate_descent = false);
  Result<void> save(const std::string& source_path, const BestConfig& best);
  /// Stores the content of an artifact of type "autotune": for ArtifactFactory.
  Result<void> populate(const std::string& artifact_key, std::string_view json);

 private:
  ArtifactCache& store_;
  std::string torch_key_, tag_;
  RemoteCache* remote_;
  ArtifactManager* artifacts_;
};

/// Hash under which a lookup table names a kernel: of its size hints ("{'x': 1024}", "None") and its source, without
/// the name of the function where the source begins with it.
[[nodiscard]] std::string autotune_lookup_hash(std::string_view size_hints, std::string_view source);
struct KernelInSource {
  std::string size_hints, source;  ///< hints empty: the source names none
};
/// The kernel in a generated source: between its first two lines "@triton.jit", or to the end.
[[nodiscard]] std::optional<KernelInSource> kernel_in_source(std::string_view source);
/// The row of a table {hash: {"XBLOCK": 64, "num_warps": 4, …}} for the kernel in `source`; nothing where there is none
/// or the source holds no fused kernel.
[[nodiscard]] std::optional<TritonConfig> autotune_lookup(const nlohmann::ordered_json& table, std::string_view source);

}  // namespace keyhole
