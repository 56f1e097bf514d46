// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "keyhole/base/error.h"
#include "keyhole/base/pool.h"
#include "keyhole/db/rows.h"

namespace keyhole {

enum class Field : std::uint8_t;
struct CachedEntryFiles;
struct EntryPlace;
struct EntryQuery;
struct Filter;
struct LookupPage;
struct LookupPoint;
struct LookupQuery;
struct ProcessPlace;
struct SearchHit;
struct Tally;

/// Reads a store. Own read-only connection; no transaction is held between calls, so a writer is never kept waiting.
/// One thread at a time. Lists come in the order of time unless said otherwise; an empty list means: nothing recorded.
class Reader {
 public:
  /// `store`: the folder. not_found where there is none; unsupported where it is newer than this program.
  static Result<Reader> open(const std::string& store);
  /// With the entries of cache.db beside those of the snapshots, where it is there and readable. In a connection of its
  /// own: damage there must not cost the history.
  static Result<Reader> open_with_cache(const std::string& store);
  Reader(Reader&&) noexcept;
  Reader& operator=(Reader&&) noexcept;
  ~Reader();

  /// Where the store is newer than this program and read as far as known: a line that says so. Empty: nothing to say.
  [[nodiscard]] std::string version_note();
  /// For a program that keeps several of these open for hours: maps no file into memory, sorts in files.
  void save_memory();
  /// `stop` is asked every few thousand steps of a query; where it says true the call fails with `io` ("interrupted").
  /// Empty: nothing is asked.
  void stop_when(std::function<bool()> stop);

  Result<std::vector<RunRow>> runs();                          ///< the order of time
  Result<std::vector<RunRow>> newest_runs(std::size_t limit);  ///< the order of time: the last ones of runs()
  Result<std::vector<RunRow>> runs_by_id(
      const std::vector<RowId>& ids);  ///< the order of time; unknown ids are left out
  Result<std::optional<RunRow>> run_named(std::string_view name);
  Result<std::optional<RunRow>> last_run();
  Result<std::vector<ProcessRow>> processes(RowId run);

  Result<std::optional<LookupRow>> lookup(RowId id);
  Result<std::vector<LookupRow>> lookups_of_run(RowId run, RowId after = 0, std::size_t limit = 1'000'000);
  Result<std::vector<LookupRow>> lookups_of_process(RowId process);
  /// All layers of one compile of one process, in the order of time.
  Result<std::vector<LookupRow>> lookups_of_compile(RowId process, const CompileId& compile);
  /// Keys that begin with `prefix` (at least 4 characters), newest lookup of each; at most `limit`.
  Result<std::vector<LookupRow>> lookups_with_key_prefix(std::string_view prefix, std::size_t limit);
  /// Lookups of exactly this key that are earlier than lookup `before` (0: all), newest first.
  Result<std::vector<LookupRow>> lookups_with_key(Layer layer, std::string_view key, RowId before, std::size_t limit);
  /// Earlier lookups that may serve as a baseline of `subject`: the same layer, another key, components recorded, at
  /// most one a component set. The union of: the same graph text or digest (component `gm`), the same function, the
  /// same compile id, the same run, the newest; each up to `limit_each`, in no order. Bounded whatever the size of the
  /// store.
  Result<std::vector<LookupRow>> baseline_candidates(const LookupRow& subject, std::size_t limit_each);

  Result<std::optional<CompileRow>> compile(RowId process, const CompileId& id);
  Result<std::vector<CompileRow>> compiles(RowId run, std::size_t limit);  ///< in the order of recording
  Result<std::vector<SymbolRecord>> symbols(RowId process, const CompileId& id);
  Result<std::vector<TextRecord>> texts(RowId process, const CompileId& id, std::optional<TextKind> kind = {});

  /// Components of a set in the order of the key. Pointers live as long as `pool`.
  Result<std::vector<ComponentPtr>> components(RowId set, ComponentPool& pool);
  /// What differs between two sets, in the order of `after`; groups with equal digests are not expanded.
  Result<std::vector<ComponentChange>> difference(RowId before, RowId after, ComponentPool& pool);

  /// Entries that any snapshot holds under a key, newest snapshot first.
  Result<std::vector<EntryRow>> entries_with_key(Layer layer, std::string_view key);
  /// The last time that an entry of this key was thrown out of the store's own cache; absent: never.
  Result<std::optional<TombstoneRow>> tombstone(Layer layer, std::string_view key);
  Result<std::vector<SnapshotRow>> snapshots();
  Result<std::vector<EntryRow>> entries_of_snapshot(RowId snapshot);
  Result<std::vector<Problem>> problems(RowId run);

  // keyhole/db/query.h: filtered, sorted, paged. usage where a field is compared with a value of the wrong type.
  Result<LookupPage> page(const LookupQuery& query);
  Result<std::int64_t> count(const Filter& filter);
  /// What the lookups that pass `filter` sum up to, by each value of `by`; the most lookups first, at most `limit`.
  Result<std::vector<Tally>> tally(Field by, const Filter& filter, std::size_t limit = 1000);
  /// The ids of page(query), which takes no longer than their order does.
  Result<std::vector<RowId>> ids(const LookupQuery& query);
  /// In the order of `ids`; those that are gone are left out.
  Result<std::vector<LookupRow>> lookups(const std::vector<RowId>& ids);
  /// The highest id of a lookup; 0: there is none.
  Result<RowId> last_lookup();
  /// Lookups that pass `filter` with `first` <= id <= `last`, the highest id first.
  Result<std::vector<LookupPoint>> points(const Filter& filter, RowId first, RowId last);
  /// Lookups that pass `filter` with `begin` <= time < `end`, the latest first, at most `limit`.
  Result<std::vector<LookupPoint>> points_between(const Filter& filter, Nanoseconds begin, Nanoseconds end,
                                                  std::size_t limit);
  /// Processes with an id above `after`, by id.
  Result<std::vector<ProcessPlace>> process_places(RowId after);
  // Lists of entries; of a reader that was opened with the cache, also of cache.db.
  Result<std::vector<EntryPlace>> entry_places(const EntryQuery& query);
  Result<std::int64_t> count_entries(const Filter& filter);
  /// In the order of `places`; those that are gone are left out.
  Result<std::vector<EntryRow>> entries(const std::vector<EntryPlace>& places);
  Result<std::optional<SnapshotRow>> snapshot(RowId id);  ///< without its count of entries
  /// `entry`: as in EntryPlace, negative.
  Result<CachedEntryFiles> cached_files(RowId entry);
  /// Where `word` stands (without regard to ASCII case) in keys, components, texts, entries and runs; at most `limit`.
  Result<std::vector<SearchHit>> search(std::string_view word, std::size_t limit);

 private:
  struct Impl;
  class Call;
  explicit Reader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace keyhole
