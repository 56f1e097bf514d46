// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <map>
#include <set>
#include <unordered_set>

#include "intern.h"
#include "keyhole/db/recorder.h"

namespace keyhole {

/// The columns of a row that later records may set; all integers, texts by their ids. nullopt: unset.
template <std::size_t N>
using Cells = std::array<std::optional<std::int64_t>, N>;

class RecorderImpl final : public Recorder {
 public:
  explicit RecorderImpl(Db db) : db_(std::move(db)), intern_(db_) {}
  ~RecorderImpl() override;

  Result<RowId> begin_run(const RunRecord& run) override;
  Result<void> update_run(const RunRecord& run) override;
  Result<void> commit() override;
  Result<void> status() const override { return db_.status(); }
  std::int64_t source_taken(std::string_view identity) override;
  void note_source(std::string_view identity, std::int64_t size) override;

  ProcessId process(const ProcessRecord& record) override;
  void compile(ProcessId process, const CompileRecord& record) override;
  void symbol(ProcessId process, const SymbolRecord& record) override;
  void text(ProcessId process, const TextRecord& record) override;
  void lookup(ProcessId process, const LookupRecord& record) override;
  SnapshotId begin_snapshot(const SnapshotRecord& record) override;
  void entry(SnapshotId snapshot, const EntryRecord& record) override;
  void problem(const Problem& problem) override;
  void checkpoint() override { flush(); }

 private:
  struct CompileState {
    std::int64_t id = 0;
    std::int64_t function = 0, filename = 0;  // text ids
    std::int64_t subject = 0;                 // of the trail: the text "file:function"; 0: not known yet
    std::set<std::pair<Layer, std::int64_t>> sets;
  };
  struct RunDelta {
    std::int64_t lookups = 0, hits = 0, misses = 0, bypasses = 0;
    Nanoseconds earliest = kUnknownTime;
    void count(Outcome outcome, std::int64_t by);
    void saw(Nanoseconds time);
  };
  struct OpenSnapshot {
    std::int64_t id = 0, location = 0;
    bool ended = true;
    std::unordered_set<std::int64_t> seen;
  };
  /// Scope of one record: begins a batch where there is none, ends it when its time is over.
  class Batch {
   public:
    explicit Batch(RecorderImpl& r) : r_(r) { r_.begin_batch(); }
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;
    ~Batch() { r_.end_batch(); }

   private:
    RecorderImpl& r_;
  };

  void begin_batch();
  void end_batch();
  void flush();
  void write_run(RowId id, const RunRecord& run);
  RowId present_run();
  std::int64_t find_process(const ProcessRecord& record);
  CompileState& compile_state(ProcessId process, const CompileId& id);
  void blaze_trail(CompileState& state);
  void note_trail(std::int64_t subject, Layer layer, std::int64_t set);
  std::int64_t entry_row(const EntryRecord& record);
  void end_snapshot();

  std::optional<std::int64_t> text_cell(std::string_view text);
  std::optional<std::int64_t> volatile_cell(std::string_view text);

  Db db_;
  Interner intern_;
  RowId run_ = 0;
  std::int64_t batch_began_ = 0, data_version_ = -1, generation_ = -1;
  std::map<ProcessId, RowId> run_of_process_;
  std::map<RowId, RunDelta> deltas_;
  std::map<std::pair<ProcessId, CompileId>, CompileState> compiles_;
  std::set<std::array<std::int64_t, 3>> trail_;
  OpenSnapshot snapshot_;
};

/// Fills what `fresh` leaves unset from the row that `q` stands on, columns `from` on. Whether the row must change.
template <std::size_t N>
bool merge_cells(Cells<N>& fresh, const Query& q, int from) {
  bool changed = false;
  for (std::size_t i = 0; i < N; ++i) {
    const auto old = q.maybe(from + static_cast<int>(i));
    if (!fresh[i]) fresh[i] = old;
    changed = changed || fresh[i] != old;
  }
  return changed;
}

template <std::size_t N>
void bind_cells(Query& q, const Cells<N>& cells) {
  for (const auto& cell : cells) q.bind(cell);
}

inline std::optional<std::int64_t> known(std::int64_t v) {
  return v == -1 ? std::nullopt : std::optional(v);
}
inline std::optional<std::int64_t> nonzero(std::int64_t v) {
  return v == 0 ? std::nullopt : std::optional(v);
}

}  // namespace keyhole
