// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "keyhole/base/records.h"
#include "keyhole/cache/graph_cache.h"

namespace keyhole {

/// What AOTAutograd keeps of a graph: its own wrapper, and the keys of the compiled graphs that it calls.
struct AutogradEntry {
  std::string forward_key;
  std::string backward_key;  ///< empty: no gradient
  std::string wrapper;       ///< the producer's bytes
  std::string guards;
  Nanoseconds time_taken = -1;
  [[nodiscard]] std::string encode() const;
  static Result<AutogradEntry> decode(std::string_view bytes);
};

/// The cache in front of the graph cache. Counts, in group "aot_autograd": autograd_cache_hit, _miss, _guard_miss,
/// _bypass, _saved.
class AutogradCache {
 public:
  AutogradCache(ArtifactCache& store, GraphCache& graphs, ArtifactManager* artifacts = nullptr)
      : store_(store), graphs_(graphs), artifacts_(artifacts) {}

  struct Found {
    AutogradEntry entry;
    std::vector<GraphEntry> graphs;  ///< forward, then backward
  };
  /// A hit loads the graphs from the graph cache, where they count too; a missing graph makes it a miss.
  std::optional<Found> lookup(const GraphRequest& request);
  bool save(const GraphRequest& request, const AutogradEntry& entry);
  void bypass(const std::string& reason, const CompileId& compile = {});
  Result<void> populate(const std::string& key, std::string_view content);  ///< of an artifact "aot_autograd"

 private:
  ArtifactCache& store_;
  GraphCache& graphs_;
  ArtifactManager* artifacts_;
};

}  // namespace keyhole
