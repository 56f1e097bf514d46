// SPDX-License-Identifier: Apache-2.0
// What the window asks of a store. Every call runs on a thread of the Session, never on the one that draws.
#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "inspector/core/filter.h"
#include "inspector/core/timeline.h"
#include "keyhole/base/error.h"
#include "keyhole/base/pool.h"
#include "keyhole/explain/explain.h"

namespace keyhole::inspector {

/// Tells long work whether anybody still waits for it.
class Ticket {
 public:
  Ticket() = default;
  Ticket(std::shared_ptr<const std::atomic<std::uint64_t>> latest, std::uint64_t mine)
      : latest_(std::move(latest)), mine_(mine) {}
  [[nodiscard]] bool stale() const { return latest_ && latest_->load(std::memory_order_relaxed) != mine_; }

 private:
  std::shared_ptr<const std::atomic<std::uint64_t>> latest_;
  std::uint64_t mine_ = 0;
};

enum class LookupColumn { time, outcome, layer, compile, run, rank, function, key, cost, saved, duration, reason };
inline constexpr int kLookupColumns = int(LookupColumn::reason) + 1;

struct LookupQuery {
  FilterNode filter;
  LookupColumn sort = LookupColumn::time;
  bool descending = true;
};

enum class EntryColumn { layer, key, file, state, size, modified, cost, direction, guard, location };
inline constexpr int kEntryColumns = int(EntryColumn::location) + 1;

struct EntryQuery {
  FilterNode filter;
  EntryColumn sort = EntryColumn::modified;
  bool descending = true;
};

using LayerCounts = std::array<std::int64_t, kOutcomes>;  ///< index: outcome - 1

/// Figures over the lookups that pass a filter.
struct Overview {
  struct LayerRow {
    Layer layer = Layer::fx_graph;
    LayerCounts counts{};
    double lost = 0, saved = 0;  ///< seconds
  };
  struct Bucket {
    Nanoseconds begin = 0;
    std::array<LayerCounts, 9> counts{};  ///< index: layer; 0 unused
  };
  std::vector<LayerRow> layers;  ///< those that occur
  LayerCounts total{};
  double lost = 0;  ///< a miss of an inner layer within one of an outer counts once
  double saved = 0;
  Nanoseconds bucket_width = 0;
  std::vector<Bucket> buckets;      ///< of the lookups with a time, in its order; runs that lie far apart leave no gap
  std::vector<RunRow> runs;         ///< newest first; the newest ones where they are many
  std::vector<double> lost_by_run;  ///< beside runs
  std::int64_t all_runs = 0;        ///< how many hold a lookup that passes
  /// How far the reading came, the newest lookups first. Until it is complete, ask again: each question reads on.
  std::int64_t read = 0, whole = 0;
  [[nodiscard]] bool complete() const { return read >= whole; }
};

/// How many rows a query has; while the counting goes on, how many at least.
struct RowCount {
  std::int64_t rows = 0;
  bool complete = true;  ///< false: ask again, each question counts on
};

/// What part of time a timeline is asked for.
struct TimeSpan {
  Nanoseconds begin = 0, end = 0;
};

/// Misses of one cause.
struct CauseCost {
  Cause cause;
  Verdict verdict = Verdict::unknown;
  std::string summary;
  std::int64_t misses = 0;
  double seconds = 0;
  std::vector<RowId> lookups;  ///< the costliest first
};

struct ComponentShare {
  ComponentPtr component = nullptr;
  std::int64_t shared_by = -1;  ///< other keys that hold the same value; -1: not counted
  std::int64_t values = -1;     ///< how many values this component has had in the store; -1: not counted
};

/// The components of a key. `pool` owns them.
struct KeyBreakdown {
  std::shared_ptr<ComponentPool> pool;
  LookupRow lookup;
  std::vector<ComponentShare> components;  ///< in the order of the key
  std::int64_t keys = 0;                   ///< how many keys of the layer were compared for shared_by
};

struct KeyDifference {
  std::shared_ptr<ComponentPool> pool;
  LookupRow before, after;
  std::vector<ComponentChange> changes;
};

struct EntryFile {
  std::string path;
  std::int64_t size = -1;  ///< -1: not known
};

struct EntryDetails {
  EntryRow entry;
  std::optional<SnapshotRow> snapshot;  ///< absent: it is of the store's own cache
  Nanoseconds last_use = kUnknownTime;  ///< of the store's own cache, with `hits`
  std::int64_t hits = 0;
  std::vector<LookupRow> users;   ///< lookups of its key, newest first
  std::vector<TextRecord> texts;  ///< of the compile that made or used it: graphs, code
  // Of the file itself, where it still lies where it was seen. Nothing in it is executed.
  std::vector<std::pair<std::string, std::string>> own_texts;  ///< title, text
  std::vector<std::string> would_run;                          ///< callables that loading it as a pickle would call
  std::vector<std::string> suspicious;                         ///< those of them that have no business in a cache entry
  std::string tree;                                            ///< the whole value as Python would print it
  std::string file_note;         ///< why there is nothing of the file; empty: it was read, or it is no pickle
  std::vector<EntryFile> files;  ///< of its bundle, and what it needs
};

/// One run of a compiler through `keyhole cc`.
struct CompileJob {
  LookupRow row;
  std::string source;    ///< as the command names it; empty: not recorded
  std::string compiler;  ///< path of its driver; empty: not recorded

  [[nodiscard]] bool failed() const { return row.record.status == "compile_failed"; }
  /// As it is shown: a compile that failed is an error, whatever the lookup was.
  [[nodiscard]] Outcome outcome() const { return failed() ? Outcome::error : row.record.outcome; }
};

struct CompileJobDetails {
  CompileJob job;
  std::shared_ptr<ComponentPool> pool;
  std::vector<ComponentPtr>
      components;       ///< "source", "option[-O2]", "toolchain[cc1plus]", "include[/usr/include/x.h]", …
  std::string command;  ///< as it was typed; where the store does not hold the result: put together from the parts
  bool exact_command = false;
  std::string out, err;  ///< what the compiler said, replayed on a hit
  bool stored = false;   ///< the result is in the store
};

/// How often each component of a layer's keys changes.
struct Changing {
  struct Row {
    std::string component;
    std::int64_t changes = 0;   ///< between two lookups of the same compile
    std::int64_t values = 0;    ///< different ones that were seen
    std::string before, after;  ///< of the newest change
    RowId lookup = 0;           ///< the newest one that it changed in
  };
  std::vector<Row> rows;      ///< the most often changing first
  std::int64_t compared = 0;  ///< pairs of lookups
  std::int64_t lookups = 0;   ///< the newest ones of the layer, which these pairs are of
};

struct CompileTexts {
  std::vector<TextRecord> texts;
  std::vector<SymbolRecord> symbols;
};

class Source {
 public:
  virtual ~Source() = default;

  /// Changes when another process has written to the store. Costs a writer nothing.
  virtual Result<std::int64_t> version() = 0;

  /// A newer store is read as far as this program knows it: says so, in one line. Empty: nothing to say.
  virtual std::string version_note() = 0;

  /// Work that lasts looks at `ticket` and ends early, with any answer, once nobody waits for it.
  virtual void work_for(const Ticket& ticket) = 0;

  /// Where a lookup stands in the result of a query in the order of time; absent: it is not in it, has no time, or only
  /// walking all rows would tell.
  virtual Result<std::optional<std::int64_t>> position(const LookupQuery& query, RowId lookup) = 0;
  virtual Result<RowCount> count(const LookupQuery& query, const Ticket& ticket) = 0;
  /// Rows `first` … of the result of a query; fewer at its end.
  virtual Result<std::vector<LookupRow>> rows(const LookupQuery& query, std::int64_t first, std::size_t limit) = 0;
  /// Every event where they are few enough to hold; else the lanes of the newest runs (see Timeline::is_part) as seen
  /// within `window`, absent: all of time.
  virtual Result<TimelinePtr> timeline(const FilterNode& filter, bool aligned, std::optional<TimeSpan> window,
                                       const Ticket& ticket) = 0;
  virtual Result<Overview> overview(const FilterNode& filter, const Ticket& ticket) = 0;
  /// Causes of the misses that pass the filter, the most expensive first; of the newest `limit` misses.
  virtual Result<std::vector<CauseCost>> causes(const FilterNode& filter, std::size_t limit, const Ticket& ticket) = 0;

  virtual Result<std::vector<RunRow>> newest_runs(std::size_t limit) = 0;  ///< the order of time
  virtual Result<std::optional<RunRow>> run_named(const std::string& name) = 0;
  virtual Result<std::optional<LookupRow>> lookup(RowId id) = 0;
  virtual Result<RowId> last_lookup() = 0;  ///< the highest id; 0: there is none
  virtual Result<std::vector<LookupRow>> with_key_prefix(const std::string& prefix, std::size_t limit) = 0;
  virtual Result<Explanation> explanation(RowId lookup, std::optional<RowId> against) = 0;
  virtual Result<KeyBreakdown> breakdown(RowId lookup, const Ticket& ticket) = 0;
  virtual Result<Changing> changing(Layer layer, const Ticket& ticket) = 0;
  virtual Result<KeyDifference> difference(RowId before, RowId after) = 0;
  virtual Result<CompileTexts> texts(RowId lookup) = 0;

  /// Compiles of layers `cuda` and `code` by `keyhole cc`, the newest first.
  virtual Result<std::vector<CompileJob>> compile_jobs(std::size_t limit, const Ticket& ticket) = 0;
  virtual Result<CompileJobDetails> compile_job(RowId lookup) = 0;

  virtual Result<RowCount> count_entries(const EntryQuery& query, const Ticket& ticket) = 0;
  virtual Result<std::vector<EntryRow>> entries(const EntryQuery& query, std::int64_t first, std::size_t limit) = 0;
  /// `location`: of its row.
  virtual Result<EntryDetails> entry(RowId id, RowId location) = 0;
  virtual Result<std::vector<Problem>> problems(RowId run) = 0;
};

/// Opens a store, read-only. The errors of Reader::open.
Result<std::unique_ptr<Source>> open_store(const std::string& folder);
/// Where `keyhole` records unless told otherwise.
QString default_store_folder();

}  // namespace keyhole::inspector
