// SPDX-License-Identifier: Apache-2.0
// What record and import have in common: from a path to records in a store, with the problems kept to be listed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "keyhole/base/pool.h"
#include "keyhole/base/sink.h"
#include "keyhole/db/recorder.h"

namespace keyhole::cli {

class Spool;

/// Hands everything on to a recorder, keeps the problems, and counts what went through.
class Intake : public RecordSink {
 public:
  explicit Intake(Recorder& recorder) : recorder_(recorder) {}

  ProcessId process(const ProcessRecord& record) override;
  void compile(ProcessId process, const CompileRecord& record) override { recorder_.compile(process, record); }
  void symbol(ProcessId process, const SymbolRecord& record) override { recorder_.symbol(process, record); }
  void text(ProcessId process, const TextRecord& record) override { recorder_.text(process, record); }
  void lookup(ProcessId process, const LookupRecord& record) override;
  SnapshotId begin_snapshot(const SnapshotRecord& record) override;
  void entry(SnapshotId snapshot, const EntryRecord& record) override;
  void problem(const Problem& problem) override;
  void checkpoint() override { recorder_.checkpoint(); }

  struct Options {
    std::string location;  ///< a folder that is read is a copy of this one
    SnapshotMoment moment = SnapshotMoment::unknown;
    /// Bytes done and in all; false: stop.
    std::function<bool(std::int64_t, std::int64_t)> progress;
  };
  /// Reads whatever `path` is. What in it cannot be read becomes problems; an error only where it is nothing that we know,
  /// or is not there.
  Result<void> take(const std::string& path, const Options& options);

  [[nodiscard]] const std::vector<Problem>& problems() const { return problems_; }
  [[nodiscard]] std::int64_t lookups() const { return lookups_; }
  [[nodiscard]] std::int64_t entries() const { return entries_; }
  [[nodiscard]] std::int64_t snapshots() const { return snapshots_; }
  [[nodiscard]] ComponentPool& pool() { return pool_; }

 private:
  Recorder& recorder_;
  ComponentPool pool_;
  std::vector<Problem> problems_;
  std::int64_t lookups_ = 0, entries_ = 0, snapshots_ = 0;
};

/// At most `limit` problems, a line each on stderr, and how many more there are.
void list_problems(const std::vector<Problem>& problems, std::size_t limit = 20);

/// Takes in what recorders that were killed have left in the store. Costs one look at a folder where there is nothing.
void adopt_abandoned(const std::string& store);

std::string host_name();

}  // namespace keyhole::cli
