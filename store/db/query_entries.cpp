// SPDX-License-Identifier: Apache-2.0
// Lists of entries: those of the snapshots in history.db, and those of cache.db, whose tables are store/cache's.
#include <sqlite3.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "filter_sql.h"
#include "keyhole/base/os.h"
#include "keyhole/db/reader.h"
#include "keyhole/db/store.h"
#include "reader_impl.h"

namespace keyhole {
namespace {

using Type = FieldColumn::Type;

#define TEXT_OF(id) "(SELECT plain(body) FROM text WHERE id = " id ")"
#define STORE_LOCATION "'(store)'"
// Lookups are found by their key, and what was compiled for them is searched once a query.
#define IN_COMPILES(key, layer)                                                                      \
  "EXISTS (SELECT 1 FROM lookup l JOIN compile_text ct ON ct.compile = l.compile WHERE l.key = " key \
  " AND l.key <> 0 AND l.layer = " layer                                                             \
  " AND ct.text IN (SELECT id FROM text WHERE id IN (SELECT text FROM compile_text) AND found(plain(body), ?) > 0))"

/// By the number of Field.
constexpr FieldColumn kSnapshotEntry[] = {
    {Type::number, "e.id"},
    {},
    {},
    {},
    {},
    {Type::number, "e.layer"},
    {},
    {Type::number, "coalesce(e.direction, 0)"},
    {Type::text, "(SELECT name FROM key WHERE id = e.key)"},
    {},
    {},
    {},
    {},
    {},
    {Type::text, TEXT_OF("e.guard")},
    {Type::number, "e.modified"},
    {},
    {Type::number, "e.cost"},
    {},
    {},
    {},
    {},
    {},
    {Type::text, TEXT_OF("e.path")},
    {Type::number, "e.size"},
    {Type::number, "iif(p.until IS NOT NULL AND e.state = 1, 4, e.state)"},
    {Type::text, TEXT_OF("p.location")},
    {Type::words,
     "(found((SELECT name FROM key WHERE id = e.key), ?) > 0 OR found(" TEXT_OF("e.path") ", ?) > 0 OR found(" TEXT_OF("e.guard") ", ?) > 0 OR found(" TEXT_OF(
         "e.metadata") ", ?) > 0 OR found(" TEXT_OF("e.state_reason") ", ?) > 0 OR " IN_COMPILES("e.key",
                                                                                                 "e.layer") ")"}};
constexpr FieldColumn kCacheEntry[] = {
    {Type::number, "-e.id"},
    {},
    {},
    {},
    {},
    {Type::number, "e.layer"},
    {},
    {Type::number, "0"},
    {Type::text, "e.key"},
    {},
    {},
    {},
    {},
    {},
    {Type::text, "nullif(e.guard, '')"},
    {Type::number, "e.created"},
    {},
    {Type::number, "iif(e.cost > 0, e.cost, NULL)"},
    {},
    {},
    {},
    {},
    {},
    {Type::text, "NULL"},
    {Type::number, "e.size"},
    {Type::number, "1"},
    {Type::text, STORE_LOCATION},
    {Type::words, "(found(e.key, ?) > 0 OR found(e.guard, ?) > 0 OR found(e.metadata, ?) > 0 OR " IN_COMPILES(
                      "(SELECT id FROM key WHERE name = e.key)", "e.layer") ")"}};
static_assert(std::size(kSnapshotEntry) == static_cast<std::size_t>(Field::words) + 1);
static_assert(std::size(kCacheEntry) == std::size(kSnapshotEntry));

// What is at a location, and of what is not any more the last that was seen of each file there.
constexpr const char* kSnapshotEntries =
    " FROM presence p JOIN entry e ON e.id = p.entry WHERE (p.until IS NULL OR last_seen(p.location, p.entry, "
    "p.since)) "
    "AND ";
constexpr const char* kCacheEntries = " FROM cache.entry e WHERE ";

struct LocationPath {
  std::int64_t location, path;
  bool operator==(const LocationPath&) const = default;
};
struct LocationPathHash {
  std::size_t operator()(const LocationPath& f) const {
    return static_cast<std::size_t>(f.path) * 0x9e3779b97f4a7c15ULL + static_cast<std::size_t>(f.location);
  }
};

}  // namespace

// No index leads from a path to its entries: it would cost every import, for a question that only a list asks. What
// is gone is little; one walk over what is there tells which of it came back in another form.
void Reader::Impl::find_last_seen() {
  const std::int64_t version = db.value("PRAGMA data_version").value_or(0);
  if (version == last_seen_at_) return;
  last_seen_at_ = -1;
  last_seen_.clear();
  std::unordered_map<LocationPath, Presence, LocationPathHash> gone;
  {
    Query q(
        db,
        "SELECT p.location, p.entry, p.since, e.path FROM presence p JOIN entry e ON e.id = p.entry WHERE p.until IS "
        "NOT NULL");
    while (q.next()) {
      const Presence p{q.integer(0), q.integer(1), q.integer(2)};
      Presence& last = gone.try_emplace({q.integer(0), q.integer(3)}, p).first->second;
      if (last[2] <= p[2]) last = p;
    }
  }
  if (!gone.empty()) {
    Query q(db, "SELECT p.location, e.path FROM presence p JOIN entry e ON e.id = p.entry WHERE p.until IS NULL");
    while (q.next()) gone.erase({q.integer(0), q.integer(1)});
  }
  for (const auto& [file, presence] : gone) last_seen_.push_back(presence);
  std::sort(last_seen_.begin(), last_seen_.end());
  if (db.ok()) last_seen_at_ = version;  // else it was interrupted
  sqlite3_create_function_v2(
      db.handle(), "last_seen", 3, SQLITE_UTF8 | SQLITE_DIRECTONLY, this,
      [](sqlite3_context* context, int, sqlite3_value** v) {
        const auto& all = static_cast<Impl*>(sqlite3_user_data(context))->last_seen_;
        const Presence p{sqlite3_value_int64(v[0]), sqlite3_value_int64(v[1]), sqlite3_value_int64(v[2])};
        sqlite3_result_int(context, std::binary_search(all.begin(), all.end(), p) ? 1 : 0);
      },
      nullptr, nullptr, nullptr);
}

Result<Reader> Reader::open_with_cache(const std::string& store) {
  auto reader = open(store);
  FileInfo info;
  const std::string path = store + "/cache.db";
  if (!reader || os().stat(path, info) != 0 || info.size == 0) return reader;
  Db& db = reader->impl_->db;
  {
    Query attach(db, std::string("ATTACH ? AS cache"));
    attach.bind(path);
    attach.run();
  }
  {
    Query columns(db, std::string("SELECT id, layer, key, name, guard, blob, files, metadata, cost, created, size FROM "
                                  "cache.entry LIMIT 1"));
    columns.next();
  }
  if (!db.ok()) return open(store);
  reader->impl_->with_cache = true;
  return reader;
}

Result<std::vector<EntryPlace>> Reader::entry_places(const EntryQuery& query) {
  const Call call(*impl_);
  Db& db = impl_->db;
  impl_->find_last_seen();
  FilterSql seen(db, kSnapshotEntry), cached(db, kCacheEntry);
  for (FilterSql* list : {&seen, &cached})
    if (!list->has(query.sort) || list->column_of(query.sort).type == Type::words || !list->filter(query.filter))
      return fail(ErrorKind::usage, list->error().empty() ? "words cannot be sorted by" : list->error());
  const auto select = [&](const FilterSql& list, const char* location, const char* from) {
    return std::string("SELECT ") + list.column_of(Field::id).sql + ", " + location + ", " +
           list.column_of(query.sort).sql + from + list.sql;
  };
  std::string sql = select(seen, "p.location", kSnapshotEntries);
  if (impl_->with_cache) sql += " UNION ALL " + select(cached, "0", kCacheEntries);
  const char* direction = query.descending ? " DESC" : "";
  sql += std::string(" ORDER BY 3") + direction + ", 1" + direction + ", 2" + direction + " LIMIT " +
         std::to_string(query.limit) + " OFFSET " + std::to_string(query.skip);
  Query q(db, sql);
  seen.bind(q);
  if (impl_->with_cache) cached.bind(q);
  std::vector<EntryPlace> places;
  while (q.next()) places.push_back({q.integer(0), q.integer(1)});
  return impl_->end(std::move(places));
}

Result<std::int64_t> Reader::count_entries(const Filter& filter) {
  const Call call(*impl_);
  impl_->find_last_seen();
  FilterSql seen(impl_->db, kSnapshotEntry), cached(impl_->db, kCacheEntry);
  for (FilterSql* list : {&seen, &cached})
    if (!list->filter(filter)) return fail(ErrorKind::usage, list->error());
  std::int64_t n = 0;
  const auto count = [&](const FilterSql& list, const char* from) {
    Query q(impl_->db, std::string("SELECT count(*)") + from + list.sql);
    list.bind(q);
    if (q.next()) n += q.integer(0);
  };
  count(seen, kSnapshotEntries);
  if (impl_->with_cache) count(cached, kCacheEntries);
  return impl_->end(n);
}

Result<std::vector<EntryRow>> Reader::entries(const std::vector<EntryPlace>& places) {
  const Call call(*impl_);
  std::vector<EntryRow> rows;
  for (const EntryPlace& place : places) {
    std::optional<EntryRow> row;
    if (place.entry > 0) row = impl_->entry_at(place.entry, place.location);
    if (place.entry < 0 && impl_->with_cache) {
      Query q(impl_->db,
              "SELECT id, layer, key, name, guard, size, created, cost, metadata FROM cache.entry WHERE id = ?",
              -place.entry);
      if (q.next()) {
        row.emplace();
        row->id = place.entry;
        row->location = "(store)";
        EntryRecord& r = row->record;
        r.layer = static_cast<Layer>(q.integer(1));
        r.key = q.text(2);
        r.name = q.text(3);
        r.guard = q.text(4);
        r.size = q.integer(5);
        r.modified = q.integer(6);
        r.cost = q.integer(7) > 0 ? q.integer(7) : -1;
        r.metadata_json = q.text(8);
      }
    }
    if (row) rows.push_back(std::move(*row));
  }
  return impl_->end(std::move(rows));
}

Result<std::optional<SnapshotRow>> Reader::snapshot(RowId id) {
  const Call call(*impl_);
  std::optional<SnapshotRow> row;
  Query q(impl_->db, "SELECT id, run, location, read_from, time, moment, newest_run FROM snapshot WHERE id = ?", id);
  if (q.next())
    row = SnapshotRow{q.integer(0),
                      q.integer(1),
                      {impl_->text_cell(q, 2), impl_->text_cell(q, 3), q.integer_or(4, kUnknownTime),
                       static_cast<SnapshotMoment>(q.integer(5))},
                      0,
                      q.integer(6)};
  return impl_->end(std::move(row));
}

Result<CachedEntryFiles> Reader::cached_files(RowId entry) {
  const Call call(*impl_);
  CachedEntryFiles found;
  if (!impl_->with_cache) return found;
  Query files(impl_->db,
              "SELECT f.name, b.size FROM cache.bundle_file f JOIN cache.blob b ON b.id = f.blob WHERE f.entry = ? "
              "ORDER BY f.position",
              -entry);
  while (files.next()) found.files.emplace_back(files.text(0), files.integer(1));
  Query use(impl_->db, "SELECT last, hits FROM cache.use WHERE entry = ?", -entry);
  if (use.next()) {
    found.last_use = use.integer(0);
    found.hits = use.integer(1);
  }
  return impl_->end(std::move(found));
}

#undef TEXT_OF
#undef STORE_LOCATION
#undef IN_COMPILES

}  // namespace keyhole
