// SPDX-License-Identifier: Apache-2.0
#include "trace_process.h"

#include <array>
#include <charconv>

namespace keyhole {
namespace {

constexpr std::size_t kMaxCompiles = 16 * 1024;                 // of which the state is kept, for each process
constexpr std::size_t kMaxStrings = 64 * std::size_t{1} << 20;  // file names and the like; real traces hold some KiB

std::string without_tabs(std::string_view payload) {
  std::string text;
  text.reserve(payload.size());
  std::size_t at = 0;
  while (at < payload.size()) {
    if (payload[at] == '\t') ++at;
    const std::size_t newline = payload.find('\n', at);
    const std::size_t stop = newline == std::string_view::npos ? payload.size() : newline + 1;
    text.append(payload, at, stop - at);
    at = stop;
  }
  return text;
}

/// A time in microseconds as Python prints the float: to the nanosecond, which a double does not hold.
Nanoseconds event_time(std::string_view text) {
  Nanoseconds whole = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, whole);
  if (error != std::errc{} || whole < 0 || whole > 9'000'000'000'000'000) return kUnknownTime;
  Nanoseconds time = whole * 1000;
  if (stop == end || *stop != '.') return stop == end ? time : kUnknownTime;
  Nanoseconds scale = 100;
  for (const char* digit = stop + 1; digit != end && *digit >= '0' && *digit <= '9' && scale > 0; ++digit, scale /= 10)
    time += (*digit - '0') * scale;
  return time;
}

std::string joined(const std::map<std::string, std::string, std::less<>>& members) {
  std::string json = "{";
  for (const auto& [name, value] : members) {
    if (json.size() > 1) json += ", ";
    json += '"' + name + "\": " + value;
  }
  return json + "}";
}

/// `<folder>/<xy>/c<xy>….py` lies in the cache folder `<folder>` (torch/_inductor/codecache.py, get_path).
std::string cache_folder_of(std::string_view path) {
  const std::size_t name_at = path.rfind('/');
  if (name_at == std::string_view::npos || name_at < 4) return {};
  const std::string_view name = path.substr(name_at + 1);
  const std::size_t part_at = path.rfind('/', name_at - 1);
  if (part_at == std::string_view::npos || part_at == 0) return {};
  const std::string_view part = path.substr(part_at + 1, name_at - part_at - 1);
  if (part.size() != 2 || name.size() < 3 || name.substr(1, 2) != part) return {};
  return std::string(path.substr(0, part_at));
}

struct TextName {
  std::string_view name;
  TextKind kind;
};
constexpr std::array kTextRecords{
    TextName{"dynamo_output_graph", TextKind::dynamo_graph},
    TextName{"aot_joint_graph", TextKind::aot_joint_graph},
    TextName{"aot_forward_graph", TextKind::aot_forward_graph},
    TextName{"aot_backward_graph", TextKind::aot_backward_graph},
    TextName{"aot_inference_graph", TextKind::aot_inference_graph},
    TextName{"inductor_post_grad_graph", TextKind::post_grad_graph},
    TextName{"dynamo_cpp_guards_str", TextKind::dynamo_guards},
};
constexpr std::array kTextArtifacts{
    TextName{"after_pre_grad_graph", TextKind::pre_grad_graph},
    TextName{"inductor_post_grad_graph", TextKind::post_grad_graph},
    TextName{"torch._functorch.config", TextKind::functorch_config},
};

}  // namespace

void TraceContext::problem(std::uint64_t offset, std::string what, std::string hint) {
  ++summary.problems;
  sink.problem({path, static_cast<std::int64_t>(offset), std::move(what), std::move(hint)});
}

TraceProcess::TraceProcess(TraceContext& context, ProcessRecord record)
    : context_(context), record_(std::move(record)) {
  declare();
}

void TraceProcess::declare() {
  record_.versions_json = versions_.empty() ? std::string() : joined(versions_);
  id_ = context_.sink.process(record_);
}

void TraceProcess::rank(int rank) {
  if (record_.rank == rank) return;
  record_.rank = rank;
  declare();
}

void TraceProcess::versions(std::string_view key, std::string_view json_value) {
  if (json_value.empty() || json_value == "null" || json_value == "\"\"") return;
  auto [at, added] = versions_.emplace(key, json_value);
  if (!added && at->second == json_value) return;
  at->second = json_value;
  declare();
}

TraceProcess::Compile& TraceProcess::compile_of(const TraceRecord& record) {
  CompileId id = record.compile;
  id.attempt = 0;  // a compile that starts over goes on with what it learned
  if (compiles_.size() >= kMaxCompiles && !compiles_.contains(id)) {
    finish(compiles_.begin()->second);
    compiles_.erase(compiles_.begin());
  }
  return compiles_[id];
}

void TraceProcess::take(const TraceRecord& record) {
  CompileId id = record.compile;
  id.attempt = 0;
  if (record.kind == "dynamo_start") {
    const auto earlier = compiles_.find(id);
    if (earlier != compiles_.end() && earlier->second.start != kUnknownTime) ++resets_[id];
  }
  const auto resets = resets_.empty() ? resets_.end() : resets_.find(id);
  if (resets == resets_.end()) return take_known(record);
  TraceRecord later = record;
  later.compile.attempt += resets->second * kAttemptsPerReset;
  take_known(later);
}

void TraceProcess::take_known(const TraceRecord& record) {
  const std::string_view kind = record.kind;
  if (kind == "chromium_event") return on_chromium_event(record);
  if (kind == "artifact") return on_artifact(record);
  if (kind == "str") return on_string(record);
  if (kind == "dynamo_start") return on_dynamo_start(record);
  if (kind == "create_symbol") return on_symbol(record);
  if (kind == "guard_added" || kind == "guard_added_fast") return on_guard(record);
  if (kind == "inductor_output_code") return on_output_code(record);
  if (kind == "compilation_metrics") return on_metrics(record, false);
  if (kind == "bwd_compilation_metrics") return on_metrics(record, true);
  for (const TextName& known : kTextRecords) {
    if (kind != known.name) continue;
    text(record, known.kind);
    const bool inference = known.kind == TextKind::aot_inference_graph;
    if (inference || known.kind == TextKind::aot_joint_graph || known.kind == TextKind::aot_forward_graph) {
      Compile& compile = compile_of(record);
      compile.aot_traced = true;
      compile.inference = inference;
      if (compile.aot_traced_at == kUnknownTime) compile.aot_traced_at = time_of(record);
    }
    return;
  }
}

void TraceProcess::text(const TraceRecord& record, TextKind kind, std::string name) {
  TextRecord text;
  text.compile = record.compile;
  text.kind = kind;
  text.name = std::move(name);
  text.text = without_tabs(record.payload);
  context_.sink.text(id_, text);
}

void TraceProcess::bad_payload(const TraceRecord& record) {
  context_.problem(record.offset, "the content of a record (" + std::string(record.kind) + ") is no whole JSON",
                   "the trace was cut or mixed here; the record is left out");
}

void TraceProcess::on_string(const TraceRecord& record) {
  JsonCursor json(record.metadata);
  if (!json.enter_array() || !json.next_element()) return;
  auto text = json.string();
  if (!text || !json.next_element()) return;
  const auto id = json.integer();
  if (!id) return;
  context_.string_bytes += 2 * text->size();
  if (context_.string_bytes > kMaxStrings) return;
  context_.strings[*id] = *text;
  strings_[*id] = std::move(*text);
}

std::string TraceProcess::file_named(std::int64_t id) const {
  if (const auto own = strings_.find(id); own != strings_.end()) return own->second;
  const auto inherited = context_.strings.find(id);
  return inherited != context_.strings.end() ? inherited->second : std::string();
}

namespace {

struct Frame {
  std::int64_t line = -1, file = -1;
  std::string function, code, file_name;
};

/// The innermost frame of a stack as torch/_logging/structured.py prints it: the last of the array.
Frame last_frame(JsonCursor& json) {
  Frame frame;
  if (!json.enter_array()) return frame;
  while (json.next_element()) {
    if (!json.enter_object()) continue;
    frame = Frame();
    while (const auto key = json.next_key()) {
      if (*key == "line")
        frame.line = json.integer().value_or(-1);
      else if (*key == "name")
        frame.function = json.string().value_or("");
      else if (*key == "loc")
        frame.code = json.string().value_or("");
      else if (*key == "filename" && json.peek() == '"')
        frame.file_name = json.string().value_or("");
      else if (*key == "filename")
        frame.file = json.integer().value_or(-1);
      else
        json.skip();
    }
  }
  return frame;
}

}  // namespace

void TraceProcess::on_dynamo_start(const TraceRecord& record) {
  CompileId id = record.compile;
  id.attempt = 0;
  // torch._dynamo.reset() lets the compile ids begin anew: what is left of the earlier compile is closed.
  std::optional<LookupRecord> recompile;
  if (const auto earlier = compiles_.find(id); earlier != compiles_.end()) {
    recompile = std::move(earlier->second.recompile);
    earlier->second.recompile.reset();
    close_aot(earlier->second, kUnknownTime);
    compiles_.erase(earlier);
  }
  Compile& compile = compile_of(record);
  compile.recompile = std::move(recompile);  // its reasons are written just before the start
  compile.start = time_of(record);

  JsonCursor json(record.metadata);
  CompileRecord started;
  started.id = record.compile;
  started.start = compile.start;
  if (!json.enter_object()) return;
  while (const auto key = json.next_key()) {
    if (*key != "stack") {
      json.skip();
      continue;
    }
    Frame frame = last_frame(json);
    started.function = std::move(frame.function);
    started.filename = frame.file_name.empty() ? file_named(frame.file) : std::move(frame.file_name);
    started.line = frame.line;
  }
  context_.sink.compile(id_, started);
}

void TraceProcess::on_symbol(const TraceRecord& record) {
  JsonCursor json(record.metadata);
  SymbolRecord symbol;
  symbol.compile = record.compile;
  if (!json.enter_object()) return;
  while (const auto key = json.next_key()) {
    if (*key == "symbol")
      symbol.symbol = json.string().value_or("");
    else if (*key == "val")
      symbol.value = json.string().value_or("");
    else if (*key == "source")
      symbol.source = json.string().value_or("");
    else if (*key == "user_stack") {
      Frame frame = last_frame(json);
      symbol.user_file = frame.file_name.empty() ? file_named(frame.file) : std::move(frame.file_name);
      symbol.user_line = frame.line;
      symbol.user_code = std::move(frame.code);
    } else
      json.skip();
  }
  if (!symbol.symbol.empty()) context_.sink.symbol(id_, symbol);
}

/// A condition on sizes and the line of the program that asked for it: a text of kind dynamo_guards with the line for
/// its name ("train.py:12: if n > 4:"). Those of Inductor have no such line and are left out: there are thousands, and
/// what they ask does not come from the program.
void TraceProcess::on_guard(const TraceRecord& record) {
  TextRecord guard;
  guard.compile = record.compile;
  guard.kind = TextKind::dynamo_guards;
  JsonCursor json(record.metadata);
  if (!json.enter_object()) return;
  while (const auto key = json.next_key()) {
    if (*key == "expr") {
      guard.text = json.string().value_or("");
    } else if (*key == "user_stack") {
      const Frame frame = last_frame(json);
      if (frame.line < 0) return;
      const std::string file = frame.file_name.empty() ? file_named(frame.file) : frame.file_name;
      guard.name = file.substr(file.find_last_of('/') + 1) + ':' + std::to_string(frame.line);
      if (!frame.code.empty()) guard.name += ": " + frame.code;
    } else {
      json.skip();
    }
    if (!guard.text.empty() && !guard.name.empty()) break;
  }
  if (!guard.text.empty() && !guard.name.empty()) context_.sink.text(id_, guard);
}

void TraceProcess::on_output_code(const TraceRecord& record) {
  std::string path;
  JsonCursor json(record.metadata);
  if (json.enter_object())
    while (const auto key = json.next_key()) {
      if (*key == "file_path" || (*key == "filename" && path.empty())) {
        if (auto value = json.string()) path = std::move(*value);
      } else {
        json.skip();
      }
    }
  compile_of(record).inductor_code = true;
  if (std::string folder = cache_folder_of(path); !folder.empty() && folder != record_.cache_dir) {
    record_.cache_dir = std::move(folder);
    declare();
  }
  text(record, TextKind::output_code, std::move(path));
}

void TraceProcess::on_artifact(const TraceRecord& record) {
  std::string_view name;
  JsonCursor json(record.metadata);
  if (json.enter_object())
    while (const auto key = json.next_key()) {
      if (*key == "name")
        name = json.raw_string().value_or(std::string_view());
      else
        json.skip();
    }
  for (const TextName& known : kTextArtifacts)
    if (name == known.name) return text(record, known.kind);
  if (name == "recompile_reasons") return on_recompile_reasons(record);
  if (name == "triton_kernel_info") return on_kernel_info(record);
  if (name == "torch_version") {
    JsonCursor payload(record.payload);
    if (!payload.enter_object()) return;
    while (const auto key = payload.next_key()) {
      if (*key == "pytorch_version")
        versions("torch", payload.raw());
      else if (*key == "commit")
        versions("torch_commit", payload.raw());
      else
        payload.skip();
    }
    return;
  }
  on_cache_artifact(record, name);
}

Direction TraceProcess::direction_here(const Compile& compile) const {
  if (compile.backward_depth > 0) return Direction::backward;
  if (!compile.aot_traced) return Direction::unknown;
  return compile.inference ? Direction::inference : Direction::forward;
}

void TraceProcess::on_chromium_event(const TraceRecord& record) {
  // The event is {"name", "ts", "args", "ph", …}; args can be large and repeat what the artifacts hold.
  JsonCursor json(record.payload);
  if (!json.enter_object()) return;
  std::string_view name;
  Nanoseconds time = kUnknownTime;
  for (int i = 0; i < 2; ++i) {
    const auto key = json.next_key();
    if (!key) break;
    if (*key == "name")
      name = json.raw_string().value_or(std::string_view());
    else if (*key == "ts")
      time = event_time(json.raw());
    else
      json.skip();
  }
  if (name.empty() || time == kUnknownTime) return;
  const std::string_view tail = record.payload.substr(record.payload.size() > 240 ? record.payload.size() - 240 : 0);
  const std::size_t phase_at = tail.rfind("\"ph\": \"");
  if (phase_at == std::string_view::npos || phase_at + 7 >= tail.size()) return;
  const char phase = tail[phase_at + 7];

  // Events of phase i carry the time of what they tell about, often long before the record.
  const bool begin = phase == 'B', end = phase == 'E';
  if ((begin || end) && (!context_.clock.calibrated() || name == "dynamo"))
    context_.clock.calibrate(record.local, time);
  if (record_.start == kUnknownTime && begin) {
    record_.start = time;
    declare();
  }
  if (name == "backend_compile") {
    if (end) close_aot(compile_of(record), time);
  } else if (name.ends_with("bw_compiler") || name == "entire_backward_compile") {
    Compile& compile = compile_of(record);
    compile.backward_depth = std::max(0, compile.backward_depth + (begin ? 1 : -1));
    if (name != "entire_backward_compile") return;
    if (begin) compile.backward_start = time;
    if (end && compile.aot && compile.aot->outcome != Outcome::hit && compile.aot->cost >= 0 &&
        compile.backward_start != kUnknownTime && time > compile.backward_start) {
      compile.aot->cost += time - compile.backward_start;
      hand_over(*compile.aot);
    }
  } else if (name == "create_aot_dispatcher_function") {
    if (begin) compile_of(record).aot_traced_at = time;
  } else if (name.starts_with("fx_graph_cache_")) {
    Compile& compile = compile_of(record);
    compile.fx_start = time;
    if (name == "fx_graph_cache_disabled")
      compile.unasked.push_back({time, time_of(record) - time, direction_here(compile)});
  } else if (end && name.starts_with("pgo.get_")) {
    on_profile_event(record, name, time);
  }
}

void TraceProcess::close_aot(Compile& compile, Nanoseconds end) {
  if (!compile.aot || !compile.aot_waiting) return;
  compile.aot_waiting = false;
  if (end != kUnknownTime && compile.aot->time != kUnknownTime && end > compile.aot->time)
    compile.aot->cost = end - compile.aot->time;
  hand_over(*compile.aot);
  compile.aot->components.clear();
  compile.aot->components.shrink_to_fit();
}

void TraceProcess::finish(Compile& compile) {
  close_aot(compile, kUnknownTime);
  if (compile.recompile) hand_over(*compile.recompile);
  compile.recompile.reset();
}

void TraceProcess::finish() {
  for (auto& [id, compile] : compiles_) finish(compile);
}

}  // namespace keyhole
