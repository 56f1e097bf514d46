// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "keyhole/base/sink.h"

namespace keyhole {

/// A sink that keeps everything, as it came.
class Collector : public RecordSink {
 public:
  ProcessId process(const ProcessRecord& record) override {
    const auto [it, fresh] = ids_.try_emplace(record.identity, static_cast<ProcessId>(processes.size()));
    if (fresh) processes.push_back(record);
    return it->second;
  }
  void compile(ProcessId p, const CompileRecord& record) override { compiles.emplace_back(p, record); }
  void symbol(ProcessId p, const SymbolRecord& record) override { symbols.emplace_back(p, record); }
  void text(ProcessId p, const TextRecord& record) override { texts.emplace_back(p, record); }
  void lookup(ProcessId p, const LookupRecord& record) override { lookups.emplace_back(p, record); }
  SnapshotId begin_snapshot(const SnapshotRecord& record) override {
    snapshots.push_back(record);
    return static_cast<SnapshotId>(snapshots.size()) - 1;
  }
  void entry(SnapshotId s, const EntryRecord& record) override { entries.emplace_back(s, record); }
  void problem(const Problem& problem) override { problems.push_back(problem); }

  [[nodiscard]] const EntryRecord* find(Layer layer, std::string_view key) const {
    for (const auto& [snapshot, e] : entries) {
      if (e.layer == layer && e.key == key) return &e;
    }
    return nullptr;
  }

  std::vector<ProcessRecord> processes;
  std::vector<std::pair<ProcessId, CompileRecord>> compiles;
  std::vector<std::pair<ProcessId, SymbolRecord>> symbols;
  std::vector<std::pair<ProcessId, TextRecord>> texts;
  std::vector<std::pair<ProcessId, LookupRecord>> lookups;
  std::vector<SnapshotRecord> snapshots;
  std::vector<std::pair<SnapshotId, EntryRecord>> entries;
  std::vector<Problem> problems;

 private:
  std::map<std::string, ProcessId> ids_;
};

}  // namespace keyhole
