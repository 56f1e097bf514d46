// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "keyhole/base/error.h"
#include "keyhole/base/pool.h"
#include "keyhole/base/sink.h"

namespace keyhole {

struct TraceOptions {
  std::string host = {};                           ///< where the processes ran; empty: not known (a trace does not say)
  std::size_t max_record = std::size_t{64} << 20;  ///< larger records are passed over and reported
  /// The program still runs, or was ended by force: a last record that is cut is no problem worth a report.
  bool growing = false;
  /// Bytes of the file taken and its size (-1: not known), about every MiB; false ends the reading early.
  std::function<bool(std::int64_t taken, std::int64_t size)> progress = {};
};

struct TraceSummary {
  std::string identity = {};  ///< of the source (keyhole/ingest/source.h)
  std::uint64_t bytes = 0;    ///< of content read (decompressed)
  std::uint64_t records = 0;  ///< records of the trace
  std::uint64_t lookups = 0;  ///< lookups handed to the sink, each counted once
  std::uint64_t processes = 0;
  std::uint64_t problems = 0;
};

/// Reads a structured trace of PyTorch (a file that TORCH_TRACE makes: torch/_logging/_internal.py,
/// `trace_structured`), plain or compressed, from several processes perhaps, and hands what concerns caches to a sink:
/// processes, compiles, symbols, graphs and other texts, and the lookups. May be asked while the file still grows.
///
/// A process is known by the SHA-256 of the first KiB of the content and its pid. So reading a file again, grown or
/// not, compressed or not, gives the same identities and ordinals.
///
/// What is made of the trace:
/// - fx_graph, aot_autograd: each `fx_graph_cache_*`, `aotautograd_cache_*` artifact; and, where a finished compile
/// went
///   through Inductor without one because the cache was off, a bypass with `cache_off` that names the switch.
/// - dynamo: a miss for each recompile, with the guards that failed; precompile records; hits of the PGO profile
///   (status "pgo_hit", key = the profile's name).
/// - autotune: the state of each Triton kernel's autotune cache (key = kernel name). remote: what the metrics list.
/// `LookupRecord::cost` of a miss or bypass: for fx_graph the producer's own time_taken_ns, else from lookup to record;
/// for aot_autograd from the lookup to the end of its backend compile, and the backward's compile once that is seen
/// (then the record comes a second time, with the same ordinal, without components).
class TraceReader {
 public:
  /// `pool` and `sink` must outlive the reader. Errors: not_found, io, bad_input.
  static Result<std::unique_ptr<TraceReader>> open(const std::string& path, TraceOptions options, ComponentPool& pool,
                                                   RecordSink& sink);
  ~TraceReader();
  TraceReader(const TraceReader&) = delete;
  TraceReader& operator=(const TraceReader&) = delete;

  /// Takes in every record that is whole by now; the last one waits until another begins behind it. Gives the number of
  /// records taken. bad_input: this is no trace.
  Result<std::uint64_t> poll();

  /// Polls, takes the last record too, and hands over what waited for the end of its compile. Call it once.
  Result<TraceSummary> finish();

 private:
  struct State;
  explicit TraceReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Opens, reads to the end, finishes.
Result<TraceSummary> read_trace(const std::string& path, const TraceOptions& options, ComponentPool& pool,
                                RecordSink& sink);

/// Whether the first bytes of a (decompressed) file are those of a structured trace.
bool looks_like_trace(std::string_view head);

}  // namespace keyhole
