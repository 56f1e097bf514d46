// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "keyhole/base/sink.h"

namespace keyhole {

/// Keeps what a reader hands over, merged as the contract of RecordSink says.
class CollectingSink : public RecordSink {
 public:
  struct Process {
    ProcessRecord record;
    std::vector<CompileRecord> compiles;  // one a CompileId, in the order of their first mention
    std::vector<SymbolRecord> symbols;
    std::vector<TextRecord> texts;
    std::vector<LookupRecord> lookups;  // one a (layer, key, ordinal), in the order of their first mention

    [[nodiscard]] std::vector<LookupRecord> of(Layer layer) const {
      std::vector<LookupRecord> found;
      for (const LookupRecord& lookup : lookups)
        if (lookup.layer == layer) found.push_back(lookup);
      return found;
    }
    [[nodiscard]] std::vector<TextRecord> of(TextKind kind) const {
      std::vector<TextRecord> found;
      for (const TextRecord& text : texts)
        if (text.kind == kind) found.push_back(text);
      return found;
    }
  };

  std::vector<Process> processes;
  std::vector<Problem> problems;
  std::vector<std::pair<SnapshotRecord, std::vector<EntryRecord>>> snapshots;
  int lookup_calls = 0, checkpoints = 0;

  /// Of the first snapshot.
  [[nodiscard]] const std::vector<EntryRecord>& entries() const { return snapshots.at(0).second; }
  /// In any snapshot; null: none.
  [[nodiscard]] const EntryRecord* find(Layer layer, std::string_view key) const {
    for (const auto& [snapshot, held] : snapshots)
      for (const EntryRecord& entry : held)
        if (entry.layer == layer && entry.key == key) return &entry;
    return nullptr;
  }

  ProcessId process(const ProcessRecord& record) override {
    const auto [at, added] = by_identity_.emplace(record.identity, processes.size());
    if (added) processes.emplace_back();
    ProcessRecord& known = processes[at->second].record;
    ProcessRecord merged = record;
    if (merged.host.empty()) merged.host = known.host;
    if (merged.pid < 0) merged.pid = known.pid;
    if (!merged.rank) merged.rank = known.rank;
    if (merged.start == kUnknownTime) merged.start = known.start;
    if (merged.cache_dir.empty()) merged.cache_dir = known.cache_dir;
    if (merged.versions_json.empty()) merged.versions_json = known.versions_json;
    known = merged;
    return static_cast<ProcessId>(at->second);
  }
  void compile(ProcessId process, const CompileRecord& record) override {
    for (CompileRecord& known : of(process).compiles) {
      if (known.id != record.id) continue;
      CompileRecord merged = record;
      if (merged.function.empty()) merged.function = known.function;
      if (merged.filename.empty()) merged.filename = known.filename;
      if (merged.line < 0) merged.line = known.line;
      if (merged.start < 0) merged.start = known.start;
      if (merged.total < 0) merged.total = known.total;
      if (merged.backend < 0) merged.backend = known.backend;
      if (merged.inductor < 0) merged.inductor = known.inductor;
      if (merged.recompile_reason.empty()) merged.recompile_reason = known.recompile_reason;
      if (merged.fail_reason.empty()) merged.fail_reason = known.fail_reason;
      merged.finished |= known.finished;
      known = merged;
      return;
    }
    of(process).compiles.push_back(record);
  }
  void symbol(ProcessId process, const SymbolRecord& record) override { of(process).symbols.push_back(record); }
  void text(ProcessId process, const TextRecord& record) override { of(process).texts.push_back(record); }
  void lookup(ProcessId process, const LookupRecord& record) override {
    ++lookup_calls;
    for (LookupRecord& known : of(process).lookups) {
      if (std::tie(known.layer, known.key, known.ordinal) != std::tie(record.layer, record.key, record.ordinal))
        continue;
      LookupRecord merged = record;
      if (merged.components.empty()) merged.components = known.components;
      if (merged.cost < 0) merged.cost = known.cost;
      if (merged.save_error.empty()) merged.save_error = known.save_error;
      known = merged;
      return;
    }
    of(process).lookups.push_back(record);
  }
  SnapshotId begin_snapshot(const SnapshotRecord& record) override {
    snapshots.emplace_back(record, std::vector<EntryRecord>());
    return static_cast<SnapshotId>(snapshots.size()) - 1;
  }
  void entry(SnapshotId snapshot, const EntryRecord& record) override {
    snapshots[static_cast<std::size_t>(snapshot)].second.push_back(record);
  }
  void problem(const Problem& problem) override { problems.push_back(problem); }
  void checkpoint() override { ++checkpoints; }

 private:
  Process& of(ProcessId process) { return processes[static_cast<std::size_t>(process)]; }
  std::map<std::string, std::size_t> by_identity_;
};

}  // namespace keyhole
