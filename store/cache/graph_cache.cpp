// SPDX-License-Identifier: Apache-2.0
#include "keyhole/cache/graph_cache.h"

#include <nlohmann/json.hpp>

#include "keyhole/base/os.h"
#include "keyhole/cache/artifact_cache.h"
#include "keyhole/cache/artifacts.h"
#include "keyhole/cache/counters.h"
#include "keyhole/cache/ephemeral_timeout.h"
#include "keyhole/cache/source_files.h"
#include "keyhole/remote/python_json.h"
#include "keyhole/remote/remote_cache.h"
#include "wire.h"

namespace keyhole {
namespace {

constexpr std::string_view kGraphMagic =
    "KHG1";  // grammar: the members of GraphEntry in their order, as wire.h writes them
constexpr const char* kGraphCounters = "inductor";

template <class Map>
void put_map(wire::Writer& out, const Map& map) {
  out.number(map.size());
  for (const auto& [name, value] : map) {
    out.text(name);
    if constexpr (std::is_integral_v<typename Map::mapped_type>)
      out.integer(value);
    else
      out.text(value);
  }
}

template <class Map>
void take_map(wire::Reader& in, Map& map) {
  for (auto n = in.number(); n > 0 && in.ok(); --n) {
    const std::string name(in.text());
    if constexpr (std::is_integral_v<typename Map::mapped_type>)
      map[name] = in.integer();
    else
      map[name] = in.text();
  }
}

/// Every member in order, for writing and reading alike.
template <class Entry, class Text, class Texts, class Numbers, class Maps>
void each_member(Entry& e, Text text, Texts texts, Numbers numbers, Maps map) {
  for (auto* t : {&e.code_key, &e.source, &e.runnable_graph, &e.post_grad_graph, &e.inductor_graph, &e.node_mappings,
                  &e.stack_traces, &e.output_strides, &e.cudagraph_info, &e.guards, &e.extern_key, &e.region_name})
    text(*t);
  for (auto* t : {&e.device_types, &e.mutated_inputs, &e.frozen_names}) texts(*t);
  for (auto* n : {&e.device_indices, &e.mutated_input_indices}) numbers(*n);
  map(e.constants);
  map(e.metric_deltas);
  map(e.counter_deltas);
}

const char* name_of(GraphState state) {
  switch (state) {
    case GraphState::hit:
      return "hit";
    case GraphState::miss:
      return "miss";
    case GraphState::bypass:
      return "bypass";
    case GraphState::disabled:
      return "disabled";
  }
  return "miss";
}

std::vector<std::string> debug_lines(std::span<const ComponentPtr> components) {
  std::vector<std::string> lines;
  for (const ComponentPtr c : components) lines.push_back("[" + c->digest.base32() + "] " + c->name + ": " + c->text);
  return lines;
}

void trace(const GraphEntry& entry) {
  const std::pair<const char*, const std::string&> texts[] = {
      {"fx_graph_runnable", entry.runnable_graph},
      {"inductor_post_grad_graph", entry.post_grad_graph},
      {"inductor_output_code", entry.source},
      {"inductor_provenance_tracking_node_mappings", entry.node_mappings},
      {"inductor_provenance_tracking_kernel_stack_traces", entry.stack_traces}};
  for (const auto& [name, text] : texts)
    if (!text.empty()) emit_event(name, python_json({{"payload", text}}));
}

}  // namespace

std::string GraphEntry::encode() const {
  wire::Writer out;
  out.raw(kGraphMagic);
  each_member(
      *this, [&](const std::string& t) { out.text(t); },
      [&](const std::vector<std::string>& list) {
        out.number(list.size());
        for (const auto& t : list) out.text(t);
      },
      [&](const std::vector<std::int64_t>& list) {
        out.number(list.size());
        for (const auto n : list) out.integer(n);
      },
      [&](const auto& map) { put_map(out, map); });
  out.number(line_map.size());
  for (const auto& [line, text] : line_map) {
    out.integer(line);
    out.text(text);
  }
  out.integer(time_taken);
  out.text(triton.encode());
  return out.take();
}

Result<GraphEntry> GraphEntry::decode(std::string_view bytes) {
  if (!bytes.starts_with(kGraphMagic)) return fail(ErrorKind::bad_input, "not a graph that this library stored");
  wire::Reader in(bytes.substr(kGraphMagic.size()));
  GraphEntry entry;
  each_member(
      entry, [&](std::string& t) { t = in.text(); },
      [&](std::vector<std::string>& list) {
        for (auto n = in.number(); n > 0 && in.ok(); --n) list.emplace_back(in.text());
      },
      [&](std::vector<std::int64_t>& list) {
        for (auto n = in.number(); n > 0 && in.ok(); --n) list.push_back(in.integer());
      },
      [&](auto& map) { take_map(in, map); });
  for (auto n = in.number(); n > 0 && in.ok(); --n) {
    const auto line = in.integer();
    entry.line_map.emplace_back(line, in.text());
  }
  entry.time_taken = in.integer();
  const auto bundle = in.text();
  if (!in.ok()) return fail(ErrorKind::bad_input, "the stored graph ends early");
  auto triton = TritonBundle::decode(bundle);
  if (!triton) return tl::unexpected(triton.error());
  entry.triton = std::move(*triton);
  return entry;
}

std::string GraphInfo::json() const {
  nlohmann::ordered_json record;
  if (!status.empty()) record["cache_status_detailed"] = status;
  if (!guard.empty()) record["cache_status_guard_expr"] = guard;
  if (!key.empty()) {
    record["key"] = key;
    record["components"] = components;
  }
  record["cache_event_time"] = time;
  record["cache_state"] = name_of(state);
  if (!bypass_reason.empty()) record["cache_bypass_reason"] = bypass_reason;
  if (!triton_metadata.empty()) record["triton_bundler_meta"] = triton_metadata;
  if (time_saved >= 0) record["time_saved_ns"] = time_saved;
  if (timeout_increase != 0) record["ephemeral_timeout_increase"] = timeout_increase;
  return python_json(record);
}

GraphCache::GraphCache(ArtifactCache& store, Options options) : store_(store), options_(std::move(options)) {
  if (options_.cache_root.empty()) options_.cache_root = inductor_cache_root();
  if (!options_.triton_folder)
    options_.triton_folder = [root = options_.cache_root](int device) { return triton_cache_dir(root, device); };
}

void GraphCache::tell(const char* event, const GraphInfo& info) {
  emit_event(event, info.json());
}

/// The steps after a guarded hit. Gives the path of the source; an error of the operating system makes the hit a miss.
Result<std::string> GraphCache::post_load(const GraphEntry& entry, GraphInfo& info) {
  if (!entry.triton.empty()) {
    TritonBundler bundler(options_.triton_folder);
    const auto metadata = bundler.read_and_emit(entry.triton, options_.load_static);
    info.triton_metadata = metadata.text();
    if (!metadata.cached_kernel_names.empty()) counters().add(kGraphCounters, "num_triton_bundles");
  }
  const auto path = code_path(options_.cache_root, entry.code_key, "py");
  FileInfo there;
  if (os().stat(path.path, there) != 0) {
    if (auto written = write_atomic(path.path, entry.source, true); !written) return tl::unexpected(written.error());
    counters().add(kGraphCounters, "fxgraph_lookup_write_file");
  }
  for (const auto& [name, n] : entry.metric_deltas) counters().add("metrics", name, n);
  for (const auto& [name, n] : entry.counter_deltas) counters().add(kGraphCounters, name, n);
  trace(entry);
  return path.path;
}

GraphLookup GraphCache::lookup(const GraphRequest& request) {
  GraphLookup result;
  result.info.key = request.key;
  result.info.components = debug_lines(request.components);
  result.info.time = os().now();
  std::optional<GraphEntry> decoded;
  std::string bytes;
  LookupRequest lookup{.key = request.key,
                       .hints = request.hints,
                       .components = request.components,
                       .compile = request.compile,
                       .local = options_.local,
                       .skip_guards = options_.skip_guards};
  if (options_.remote != nullptr) {
    lookup.beyond = [&]() -> std::optional<FoundEntry> {
      auto record = options_.remote->get(request.key);
      if (!record) return {};
      const auto entry = GraphEntry::decode(record->data);
      if (!entry) return {};
      return FoundEntry{.guard = entry->guards, .bytes = std::move(record->data), .cost = entry->time_taken};
    };
  }
  lookup.accept = [&](const FoundEntry& found) {
    auto entry = GraphEntry::decode(found.bytes);
    if (!entry || entry->extern_key != request.extern_key) return false;
    decoded = std::move(*entry);
    return true;
  };
  auto found = store_.get(lookup);
  result.info.status = found.status;
  result.info.guard = found.guard;
  if (options_.local) {
    counters().add("event", found.local ? "inductor_fx_local_cache_hit_count" : "inductor_fx_local_cache_miss_count");
    (remote_statistics().*(found.local ? &RemoteStatistics::hit : &RemoteStatistics::miss))("LocalFxGraphCache");
  }
  if (options_.remote != nullptr && !found.local)
    counters().add("event", found.hit() ? "inductor_fx_remote_cache_hit_count" : "inductor_fx_remote_cache_miss_count");
  if (found.hit() && decoded) {
    if (options_.artifacts != nullptr)
      static_cast<void>(options_.artifacts->record("inductor", request.key, found.entry.bytes));
    if (auto path = post_load(*decoded, result.info)) {
      result.source_path = std::move(*path);
      result.entry = std::move(decoded);
    }
  }
  if (result.entry) {
    counters().add(kGraphCounters, "fxgraph_cache_hit");
    result.info.state = GraphState::hit;
    result.info.time_saved = result.entry->time_taken;
    result.info.timeout_increase = add_ephemeral_timeout(result.entry->time_taken);
    if (options_.save_output_code) options_.save_output_code(result.entry->source);
    tell("fx_graph_cache_hit", result.info);
  } else {
    counters().add(kGraphCounters, "fxgraph_cache_miss");
    result.info.state = GraphState::miss;
    tell("fx_graph_cache_miss", result.info);
  }
  return result;
}

bool GraphCache::save(const GraphRequest& request, const GraphEntry& entry) {
  GraphEntry stored = entry;
  stored.extern_key = request.extern_key;
  const std::string bytes = stored.encode();
  if (options_.artifacts != nullptr) static_cast<void>(options_.artifacts->record("inductor", request.key, bytes));
  bool saved = true;
  if (options_.local) {
    saved = store_
                .put({.key = request.key,
                      .guard = stored.guards,
                      .bytes = bytes,
                      .components = request.components,
                      .cost = stored.time_taken})
                .has_value();
    if (saved)
      remote_statistics().put("LocalFxGraphCache");
    else
      counters().add(kGraphCounters, "fxgraph_cache_write_error");
  }
  if (options_.remote != nullptr)
    options_.remote->put(request.key, {bytes, std::max<std::int64_t>(0, stored.time_taken) / 1'000'000});
  return saved;
}

GraphInfo GraphCache::bypass(const std::string& reason, const CompileId& compile) {
  GraphInfo info;
  info.state = GraphState::bypass;
  info.bypass_reason = reason;
  info.time = os().now();
  counters().add(kGraphCounters, "fxgraph_cache_bypass");
  LookupRecord record;
  record.outcome = Outcome::bypass;
  record.reason = reason;
  record.compile = compile;
  store_.note(record);
  tell("fx_graph_cache_bypass", info);
  return info;
}

GraphInfo GraphCache::disabled(const CompileId& compile) {
  GraphInfo info;
  info.state = GraphState::disabled;
  info.time = os().now();
  LookupRecord record;
  record.outcome = Outcome::bypass;
  record.status = "disabled";
  record.cache_off = true;
  record.compile = compile;
  store_.note(record);
  tell("fx_graph_cache_disabled", info);
  return info;
}

Result<void> GraphCache::populate(const std::string& key, std::string_view content) {
  const auto entry = GraphEntry::decode(content);
  // A graph that PyTorch made is kept as it is: its guards are within its pickle, which is not read here.
  auto stored = store_.put({.key = key,
                            .guard = entry ? std::string_view(entry->guards) : std::string_view(),
                            .bytes = content,
                            .cost = entry ? entry->time_taken : -1});
  if (!stored) return tl::unexpected(stored.error());
  if (entry && !entry->triton.empty())
    TritonBundler(options_.triton_folder).read_and_emit(entry->triton, options_.load_static);
  return {};
}

void GraphCache::clear() {
  static_cast<void>(store_.remove(Layer::fx_graph, {}));
}

}  // namespace keyhole
