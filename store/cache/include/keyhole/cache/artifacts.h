// SPDX-License-Identifier: Apache-2.0
// The mega-cache: what a process made and used, in one blob that another machine can load. The bytes are PyTorch's
// (keyhole/base/mega_cache_codec.h).
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "keyhole/base/error.h"
#include "keyhole/base/mega_cache_codec.h"

namespace keyhole {

/// The keys by type, types and keys in the order in which they came: PyTorch's CacheInfo.
class ArtifactInfo {
 public:
  void add(const std::string& type, const std::string& key);
  [[nodiscard]] const std::vector<std::string>& keys(const std::string& type) const;  ///< empty: none
  [[nodiscard]] bool empty() const { return types_.empty(); }
  [[nodiscard]] const std::vector<std::pair<std::string, std::vector<std::string>>>& all() const { return types_; }
  friend bool operator==(const ArtifactInfo&, const ArtifactInfo&) = default;

 private:
  std::vector<std::pair<std::string, std::vector<std::string>>> types_;
};

/// Writes a loaded artifact into the cache that it belongs to.
using PopulateArtifact = std::function<Result<void>(const std::string& key, std::string_view content)>;

/// The types that may stand in a mega-cache. PyTorch's are "inductor", "autotune", "aot_autograd", "pgo" and
/// "precompile"; users add their own.
class ArtifactFactory {
 public:
  /// usage: "Artifact of type=<t> already registered in mega-cache artifact factory".
  Result<void> add(const std::string& type, PopulateArtifact populate);
  [[nodiscard]] const PopulateArtifact* find(const std::string& type) const;
  [[nodiscard]] std::vector<std::string> types() const;  ///< sorted

 private:
  std::map<std::string, PopulateArtifact> types_;
};

struct SavedArtifacts {
  std::string blob;
  ArtifactInfo info;
};

/// Collects the artifacts of a process. Thread-safe.
class ArtifactManager {
 public:
  /// `torch_compat`: on load a type that stands in two records keeps the last one only, as PyTorch 2.13 does.
  explicit ArtifactManager(const ArtifactFactory& factory, bool torch_compat = false)
      : factory_(factory), torch_compat_(torch_compat) {}

  /// Passes over what was recorded since the last clear(). usage: "Artifact of type=<t> not registered in mega-cache
  /// artifact factory".
  Result<void> record(const std::string& type, const std::string& key, std::string_view content);
  [[nodiscard]] bool need_serialize() const;
  /// All so far; nothing where nothing was ever recorded. Twice without news gives the same bytes.
  std::optional<SavedArtifacts> serialize();
  /// The artifacts of a blob by type. Contents point into `blob`. bad_input where it is damaged or holds another type.
  Result<std::vector<MegaCacheRecord>> deserialize(std::string_view blob) const;
  /// deserialize(), and each into its cache. Artifacts that cannot be written are left out of the info.
  Result<ArtifactInfo> load(std::string_view blob);
  void clear();

 private:
  const ArtifactFactory& factory_;
  bool torch_compat_;
  mutable std::mutex mutex_;
  std::set<std::pair<std::pair<std::string, std::string>, std::string>> seen_;  // type, key; content's SHA-256
  std::vector<std::pair<std::string, std::vector<std::pair<std::string, std::string>>>> pending_;
  MegaCacheWriter written_;
  ArtifactInfo info_;
};

}  // namespace keyhole
