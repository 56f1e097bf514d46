// SPDX-License-Identifier: Apache-2.0
// `compilation_metrics` and `bwd_compilation_metrics` (torch/_dynamo/utils.py, CompilationMetrics): the end of a
// compile.
#include "trace_process.h"

namespace keyhole {
namespace {

Nanoseconds microseconds(JsonCursor& json) {
  const auto value = json.integer();
  return value && *value >= 0 && *value < 9'000'000'000'000'000 ? *value * 1000 : -1;
}

Nanoseconds seconds(JsonCursor& json) {
  const auto value = json.number();
  return value && *value >= 0 && *value < 9e9 ? static_cast<Nanoseconds>(*value * 1e6) * 1000 : -1;
}

/// The switches of a configuration that is printed as a JSON object within a JSON string.
template <class Take>
void members(std::string_view raw, Take take) {
  std::string text;
  JsonCursor::unescape(raw, text);
  JsonCursor json(text);
  if (json.peek() != '{' || !json.enter_object()) return;
  while (const auto key = json.next_key())
    if (!take(*key, json)) json.skip();
}

}  // namespace

void TraceProcess::on_metrics(const TraceRecord& record, bool backward) {
  CompileRecord ended;
  ended.id = record.compile;
  ended.finished = true;
  std::string fail_type, restarts;
  std::string_view inductor_config, dynamo_config, compiler_config, functorch_config, hit_keys, miss_keys;
  Nanoseconds inductor = -1;
  Nanoseconds start_s = kUnknownTime, total_s = -1, backend_s = -1;
  bool in_microseconds = false;  // PyTorch 2.5 has seconds alone
  const auto raw_text = [](JsonCursor& json) { return json.raw_string().value_or(std::string_view()); };

  JsonCursor json(record.metadata);
  json.enter_object();
  while (const auto key = json.next_key()) {
    if (*key == "compile_id") {
      const auto text = json.string();
      if (!ended.id.known() && text)
        if (const auto id = CompileId::parse(*text)) ended.id = *id;
    } else if (*key == "co_name")
      ended.function = json.string().value_or("");
    else if (*key == "co_filename")
      ended.filename = json.string().value_or("");
    else if (*key == "co_firstlineno")
      ended.line = json.integer().value_or(-1);
    else if (*key == "fail_type")
      fail_type = json.string().value_or("");
    else if (*key == "fail_reason")
      ended.fail_reason = json.string().value_or("");
    else if (*key == "recompile_reason")
      ended.recompile_reason = json.string().value_or("");
    else if (*key == "restart_reasons") {
      if (json.enter_array())
        while (json.next_element()) restarts += (restarts.empty() ? "" : "; ") + json.string().value_or("");
    } else if (*key == "start_time_us") {
      ended.start = microseconds(json);
      in_microseconds = true;
    } else if (*key == "start_time")
      start_s = seconds(json);
    else if (*key == "entire_frame_compile_time_s")
      total_s = seconds(json);
    else if (*key == "backend_compile_time_s")
      backend_s = seconds(json);
    else if (*key == "duration_us")
      ended.total = microseconds(json);
    else if (*key == "aot_autograd_cumulative_compile_time_us")
      ended.backend = microseconds(json);
    else if (*key == "inductor_cumulative_compile_time_us")
      inductor = microseconds(json);
    else if (*key == "inductor_config")
      inductor_config = raw_text(json);
    else if (*key == "dynamo_config")
      dynamo_config = raw_text(json);
    else if (*key == "compiler_config")
      compiler_config = raw_text(json);
    else if (*key == "functorch_config")
      functorch_config = raw_text(json);
    else if (*key == "inductor_fx_remote_cache_hit_keys")
      hit_keys = raw_text(json);
    else if (*key == "inductor_fx_remote_cache_miss_keys")
      miss_keys = raw_text(json);
    else if (*key == "python_version")
      versions("python", json.raw());
    else if (*key == "cuda_version")
      versions("cuda", json.raw());
    else if (*key == "triton_version")
      versions("triton", json.raw());
    else
      json.skip();
  }
  if (!json.ok()) return bad_payload(record);

  if (!in_microseconds) {
    ended.start = start_s;
    ended.total = total_s;
    ended.backend = backend_s;
  }
  if (ended.fail_reason.empty())
    ended.fail_reason = fail_type;
  else if (!fail_type.empty())
    ended.fail_reason = fail_type + ": " + ended.fail_reason;
  Compile& compile = compile_of(record);
  if (inductor >= 0) compile.inductor = (compile.inductor < 0 ? 0 : compile.inductor) + inductor;
  ended.inductor = compile.inductor;
  if (backward) {  // the times of the frame are the forward's
    ended.start = kUnknownTime;
    ended.total = ended.backend = -1;
  } else {
    close_aot(compile, time_of(record));
    if (!compile.recompile && record.compile.frame_compile > 0 && record.compile.compiled_autograd < 0) {
      LookupRecord lookup;
      lookup.layer = Layer::dynamo;
      lookup.compile = record.compile;
      lookup.status = "recompile";
      lookup.reason = ended.recompile_reason;
      lookup.time = ended.start != kUnknownTime ? ended.start : compile.start;
      number(lookup);
      compile.recompile = std::move(lookup);
    }
    if (compile.recompile) {
      compile.recompile->cost = ended.total;
      hand_over(*compile.recompile);
      ended.recompile_reason = compile.recompile->reason;
      compile.recompile.reset();
    }
  }
  context_.sink.compile(id_, ended);
  if (const auto attempt = record.compile.attempt % kAttemptsPerReset;
      !backward && attempt > 0) {  // what dynamo_start announced was given up for this attempt
    CompileRecord given_up;
    given_up.id = ended.id;
    given_up.id.attempt -= attempt;
    given_up.fail_reason = "started over: " + restarts;
    given_up.finished = true;
    context_.sink.compile(id_, given_up);
  }

  if (!backward)
    for (const auto& [raw, kind] :
         {std::pair{inductor_config, TextKind::inductor_config}, std::pair{dynamo_config, TextKind::dynamo_config}}) {
      if (raw.empty()) continue;
      TextRecord config;
      config.compile = record.compile;
      config.kind = kind;
      JsonCursor::unescape(raw, config.text);
      context_.sink.text(id_, config);
    }
  remote_lookups(record, hit_keys, Outcome::hit);
  remote_lookups(record, miss_keys, Outcome::miss);

  const bool aot_silent = compile.aot_traced && !compile.aot_asked;
  const bool fx_silent = !compile.unasked.empty() || (compile.inductor_code && !compile.fx_asked);
  if (!aot_silent && !fx_silent) return;
  Switches switches;
  members(compiler_config, [&](std::string_view key, JsonCursor& value) {
    return key == "force_disable_caches" ? (switches.force_disable = value.boolean(), true) : false;
  });
  members(inductor_config, [&](std::string_view key, JsonCursor& value) {
    if (key == "fx_graph_cache") return switches.fx_graph_cache = value.boolean(), true;
    if (key == "force_disable_caches" && !switches.force_disable) return switches.force_disable = value.boolean(), true;
    return false;
  });
  members(functorch_config, [&](std::string_view key, JsonCursor& value) {
    if (key == "enable_autograd_cache") return switches.enable_autograd = value.boolean(), true;
    if (key == "bundled_autograd_cache") return switches.bundled = value.boolean(), true;
    return false;
  });
  members(dynamo_config, [&](std::string_view key, JsonCursor& value) {
    return key == "caching_precompile" ? (switches.caching_precompile = value.boolean(), true) : false;
  });
  switches.failed = !ended.fail_reason.empty();
  close_caches_off(record, compile, switches, backward);
}

void TraceProcess::close_caches_off(const TraceRecord& record, Compile& compile, const Switches& switches,
                                    bool backward) {
  const auto off = [&](Layer layer, std::string reason, const Unasked& unasked) {
    LookupRecord lookup;
    lookup.layer = layer;
    lookup.compile = record.compile;
    lookup.outcome = Outcome::bypass;
    lookup.status = "disabled";
    lookup.reason = std::move(reason);
    lookup.cache_off = true;
    lookup.time = unasked.time;
    lookup.cost = unasked.cost;
    lookup.direction = unasked.direction;
    number(lookup);
    hand_over(lookup);
  };
  const std::string forced = "torch.compiler.config.force_disable_caches is True";
  const bool inductor = compile.inductor_code || compile.fx_asked || !compile.unasked.empty();
  // AOTAutograd is also used without its cache (other backends): a row only where a switch says so.
  if (!backward && compile.aot_traced && !compile.aot_asked && inductor && record.compile.compiled_autograd < 0) {
    const Unasked here{compile.aot_traced_at, -1, Direction::unknown};
    if (switches.force_disable == true)
      off(Layer::aot_autograd, forced, here);
    else if (switches.enable_autograd == false)
      off(Layer::aot_autograd, "torch._functorch.config.enable_autograd_cache is False", here);
    compile.aot_asked = true;
  }
  // A bundled AOTAutograd entry holds the compiled graphs itself: Inductor's own cache is left alone on purpose.
  const bool bundled = switches.bundled == true || switches.caching_precompile == true;
  if (compile.unasked.empty() && compile.inductor_code && !compile.fx_asked)
    compile.unasked.push_back({compile.start, compile.inductor, direction_here(compile)});
  for (const Unasked& unasked : compile.unasked) {
    if (switches.force_disable == true)
      off(Layer::fx_graph, forced, unasked);
    else if (bundled)
      break;
    else if (switches.fx_graph_cache == false)
      off(Layer::fx_graph, "torch._inductor.config.fx_graph_cache is False and no remote cache is on", unasked);
    else if (!switches.failed)  // else the lookup's own record, written behind the compile, may be what is missing
      off(Layer::fx_graph,
          "Inductor compiled the graph without asking its cache; the recorded configuration names no "
          "switch (ahead-of-time mode, or a device whose backend cannot be cached)",
          unasked);
  }
  compile.unasked.clear();
  compile.fx_asked = true;
}

void TraceProcess::remote_lookups(const TraceRecord& record, std::string_view keys, Outcome outcome) {
  while (!keys.empty()) {
    const std::size_t comma = std::min(keys.find(','), keys.size());
    LookupRecord lookup;
    lookup.layer = Layer::remote;
    lookup.compile = record.compile;
    lookup.key = keys.substr(0, comma);
    lookup.outcome = outcome;
    lookup.status = outcome == Outcome::hit ? "hit" : "miss";
    lookup.time = time_of(record);
    if (!lookup.key.empty()) {
      number(lookup);
      hand_over(lookup);
    }
    keys.remove_prefix(std::min(comma + 1, keys.size()));
  }
}

}  // namespace keyhole
