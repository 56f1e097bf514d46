// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "component_reader.h"
#include "keyhole/base/sink.h"
#include "keyhole/ingest/trace.h"
#include "trace_header.h"

namespace keyhole {

/// A record of a trace, its header taken apart.
struct TraceRecord {
  std::uint64_t offset = 0;
  std::string_view kind;      ///< "artifact", "chromium_event", "dynamo_start", …
  std::string_view metadata;  ///< the JSON value of that key
  std::string_view payload;   ///< lines, each with its tab
  CompileId compile;
  LocalTime local;
};

/// What all processes of one file share.
struct TraceContext {
  TraceClock clock;
  ComponentReader components;
  RecordSink& sink;
  std::string path;
  std::unordered_map<std::int64_t, std::string> strings;  ///< of every process: a forked child inherits its parent's
  std::size_t string_bytes = 0;
  TraceSummary summary;

  void problem(std::uint64_t offset, std::string what, std::string hint);
};

/// One process of a trace: takes its records one by one and hands on what they say.
class TraceProcess {
 public:
  TraceProcess(TraceContext& context, ProcessRecord record);

  void take(const TraceRecord& record);
  void rank(int rank);
  /// The end of the trace: hands over what still waits.
  void finish();

 private:
  /// A graph compile of Inductor that looked nothing up.
  struct Unasked {
    Nanoseconds time = kUnknownTime, cost = -1;
    Direction direction = Direction::unknown;
  };
  /// What is known of one compile while it goes on, and a little after.
  struct Compile {
    Nanoseconds start = kUnknownTime;
    bool aot_traced = false;     // AOTAutograd made a graph here
    bool aot_asked = false;      // an AOTAutograd cache artifact was seen
    bool fx_asked = false;       // an FX cache artifact was seen
    bool inference = false;      // the AOT graph is one for inference
    bool inductor_code = false;  // Inductor wrote code
    int backward_depth = 0;      // within the backward's compiler
    Nanoseconds aot_traced_at = kUnknownTime, backward_start = kUnknownTime, fx_start = kUnknownTime;
    std::vector<Unasked> unasked;
    std::optional<LookupRecord> aot;  // the last AOTAutograd lookup
    bool aot_waiting = false;         // it was not handed over yet
    std::optional<LookupRecord> recompile;
    Nanoseconds inductor = -1;
  };
  /// Switches that decide whether caches are asked, as the compile's metrics print them.
  struct Switches {
    std::optional<bool> force_disable, fx_graph_cache, enable_autograd, bundled, caching_precompile;
    bool failed = false;  ///< the compile did not end well
  };

  void take_known(const TraceRecord& record);
  Compile& compile_of(const TraceRecord& record);
  Nanoseconds time_of(const TraceRecord& record) const { return context_.clock.utc(record.local); }
  Direction direction_here(const Compile& compile) const;
  void declare();
  void versions(std::string_view key, std::string_view json_value);
  void number(LookupRecord& lookup);  ///< gives it its ordinal: once, in the order of the file
  void hand_over(const LookupRecord& lookup) { context_.sink.lookup(id_, lookup); }
  void text(const TraceRecord& record, TextKind kind, std::string name = {});
  std::string file_named(std::int64_t id) const;

  void on_artifact(const TraceRecord& record);
  void on_chromium_event(const TraceRecord& record);
  void on_dynamo_start(const TraceRecord& record);
  void on_symbol(const TraceRecord& record);
  void on_guard(const TraceRecord& record);
  void on_string(const TraceRecord& record);
  void on_output_code(const TraceRecord& record);
  void on_metrics(const TraceRecord& record, bool backward);

  bool on_cache_artifact(const TraceRecord& record, std::string_view name);
  void on_fx_lookup(const TraceRecord& record, LookupRecord& lookup, Nanoseconds event_time);
  void on_aot_lookup(const TraceRecord& record, LookupRecord& lookup);
  void on_pickle_failure(const TraceRecord& record);
  void on_package_event(const TraceRecord& record, std::string_view name);
  void on_kernel_info(const TraceRecord& record);
  void on_recompile_reasons(const TraceRecord& record);
  void on_profile_event(const TraceRecord& record, std::string_view name, Nanoseconds time);
  void remote_lookups(const TraceRecord& record, std::string_view keys, Outcome outcome);
  void finish(Compile& compile);
  void close_aot(Compile& compile, Nanoseconds end);
  void close_caches_off(const TraceRecord& record, Compile& compile, const Switches& switches, bool backward);
  void bad_payload(const TraceRecord& record);

  TraceContext& context_;
  ProcessRecord record_;
  RecordSink::ProcessId id_ = -1;
  std::map<std::string, std::string, std::less<>> versions_;  // name → JSON value
  bool told_stateless_ = false;
  std::unordered_map<std::int64_t, std::string> strings_;
  std::map<CompileId, Compile> compiles_;
  std::map<CompileId, std::int64_t> resets_;                ///< how often an id began anew; absent: never
  std::unordered_map<std::size_t, std::int64_t> ordinals_;  // hash of layer and key → how often it was looked up
};

}  // namespace keyhole
