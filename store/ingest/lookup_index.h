// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "keyhole/base/sink.h"

namespace keyhole {

/// A lookup as its process's trace told it, for what a log says of it beside.
struct KnownLookup {
  Layer layer = Layer::fx_graph;
  Outcome outcome = Outcome::miss;
  CompileId compile;
  std::string key;
  std::int64_t ordinal = 0;
  Nanoseconds time = kUnknownTime;
};

struct KnownProcess {
  ProcessRecord record;
  RecordSink::ProcessId id = 0;
  std::string folder;  ///< of the source that told it
  Nanoseconds first = kUnknownTime, last = kUnknownTime;
  std::vector<KnownLookup> lookups;  ///< in the order in which they came
  [[nodiscard]] const KnownLookup* find(Layer layer, std::string_view key, std::int64_t ordinal) const;
  std::unordered_map<std::string, std::size_t> by_key;  ///< "<layer>/<key>/<ordinal>" to position
};

/// Passes everything on and remembers processes and their lookups, so that logs that are read later, in the same
/// import, add to the same rows.
class LookupIndex : public RecordSink {
 public:
  explicit LookupIndex(RecordSink& sink) : sink_(sink) {}

  /// What is told from now on stands in this folder.
  void begin_source(std::string folder) { folder_ = std::move(folder); }

  /// The one process that a log's lines of `pid` come from: known from a trace in the same folder, or else anywhere,
  /// within a minute of that time. Negative `pid`: the log does not tell it, the folder decides. Null: none, or more
  /// than one.
  [[nodiscard]] const KnownProcess* match(std::int64_t pid, std::optional<int> rank, Nanoseconds time,
                                          const std::string& folder) const;

  ProcessId process(const ProcessRecord& record) override;
  void compile(ProcessId process, const CompileRecord& record) override;
  void symbol(ProcessId process, const SymbolRecord& record) override { sink_.symbol(process, record); }
  void text(ProcessId process, const TextRecord& record) override { sink_.text(process, record); }
  void lookup(ProcessId process, const LookupRecord& record) override;
  SnapshotId begin_snapshot(const SnapshotRecord& record) override { return sink_.begin_snapshot(record); }
  void entry(SnapshotId snapshot, const EntryRecord& record) override { sink_.entry(snapshot, record); }
  void problem(const Problem& problem) override { sink_.problem(problem); }
  void checkpoint() override { sink_.checkpoint(); }

 private:
  RecordSink& sink_;
  std::string folder_;
  std::map<ProcessId, KnownProcess> processes_;
};

}  // namespace keyhole
