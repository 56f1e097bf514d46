// SPDX-License-Identifier: Apache-2.0
// What record and import have in common: from a path to records in a store, with the problems kept to be listed.
#pragma once

#include <string>
#include <vector>

#include "keyhole/base/pool.h"
#include "keyhole/base/sink.h"
#include "keyhole/db/recorder.h"
#include "keyhole/ingest/import.h"

namespace keyhole::cli {

/// Hands everything on to a recorder, and keeps the problems.
class Intake : public RecordSink {
 public:
  explicit Intake(Recorder& recorder) : recorder_(recorder) {}

  ProcessId process(const ProcessRecord& record) override { return recorder_.process(record); }
  void compile(ProcessId process, const CompileRecord& record) override { recorder_.compile(process, record); }
  void symbol(ProcessId process, const SymbolRecord& record) override { recorder_.symbol(process, record); }
  void text(ProcessId process, const TextRecord& record) override { recorder_.text(process, record); }
  void lookup(ProcessId process, const LookupRecord& record) override { recorder_.lookup(process, record); }
  SnapshotId begin_snapshot(const SnapshotRecord& record) override { return recorder_.begin_snapshot(record); }
  void entry(SnapshotId snapshot, const EntryRecord& record) override { recorder_.entry(snapshot, record); }
  void problem(const Problem& problem) override {
    problems_.push_back(problem);
    recorder_.problem(problem);
  }
  void checkpoint() override { recorder_.checkpoint(); }

  /// Reads whatever `path` is. What in it cannot be read becomes problems; an error only where it is nothing that we
  /// know, or is not there. A source that has not grown since it was taken in is not read again.
  Result<void> take(const std::string& path, ImportOptions options);

  [[nodiscard]] const std::vector<Problem>& problems() const { return problems_; }
  /// Of all that was taken.
  [[nodiscard]] const ImportSummary& total() const { return total_; }
  [[nodiscard]] ComponentPool& pool() { return pool_; }

 private:
  Recorder& recorder_;
  ComponentPool pool_;
  std::vector<Problem> problems_;
  ImportSummary total_;
};

/// At most `limit` problems, a line each on stderr, and how many more there are.
void list_problems(const std::vector<Problem>& problems, std::size_t limit = 20);

/// Takes in what recorders that were killed have left in the store. Costs one look at a folder where there is nothing.
void adopt_abandoned(const std::string& store);

/// For sources that a program may still write: one that ends within a record is no problem.
ImportOptions still_growing();

std::string host_name();

}  // namespace keyhole::cli
