// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <functional>
#include <unordered_map>

#include "encoding.h"
#include "intern.h"
#include "keyhole/db/reader.h"
#include "keyhole/db/sqlite.h"

namespace keyhole {

// One list of columns for every query that gives lookups, so that lookup_row() can count on their places.
#define LOOKUP_SELECT                                                                                          \
  "SELECT l.id, p.run, l.process, l.compile, l.component_set, r.name, coalesce(r.position, r.id), p.rank, "    \
  "p.cache_dir, "                                                                                              \
  "c.function, c.filename, c.line, l.layer, c.frame, c.frame_compile, c.attempt, c.compiled_autograd, l.key, " \
  "l.ordinal, "                                                                                                \
  "l.outcome, l.status, l.direction, l.time, l.duration, l.cost, l.saved, l.guard, l.reason, l.cache_off, "    \
  "l.load_error, "                                                                                             \
  "l.save_error "
#define LOOKUP_JOINS \
  "JOIN process p ON p.id = l.process JOIN run r ON r.id = p.run LEFT JOIN compile c ON c.id = l.compile "
#define LOOKUP_FROM LOOKUP_SELECT "FROM lookup l " LOOKUP_JOINS

struct Reader::Impl {
  explicit Impl(Db opened) : db(std::move(opened)) {}

  /// The text of an id; empty for 0 or a missing row. The reference lives until forget_texts().
  const std::string& text(std::int64_t id);
  std::string text_cell(const Query& q, int column) { return q.null(column) ? std::string() : text(q.integer(column)); }
  std::string key_name(std::int64_t id);
  /// Errors of the call before are forgotten, memory is bounded.
  void begin();
  void stop_when(std::function<bool()> stop);
  /// `value`, or what went wrong since begin().
  template <class T>
  Result<T> end(T value) {
    if (!db.ok()) return tl::make_unexpected(db.error());
    return value;
  }

  RunRow run_row(const Query& q);
  CompileRow compile_row(const Query& q, RowId process, const CompileId& id);
  LookupRow lookup_row(const Query& q);
  std::vector<LookupRow> lookup_rows(Query& q);
  std::optional<LookupRow> lookup(RowId id);
  EntryRow entry_row(const Query& q);
  /// As the newest snapshot of the location saw it.
  std::optional<EntryRow> entry_at(RowId entry, RowId location);

  std::optional<Ids> groups_of(RowId set);
  const Ids& members_of(std::int64_t group);
  /// Of component sets those `limit` that differ from the subject's in the fewest components; of equals the first.
  void keep_nearest(RowId subject, std::size_t limit, std::vector<std::int64_t>& sets);
  /// Brings components into `pool`; afterwards component() gives them.
  void load_components(Ids ids, ComponentPool& pool);
  ComponentPtr component(std::int64_t id);

  /// Makes the SQL function last_seen(location, entry, since) known: of what is gone from a location the last of each
  /// file.
  void find_last_seen();

  Db db;
  bool with_cache = false;  // cache.db is attached

 private:
  std::unordered_map<std::int64_t, std::string> texts_;
  std::unordered_map<std::int64_t, std::string> keys_;
  std::unordered_map<std::int64_t, Ids> groups_;
  std::unordered_map<std::int64_t, ComponentPtr> components_;  // of the pool that was asked for last
  std::function<bool()> stop_;
  using Presence = std::array<std::int64_t, 3>;  // location, entry, since
  std::vector<Presence> last_seen_;              // sorted
  std::int64_t last_seen_at_ = -1;               // SQLite's data_version
  std::uint64_t pool_ = 0;
  std::size_t text_bytes_ = 0;
};

/// Scope of one call: one read transaction, so that it sees one state of the store and takes its locks once.
class Reader::Call {
 public:
  explicit Call(Impl& impl);
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call();

 private:
  Impl& impl_;
};

}  // namespace keyhole
