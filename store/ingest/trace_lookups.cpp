// SPDX-License-Identifier: Apache-2.0
// What the records of a trace say of cache lookups.
#include <cmath>

#include "trace_process.h"

namespace keyhole {
namespace {

std::optional<Nanoseconds> milliseconds(JsonCursor& json) {
  const auto value = json.number();
  if (!value || !(std::fabs(*value) < 1e12)) return std::nullopt;
  return static_cast<Nanoseconds>(*value * 1e6);
}

Outcome outcome_of(std::string_view state) {
  if (state == "hit") return Outcome::hit;
  if (state == "miss") return Outcome::miss;
  return Outcome::bypass;
}

/// The layer and the state that an artifact's name tells: "aotautograd_cache_miss". PyTorch 2.4 to 2.6 called it
/// "fx_graph_cache_hash" and "aotautograd_cache_hash" and told the state within, from 2.5 on.
struct ArtifactName {
  Layer layer;
  std::string_view state;
};
std::optional<ArtifactName> cache_artifact(std::string_view name) {
  const std::size_t at = name.rfind("_cache_");
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view state = name.substr(at + 7), what = name.substr(0, at);
  if (state != "hit" && state != "miss" && state != "bypass" && state != "disabled" && state != "hash")
    return std::nullopt;
  if (what.find("autograd") != std::string_view::npos) return ArtifactName{Layer::aot_autograd, state};
  if (what.find("fx_graph") != std::string_view::npos) return ArtifactName{Layer::fx_graph, state};
  if (what.find("autotune") != std::string_view::npos) return ArtifactName{Layer::autotune, state};
  if (what.find("triton") != std::string_view::npos) return ArtifactName{Layer::triton, state};
  if (what == "dynamo" || what == "precompile") return ArtifactName{Layer::dynamo, state};
  return std::nullopt;
}

/// A reason that names no error ("Failed to pickle cache key") with the one that began the traceback.
std::string with_error(std::string reason, std::string_view traceback) {
  for (std::size_t at = 0; at < traceback.size();) {
    const std::size_t end = std::min(traceback.find('\n', at), traceback.size());
    const std::string_view line = traceback.substr(at, end - at);
    at = end + 1;
    if (line.empty() || line.front() == ' ' || line.rfind("Traceback ", 0) == 0) continue;
    const std::size_t colon = line.find(": ");
    const std::string_view message = colon == std::string_view::npos ? line : line.substr(colon + 2);
    if (reason.find(message) != std::string::npos || message.find(reason) != std::string_view::npos) return reason;
    const bool subclass = traceback.find("_reduce_tensor_subclass") != std::string_view::npos;
    return reason + (subclass ? " (a tensor subclass): " : ": ") + std::string(line.substr(0, 400));
  }
  return reason;
}

}  // namespace

void TraceProcess::number(LookupRecord& lookup) {
  std::string name(1, static_cast<char>(lookup.layer));
  lookup.ordinal = ordinals_[std::hash<std::string>{}(name += lookup.key)]++;
  ++context_.summary.lookups;
}

bool TraceProcess::on_cache_artifact(const TraceRecord& record, std::string_view name) {
  if (name == "aotautograd_cache_pickle_failure") {
    on_pickle_failure(record);
    return true;
  }
  const auto known = cache_artifact(name);
  if (known && known->layer == Layer::dynamo) {
    on_package_event(record, name);
    return true;
  }
  if (name == "dynamo_cache_exception") {
    on_package_event(record, name);
    return true;
  }
  if (!known) return false;

  LookupRecord lookup;
  lookup.layer = known->layer;
  lookup.compile = record.compile;
  std::string_view state = known->state;
  std::string exception;
  ReadComponents components;
  Nanoseconds event_time = kUnknownTime;
  std::optional<std::string> traceback;

  JsonCursor json(record.payload);
  json.enter_object();
  while (const auto key = json.next_key()) {
    if (*key == "key")
      lookup.key = json.string().value_or("");
    else if (*key == "components")
      components = context_.components.read(json);
    else if (*key == "cache_state")
      state = json.raw_string().value_or(state);
    else if (*key == "cache_status_detailed")
      lookup.status = json.string().value_or("");
    else if (*key == "cache_status_guard_expr")
      lookup.guard = json.string().value_or("");
    else if (*key == "cache_bypass_reason")
      lookup.reason = json.string().value_or("");
    else if (*key == "cache_bypass_exception_type")
      exception = json.string().value_or("");
    else if (*key == "cache_event_time")
      event_time = json.integer().value_or(kUnknownTime);
    else if (*key == "time_taken_ns")
      lookup.cost = json.integer().value_or(-1);
    else if (*key == "time_saved_ns")
      lookup.saved = json.integer().value_or(-1);
    else if (*key == "time_saved_ms")
      lookup.saved = milliseconds(json).value_or(-1);
    else if (*key == "cache_bypass_traceback") {
      traceback.emplace();
      if (json.enter_array())
        while (json.next_element()) *traceback += json.string().value_or("") + "\n";
    } else
      json.skip();
  }
  if (!json.ok()) return bad_payload(record), true;
  if (components.malformed > 0)
    context_.problem(record.offset, std::to_string(components.malformed) + " components are no debug lines",
                     "the other components of the key are kept");

  if (state == "hash") {
    if (!told_stateless_)
      context_.problem(record.offset, "this PyTorch does not record whether its cache hit", "PyTorch 2.5 and later do");
    told_stateless_ = true;
    return true;
  }
  lookup.outcome = outcome_of(state);
  if (lookup.outcome == Outcome::miss && lookup.status == "guard_miss") lookup.outcome = Outcome::guard_miss;
  if (lookup.status.empty()) lookup.status = name.find("bundled") != std::string_view::npos ? "bundled_hit" : state;
  if (lookup.reason.empty()) lookup.reason = std::move(exception);
  if (traceback) lookup.reason = with_error(std::move(lookup.reason), *traceback);
  lookup.components = std::move(components.list);
  lookup.direction = components.direction;
  lookup.time = time_of(record);
  if (traceback && !traceback->empty()) {
    TextRecord text;
    text.compile = record.compile;
    text.kind = TextKind::traceback;
    text.text = std::move(*traceback);
    context_.sink.text(id_, text);
  }
  if (lookup.layer == Layer::fx_graph) {
    on_fx_lookup(record, lookup, event_time);
  } else if (lookup.layer == Layer::aot_autograd) {
    on_aot_lookup(record, lookup);
  } else {
    number(lookup);
    hand_over(lookup);
  }
  return true;
}

void TraceProcess::on_fx_lookup(const TraceRecord& record, LookupRecord& lookup, Nanoseconds event_time) {
  Compile& compile = compile_of(record);
  compile.fx_asked = true;
  if (lookup.direction == Direction::unknown) lookup.direction = direction_here(compile);
  const Nanoseconds written = lookup.time;
  if (event_time != kUnknownTime) {
    lookup.time = event_time;
    if (compile.fx_start != kUnknownTime && event_time >= compile.fx_start && lookup.outcome != Outcome::bypass)
      lookup.duration = event_time - compile.fx_start;
    // A bypass is written when its graph has been compiled.
    if (lookup.outcome == Outcome::bypass && written > event_time) lookup.cost = written - event_time;
  }
  compile.fx_start = kUnknownTime;
  number(lookup);
  hand_over(lookup);
}

void TraceProcess::on_aot_lookup(const TraceRecord& record, LookupRecord& lookup) {
  Compile& compile = compile_of(record);
  compile.aot_asked = true;
  close_aot(compile, lookup.time);  // several graphs of one frame (DDP): the earlier one is compiled by now
  number(lookup);
  compile.aot = std::move(lookup);
  compile.aot_waiting = true;
  if (compile.aot->outcome == Outcome::hit) close_aot(compile, kUnknownTime);
}

void TraceProcess::on_pickle_failure(const TraceRecord& record) {
  std::string error, field;
  JsonCursor json(record.payload);
  if (json.enter_object())
    while (const auto key = json.next_key()) {
      if (*key == "error")
        error = json.string().value_or("");
      else if (*key == "field")
        field = json.string().value_or("");
      else
        json.skip();
    }
  if (!json.ok()) return bad_payload(record);
  Compile& compile = compile_of(record);
  if (!compile.aot) return;
  compile.aot->save_error = field.empty() ? error : error + " (field " + field + ")";
  if (!compile.aot_waiting) hand_over(*compile.aot);
}

/// Records of precompilation (torch/_dynamo/package.py, precompile_context.py, output_graph.py).
void TraceProcess::on_package_event(const TraceRecord& record, std::string_view name) {
  LookupRecord lookup;
  lookup.layer = Layer::dynamo;
  lookup.compile = record.compile;
  lookup.outcome = name == "dynamo_cache_exception" ? Outcome::error : Outcome::bypass;
  lookup.status = name;
  lookup.time = time_of(record);
  JsonCursor json(record.payload);
  if (json.enter_object())
    while (const auto key = json.next_key()) {
      if (*key == "key")
        lookup.key = json.string().value_or("");
      else if (*key == "error" || *key == "_reason" || *key == "reason")
        lookup.reason = json.string().value_or("");
      else if (*key == "missing_backend")
        lookup.reason = "backend " + json.string().value_or("") + " is missing";
      else
        json.skip();
    }
  if (!json.ok()) return bad_payload(record);
  number(lookup);
  hand_over(lookup);
}

/// `triton_kernel_info`: kernel name → what check_autotune_cache (torch/_inductor/runtime/triton_heuristics.py) found.
void TraceProcess::on_kernel_info(const TraceRecord& record) {
  JsonCursor json(record.payload);
  if (!json.enter_object()) return bad_payload(record);
  while (const auto kernel = json.next_key()) {
    LookupRecord lookup;
    lookup.layer = Layer::autotune;
    lookup.compile = record.compile;
    lookup.time = time_of(record);
    JsonCursor::unescape(*kernel, lookup.key);
    if (!json.enter_object()) continue;
    while (const auto key = json.next_key()) {
      if (*key == "autotune_cache_state")
        lookup.status = json.string().value_or("");
      else
        json.skip();
    }
    if (lookup.status == "hit")
      lookup.outcome = Outcome::hit;
    else if (lookup.status == "miss")
      lookup.outcome = Outcome::miss;
    else if (lookup.status == "force_disabled") {
      lookup.outcome = Outcome::bypass;
      lookup.cache_off = true;
      lookup.reason = "the autotune cache is switched off by force_disable_caches";
    } else {
      continue;  // a single configuration: nothing was looked up
    }
    number(lookup);
    hand_over(lookup);
  }
  if (!json.ok()) bad_payload(record);
}

void TraceProcess::on_recompile_reasons(const TraceRecord& record) {
  // One reason is written as it is, several as a JSON array (torch/_dynamo/guards.py).
  std::string payload(record.payload.substr(0, record.payload.size()));
  std::string reason;
  JsonCursor json(payload);
  if (json.peek() == '[' && json.enter_array()) {
    while (json.next_element()) {
      if (!reason.empty()) reason += '\n';
      reason += json.string().value_or("");
    }
  } else {
    for (std::size_t at = 0; at < payload.size();) {
      if (payload[at] == '\t') ++at;
      const std::size_t newline = payload.find('\n', at);
      const std::size_t stop = newline == std::string::npos ? payload.size() : newline + 1;
      reason.append(payload, at, stop - at);
      at = stop;
    }
  }
  if (reason.empty()) return;
  text(record, TextKind::recompile_reasons);
  LookupRecord lookup;
  lookup.layer = Layer::dynamo;
  lookup.compile = record.compile;
  lookup.outcome = Outcome::miss;
  lookup.status = "recompile";
  lookup.reason = std::move(reason);
  lookup.time = time_of(record);
  Compile& compile = compile_of(record);
  if (compile.recompile) hand_over(*compile.recompile);
  number(lookup);
  compile.recompile = std::move(lookup);
}

/// PGO writes its lookups only as events (torch/_dynamo/pgo.py): the local one where its file exists, the remote
/// always.
void TraceProcess::on_profile_event(const TraceRecord& record, std::string_view name, Nanoseconds time) {
  LookupRecord lookup;
  bool found = false;
  JsonCursor json(record.payload);
  if (!json.enter_object()) return;
  while (const auto key = json.next_key()) {
    if (*key != "args" || !json.enter_object()) {
      if (*key != "args") json.skip();
      continue;
    }
    while (const auto argument = json.next_key()) {
      if (*argument == "cache_key")
        lookup.key = json.string().value_or("");
      else if (*argument == "cache_size_bytes")
        found = json.integer().has_value();
      else
        json.skip();
    }
  }
  if (!json.ok() || lookup.key.empty()) return;
  const bool remote = name.find("remote") != std::string_view::npos;
  if (!remote && !found) return;
  lookup.layer = remote ? Layer::remote : Layer::dynamo;
  lookup.compile = record.compile;
  lookup.outcome = found ? Outcome::hit : Outcome::miss;
  lookup.status = found ? "pgo_hit" : "pgo_miss";
  lookup.time = time;
  number(lookup);
  hand_over(lookup);
}

}  // namespace keyhole
