// SPDX-License-Identifier: Apache-2.0
// What a program needs to start without compiling: packages of compiled functions, the graphs they call, and the shapes
// that were seen.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "keyhole/base/error.h"

namespace keyhole {

class ArtifactCache;
class ArtifactManager;

struct BackendArtifact {
  std::string type;  ///< "BundledAOTAutogradCacheArtifact"
  std::string key;   ///< the backend's id
  std::string content;
};

/// One code object of a package: it calls the backends it names.
struct PackageCode {
  std::string name;
  std::vector<std::string> backend_ids;
  bool bypassed = false;  ///< a backend is missing: the code runs as if it had never been compiled
};
struct PackageEntry {
  std::string function;  ///< qualified name
  std::int64_t first_line = 0;
  std::string device_type = "cpu";
  std::vector<PackageCode> codes;
};
/// A package with the backends it needs.
struct CacheEntry {
  PackageEntry package;
  std::map<std::string, BackendArtifact> backends;
  [[nodiscard]] std::string encode() const;
  static Result<CacheEntry> decode(std::string_view bytes);
};

/// SHA-256 hex of the qualified name and the first line number as text.
[[nodiscard]] std::string source_id(std::string_view qualified_name, std::int64_t first_line);
/// "__compiled_fn_<n>_<uuid with underscores>"
[[nodiscard]] std::string backend_id(std::int64_t number, std::string_view uuid);

/// What a process compiled, on its way into packages. Thread-safe.
class PrecompileContext {
 public:
  void record_artifact(BackendArtifact artifact);  ///< a copy is kept
  void record_entry(PackageEntry entry);           ///< under its source_id
  /// Replaces a backend's content by what `edit` makes of it. not_found: "Key <k> not found in artifacts".
  Result<void> edit(const std::string& key, const std::function<std::string(std::string content)>& edit);
  [[nodiscard]] std::optional<BackendArtifact> serialize_by_key(const std::string& key) const;
  struct Created {
    std::map<std::string, CacheEntry> entries;  ///< by source id
    std::string debug_info;                     ///< JSON {"dynamo": […], "backends": […]}
  };
  /// Joins each package with its backends; emits dynamo_cache_entries, and dynamo_cache_bypass for a missing backend.
  [[nodiscard]] Created create_cache_entries() const;
  [[nodiscard]] std::size_t packages() const;
  [[nodiscard]] std::size_t backends() const;
  void clear();

 private:
  mutable std::mutex mutex_;
  std::map<std::string, BackendArtifact> artifacts_;
  std::map<std::string, PackageEntry> packages_;
};

/// The system a package was made on.
struct PackageSystem {
  std::string python, torch, toolkit;
  std::pair<int, int> triton{0, 0};
  std::string gpu;  ///< empty: none
};
/// Fails (unsupported, naming what differs) where a package of `made` must not run on `here`. `on_gpu`: it uses one.
Result<void> check_compatible(const PackageSystem& made, const PackageSystem& here, bool on_gpu);

/// Packages in a store, layer dynamo. Counts dynamo_cache: dynamo_cache_hit, _miss, _error.
class PackageStore {
 public:
  explicit PackageStore(ArtifactCache& store, ArtifactManager* artifacts = nullptr)
      : store_(store), artifacts_(artifacts) {}
  Result<void> save(const std::string& source_id, const CacheEntry& entry);  ///< "Failed to save package to <id>: …"
  std::optional<CacheEntry> load(const std::string& source_id);
  Result<void> populate(const std::string& source_id, std::string_view content);  ///< of an artifact "precompile"

 private:
  ArtifactCache& store_;
  ArtifactManager* artifacts_;
};

/// "<job>:<rank or None>:<tag>"; nothing for no job, usage for one that begins with "mast:".
Result<std::optional<std::string>> shape_profile_key(const std::string& job, std::optional<int> rank,
                                                     std::string_view tag);
/// dynamo/code_state_<key>.pkl, with what no file name may hold as "_".
[[nodiscard]] std::string shape_profile_file(std::string_view key);
/// The key of a loaded profile in this job: "mast:<name>:<version>:<rank>:<tag>" takes this job's name and version.
[[nodiscard]] std::string rewritten_profile_key(const std::string& key, const std::string& this_job);

/// Which shapes each code was called with, per job. The last one saved counts; each is an artifact of type "pgo".
class ShapeProfiles {
 public:
  ShapeProfiles(ArtifactCache& store, std::string job, ArtifactManager* artifacts = nullptr)
      : store_(store), job_(std::move(job)), artifacts_(artifacts) {}
  Result<void> save(const std::string& key, std::string_view content);
  std::optional<std::string> load(const std::string& key);
  Result<void> populate(const std::string& key, std::string_view content);

 private:
  Result<void> store(const std::string& key, std::string_view content);
  ArtifactCache& store_;
  std::string job_;
  ArtifactManager* artifacts_;
};

}  // namespace keyhole
