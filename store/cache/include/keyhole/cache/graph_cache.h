// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "keyhole/base/error.h"
#include "keyhole/base/records.h"
#include "keyhole/cache/triton_bundler.h"

namespace keyhole {

class ArtifactCache;
class ArtifactManager;
class Hints;
class RemoteCache;

/// (first line of the generated source, trace text of the nodes behind it)
using LineMap = std::vector<std::pair<std::int64_t, std::string>>;

/// A compiled graph as it is stored. What needs a live module (values of frozen parameters) is taken from there.
struct GraphEntry {
  std::string code_key, source;  ///< the generated module
  LineMap line_map;
  std::string runnable_graph, post_grad_graph, inductor_graph;
  std::string node_mappings, stack_traces;  ///< provenance, JSON
  std::vector<std::string> device_types, mutated_inputs, frozen_names;
  std::vector<std::int64_t> device_indices, mutated_input_indices;
  std::map<std::string, std::string> constants;
  std::string output_strides, cudagraph_info;          ///< as the producer writes them
  std::map<std::string, std::int64_t> metric_deltas;   ///< group "metrics" of the counters
  std::map<std::string, std::int64_t> counter_deltas;  ///< group "inductor"
  std::string guards;                                  ///< empty: none
  std::string extern_key;  ///< hash of the external libraries it was compiled against; empty: none
  TritonBundle triton;
  Nanoseconds time_taken = -1;
  std::string region_name;

  [[nodiscard]] std::string encode() const;
  static Result<GraphEntry> decode(std::string_view bytes);
};

enum class GraphState { hit, miss, bypass, disabled };

/// The record of one lookup: PyTorch's cache_info.
struct GraphInfo {
  GraphState state = GraphState::miss;
  std::string key;
  std::vector<std::string> components;  ///< debug lines
  std::string status;                   ///< "hit", "guard_miss", "full_miss"; of the guarded search
  std::string guard;                    ///< empty: none was evaluated
  std::string bypass_reason;
  std::string triton_metadata;  ///< empty: no bundle
  Nanoseconds time = kUnknownTime, time_saved = -1;
  std::int64_t timeout_increase = 0;  ///< seconds; see ephemeral_timeout.h
  [[nodiscard]] std::string json() const;
};

struct GraphLookup {
  std::optional<GraphEntry> entry;
  std::string source_path;  ///< of the module, written or found there
  GraphInfo info;
};

struct GraphRequest {
  std::string key;
  const Hints* hints = nullptr;
  std::span<const ComponentPtr> components = {};
  CompileId compile = {};
  std::string extern_key = {};  ///< of the libraries as they are now
};

/// Inductor's graph cache over an ArtifactCache: guarded lookup, the steps after a load, save. Counts and tells as
/// PyTorch does: fxgraph_cache_hit and so on in group "inductor", one event a lookup.
class GraphCache {
 public:
  struct Options {
    bool local = true;
    bool skip_guards = false;                                            ///< UNSAFE
    RemoteCache* remote = nullptr;                                       ///< null: none
    ArtifactManager* artifacts = nullptr;                                ///< null: artifacts are not recorded
    std::string cache_root = {};                                         ///< where sources are written
    std::function<std::string(int)> triton_folder = {};                  ///< null: <cache_root>/triton/<device>
    std::function<void(std::string_view source)> save_output_code = {};  ///< gets the source of each hit
    std::function<bool(const StaticKernel&)> load_static = {};
  };
  GraphCache(ArtifactCache& store, Options options);

  /// A hit writes the source where its file is missing (fxgraph_lookup_write_file) and leaves one that is there alone,
  /// so that an edited one is used. What cannot be written is a miss.
  GraphLookup lookup(const GraphRequest& request);
  /// False where the entry could not be stored (fxgraph_cache_write_error). Its time_taken must be set.
  bool save(const GraphRequest& request, const GraphEntry& entry);
  /// Counts and tells a graph that is not looked up.
  GraphInfo bypass(const std::string& reason, const CompileId& compile = {});
  GraphInfo disabled(const CompileId& compile = {});
  /// Stores the bytes of an artifact of type "inductor" and writes its kernels: for ArtifactFactory.
  Result<void> populate(const std::string& key, std::string_view content);
  void clear();  ///< removes all graphs

 private:
  Result<std::string> post_load(const GraphEntry& entry, GraphInfo& info);
  void tell(const char* event, const GraphInfo& info);
  ArtifactCache& store_;
  Options options_;
};

}  // namespace keyhole
