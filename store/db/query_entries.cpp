// SPDX-License-Identifier: Apache-2.0
// Lists of entries: those of the snapshots in history.db, and those of cache.db, whose tables are store/cache's.
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
    " FROM presence p JOIN entry e ON e.id = p.entry WHERE (p.until IS NULL OR ((p.location, e.path) NOT IN (SELECT "
    "p2.location, e2.path FROM presence p2 JOIN entry e2 ON e2.id = p2.entry WHERE p2.until IS NULL) AND (p.location, "
    "e.path, p.since) IN (SELECT p3.location, e3.path, max(p3.since) FROM presence p3 JOIN entry e3 ON e3.id = "
    "p3.entry "
    "WHERE p3.until IS NOT NULL GROUP BY p3.location, e3.path))) AND ";
constexpr const char* kCacheEntries = " FROM cache.entry e WHERE ";

}  // namespace

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
