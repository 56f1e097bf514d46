// SPDX-License-Identifier: Apache-2.0
#include "keyhole/ingest/inductor_entry.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "file_bytes.h"
#include "json_text.h"
#include "keyhole/ingest/pickle.h"
#include "keyhole/key/debug_line.h"

namespace keyhole {
namespace {

using Json = nlohmann::ordered_json;
using pickle::Document;
using pickle::Kind;
using pickle::Value;

constexpr std::size_t kMaxComponents = 1'000'000;  // a real key has about 640
constexpr std::size_t kMaxListed = 256;
constexpr std::int64_t kMaxDetail = std::int64_t{1} << 30;

std::string qualified(std::string_view module, std::string_view name) {
  return module.empty() && name.empty() ? "the result of a call" : fmt::format("{}.{}", module, name);
}

std::vector<ComponentPtr> components_of(Value lines, ComponentPool& pool, std::size_t& unread) {
  std::vector<ComponentPtr> out;
  if (lines.kind() != Kind::list && lines.kind() != Kind::tuple) return out;
  out.reserve(std::min(lines.size(), kMaxComponents));
  for (const Value line : lines.items()) {
    if (out.size() == kMaxComponents) break;
    if (const auto parsed = parse_debug_line(line.text())) {
      out.push_back(pool.intern(parsed->name, parsed->digest, parsed->text));
    } else {
      ++unread;
    }
  }
  return out;
}

Direction direction_of(Value fx_kwargs) {
  if (fx_kwargs.kind() != Kind::dict) return Direction::unknown;
  if (fx_kwargs.get("is_backward").boolean().value_or(false)) return Direction::backward;
  const auto inference = fx_kwargs.get("is_inference").boolean();
  if (!inference) return Direction::unknown;
  return *inference ? Direction::inference : Direction::forward;
}

void put_text(Json& out, const char* name, Value v, std::size_t max_chars = 400) {
  if (!v || v.is_none()) return;
  if (v.kind() == Kind::text && v.text().empty()) return;
  out[name] = v.kind() == Kind::text ? std::string(v.text().substr(0, max_chars)) : v.display(max_chars);
}

/// OrderedSet(['cpu']) and plain lists alike.
Value elements(Value v) {
  if (v.kind() != Kind::call) return v;
  const Value argument = v.args().at(0);
  return argument ? argument : v;
}

void put_kernels(Json& out, Value bundle) {
  const Value kernels = bundle.attribute("kernel_artifacts");
  if (kernels.size() == 0) return;
  Json list = Json::array();
  for (const Value kernel : kernels.items()) {
    if (list.size() == kMaxListed) break;
    Json files = Json::object();
    for (const Value file : kernel.attribute("artifacts").items()) {
      if (files.size() == kMaxListed) break;
      files[std::string(file.attribute("filename").text())] = file.attribute("payload").bytes().size();
    }
    list.push_back({{"hash", std::string(kernel.attribute("kernel_hash").text())},
                    {"device", kernel.attribute("device").integer().value_or(-1)},
                    {"files", std::move(files)}});
  }
  out["triton_kernel_count"] = kernels.size();
  out["triton_kernels"] = std::move(list);
}

void put_suspicious(Json& out, const Document& document) {
  Json list = Json::array();
  for (const auto& c : document.callables()) {
    if (c.suspicious && list.size() < kMaxListed) list.push_back(qualified(c.module, c.name));
  }
  if (!list.empty()) out["suspicious"] = std::move(list);
}

/// Takes over what a CompiledFxGraph says of itself.
void fill_from_graph(Value graph, ComponentPool& pool, EntryRecord& entry, Json& meta) {
  const auto own_key = graph.attribute("_fx_graph_cache_key").text();
  if (entry.key.empty()) entry.key = own_key;
  if (!own_key.empty() && own_key != entry.key) meta["own_key"] = std::string(own_key.substr(0, 100));
  std::size_t unread = 0;
  entry.components = components_of(graph.attribute("_fx_graph_cache_debug_lines"), pool, unread);
  if (unread != 0) meta["unread_components"] = unread;
  entry.guard = graph.attribute("guards_expr").text();
  entry.code_key = graph.attribute("cache_key").text();
  entry.cost = graph.attribute("_time_taken_ns").integer().value_or(-1);
  entry.direction = direction_of(graph.attribute("fx_kwargs"));

  put_text(meta, "device_types", elements(graph.attribute("device_types")));
  put_text(meta, "device_idxs", elements(graph.attribute("device_idxs")));
  put_text(meta, "output_strides", graph.attribute("output_strides"));
  put_text(meta, "mutated_inputs", elements(graph.attribute("mutated_inputs")));
  put_text(meta, "extern_libs_key", graph.attribute("extern_libs_key"));
  put_text(meta, "disabled_cudagraphs_reason", graph.attribute("disabled_cudagraphs_reason"));
  put_text(meta, "compile_region_name", graph.attribute("compile_region_name"));
  if (const auto n = graph.attribute("constants").size(); n != 0) meta["constants"] = n;
  if (const auto n = graph.attribute("frozen_param_names").size(); n != 0) meta["frozen_parameters"] = n;
  if (const Value code = graph.attribute("source_code")) meta["source_code_bytes"] = code.text().size();
  put_kernels(meta, graph.attribute("_triton_bundle"));
}

/// Bytes that decode, and as an object; else the state and where.
std::int64_t judge(const Document& document, std::size_t size, const char* class_name, EntryRecord& entry) {
  if (const auto& problem = document.problem()) {
    entry.state = EntryState::damaged;
    entry.state_reason = fmt::format("{} (byte {} of {})", problem->what, problem->offset, size);
    return static_cast<std::int64_t>(problem->offset);
  }
  const Value root = document.root();
  if (root.kind() != Kind::call || root.name().find(class_name) == std::string_view::npos) {
    entry.state = EntryState::damaged;
    const auto& calls = document.callables();
    const bool hostile = std::any_of(calls.begin(), calls.end(), [](const auto& c) { return c.suspicious; });
    const std::string shown = root.display(60);
    entry.state_reason =
        hostile ? fmt::format("the pickle would run {} when loaded (nothing was run) and is no {}", shown, class_name)
                : fmt::format("the pickle holds {} and no {}", shown, class_name);
    return 0;
  }
  return -1;
}

}  // namespace

DecodedEntry decode_fx_entry(std::string_view bytes, ComponentPool& pool, EntryRecord& entry) {
  DecodedEntry out;
  const Document document = Document::parse(bytes);
  out.error_offset = judge(document, bytes.size(), "CompiledFxGraph", entry);
  Json meta = Json::object();
  fill_from_graph(document.root(), pool, entry, meta);
  put_suspicious(meta, document);
  entry.metadata_json = metadata_text(meta);
  return out;
}

DecodedEntry decode_aot_entry(std::string_view bytes, ComponentPool& pool, EntryRecord& entry) {
  DecodedEntry out;
  const Document document = Document::parse(bytes);
  out.error_offset = judge(document, bytes.size(), "AOTAutogradResult", entry);
  const Value root = document.root();
  Json meta = Json::object();
  const Value backward = root.attribute("compiled_bw");
  if (backward.is_none()) entry.direction = Direction::inference;
  entry.guard = root.attribute("guards_expr").text();
  const auto forward_time = root.attribute("forward_time_taken_ns").integer();
  const auto backward_time = root.attribute("backward_time_taken_ns").integer();
  if (forward_time || backward_time) entry.cost = forward_time.value_or(0) + backward_time.value_or(0);

  Json inner = Json::array();
  for (const char* part : {"compiled_fw", "compiled_bw"}) {
    const Value loadable = root.attribute(part);
    if (loadable.kind() != Kind::call) continue;
    const Value info = loadable.attribute("fx_graph_cache_info");
    if (const auto key = info.at(0).text(); !key.empty()) {
      entry.needs.emplace_back(key);
      Json one = {{"part", part}, {"key", std::string(key)}};
      put_text(one, "guard", loadable.attribute("fx_graph_guard_expr"), 4000);
      inner.push_back(std::move(one));
    }
    const Value graph = loadable.attribute("result");
    if (graph.kind() != Kind::call) continue;
    EntryRecord bundled;
    bundled.name = fmt::format("{}:{}", entry.name, part);
    bundled.path = entry.path;
    bundled.modified = entry.modified;
    bundled.state = entry.state;
    bundled.state_reason = entry.state_reason;
    Json bundled_meta = {{"bundled_in", entry.key}};
    fill_from_graph(graph, pool, bundled, bundled_meta);
    bundled.metadata_json = metadata_text(bundled_meta);
    inner.push_back({{"part", part}, {"key", bundled.key}, {"bundled", true}});
    if (!bundled.key.empty()) out.bundled.push_back(std::move(bundled));
  }
  if (!inner.empty()) meta["graphs"] = std::move(inner);
  put_text(meta, "compile_id", root.attribute("runtime_metadata").attribute("compile_id_str"));
  if (forward_time) meta["forward_time_ns"] = *forward_time;
  if (backward_time) meta["backward_time_ns"] = *backward_time;
  put_suspicious(meta, document);
  entry.metadata_json = metadata_text(meta);
  return out;
}

Result<EntryDetail> read_entry_detail(const std::string& path) {
  const FileBytes file = read_file_bytes(path, kMaxDetail);
  if (file.state == EntryState::vanished) return fail(ErrorKind::not_found, "there is no such file", path);
  if (file.state != EntryState::ok) return fail(ErrorKind::io, file.reason, path);
  if (file.too_large) return fail(ErrorKind::unsupported, fmt::format("larger than {} bytes", kMaxDetail), path);
  const Document document = Document::parse(file.bytes);
  EntryDetail out;
  const auto take = [&out](Value object, const std::string& prefix) {
    for (const char* name : {"source_code", "runnable_graph_str", "inductor_post_grad_graph_str",
                             "inductor_provenance_mapping_str", "inductor_provenance_stack_traces_str",
                             "aot_joint_graph_str", "aot_forward_graph_str", "aot_backward_graph_str"}) {
      if (const auto text = object.attribute(name).text(); !text.empty()) {
        out.texts.push_back({prefix + name, std::string(text)});
      }
    }
  };
  const Value root = document.root();
  take(root, "");
  for (const char* part : {"compiled_fw", "compiled_bw"}) {
    take(root.attribute(part).attribute("result"), std::string(part) + ".");
  }
  for (const auto& c : document.callables()) {
    if (c.how != pickle::CallKind::import) out.would_run.push_back(qualified(c.module, c.name));
    if (c.suspicious) out.suspicious.push_back(qualified(c.module, c.name));
  }
  out.tree = root.display(64 * 1024);
  if (const auto& problem = document.problem())
    out.problem = fmt::format("{} (byte {})", problem->what, problem->offset);
  return out;
}

}  // namespace keyhole
