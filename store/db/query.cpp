// SPDX-License-Identifier: Apache-2.0
#include "keyhole/db/query.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "filter_sql.h"
#include "reader_impl.h"

namespace keyhole {
namespace {

using Type = FieldColumn::Type;

/// By the number of Field.
constexpr FieldColumn kLookupColumns[] = {
    {Type::number, "l.id"},
    {Type::number, "p.run", "p"},
    {Type::text, "r.name", "pr"},
    {Type::number, "l.process"},
    {Type::number, "p.rank", "p"},
    {Type::number, "l.layer"},
    {Type::number, "l.outcome"},
    {Type::number, "coalesce(l.direction, 0)"},
    {Type::text, "(SELECT name FROM key WHERE id = l.key)"},
    {Type::text,
     "iif(c.frame >= 0, iif(c.compiled_autograd >= 0, '!' || c.compiled_autograd || '/', "
     "'') || c.frame || '/' || c.frame_compile, NULL)",
     "c"},
    {Type::text_id, "c.function", "c"},
    {Type::text_id, "c.filename", "c"},
    {Type::text_id, "l.status"},
    {Type::text_id, "l.reason"},
    {Type::text_id, "l.guard"},
    {Type::number, "l.time"},
    {Type::number, "l.duration"},
    {Type::number, "l.cost"},
    {Type::number, "l.saved"},
    {Type::text_id, "p.cache_dir", "p"},
    {Type::of_components, "name"},
    {Type::of_components, "text"},
    {Type::number, "l.component_set"},
    {Type::absent},
    {Type::absent},
    {Type::absent},
    {Type::absent},
    {Type::absent}};
static_assert(sizeof kLookupColumns / sizeof kLookupColumns[0] == static_cast<std::size_t>(Field::words) + 1);

const FieldColumn& column_of(Field field) {
  return kLookupColumns[static_cast<std::size_t>(field)];
}

std::string sort_expression(Field field) {
  const FieldColumn& column = column_of(field);
  if (column.type == Type::text_id) return std::string("(SELECT plain(body) FROM text WHERE id = ") + column.sql + ")";
  return column.sql;
}

std::variant<std::monostate, std::int64_t, std::string> value_of(const Query& q, int column, Type type) {
  if (q.null(column)) return std::monostate{};
  if (type == Type::number) return q.integer(column);
  return std::string(q.text(column));
}

Error wrong_filter(const std::string& what) {
  return {ErrorKind::usage, what, {}, {}};
}

std::string excerpt_of(std::string_view text, std::size_t at) {
  const std::size_t from = at > 40 ? at - 40 : 0;
  std::string excerpt(text.substr(from, 160));
  while (!excerpt.empty() && (excerpt.front() & 0xc0) == 0x80) excerpt.erase(0, 1);
  return excerpt;
}

/// Runs a query for ids and values of the sort field, in order: `use(id, statement)`, where column 1 is the value.
/// False from `use` ends it.
template <class Use>
Result<void> in_order(Db& db, const LookupQuery& query, std::size_t limit, Use use) {
  const FieldColumn& sort_column = column_of(query.sort);
  if (sort_column.type == Type::of_components)
    return tl::make_unexpected(wrong_filter("components cannot be sorted by"));
  FilterSql where(db, kLookupColumns);
  if (!where.has(query.sort) || !where.filter(query.filter)) return tl::make_unexpected(wrong_filter(where.error()));
  where.use(sort_column);
  const std::string by = sort_expression(query.sort);
  const bool by_id = query.sort == Field::id;
  const char* direction = query.descending ? " DESC" : "";
  const char* beyond = query.descending ? " < " : " > ";
  std::size_t given = 0;
  std::int64_t skip = query.skip;

  // Rows with a value of the sort field and those without are two stretches, so that each can walk its index.
  const auto stretch = [&](bool with_value, bool last) {
    if (given >= limit) return;
    const bool resumes = query.after.has_value();
    const bool cursor_has_value = resumes && query.after->value.index() != 0;
    if (resumes && !by_id) {
      const bool first_stretch = query.descending == with_value;
      if (with_value != cursor_has_value && first_stretch) return;  // lies before the cursor
    }
    FilterSql b = where;
    if (!by_id) b.sql += " AND " + by + (with_value ? " IS NOT NULL" : " IS NULL");
    if (resumes && (by_id || with_value == cursor_has_value)) {
      if (by_id || !with_value) {
        b.sql += std::string(" AND l.id") + beyond + "?";
      } else {
        b.sql += " AND (" + by + ", l.id)" + beyond + "(?, ?)";
        if (const auto* n = std::get_if<std::int64_t>(&query.after->value))
          b.values.emplace_back(*n);
        else
          b.values.emplace_back(std::get<std::string>(query.after->value));
      }
      b.values.emplace_back(query.after->id);
    }
    const std::string from = " FROM lookup l " + b.joins() + "WHERE " + b.sql;
    const std::size_t before = given;
    {
      Query q(db, "SELECT l.id, " + by + from + " ORDER BY " + (by_id || !with_value ? "" : by + direction + ", ") +
                      "l.id" + direction + " LIMIT " + std::to_string(limit - given) + " OFFSET " +
                      std::to_string(skip));
      b.bind(q);
      while (q.next()) {
        ++given;
        if (!use(q.integer(0), q)) {
          given = limit;
          return;
        }
      }
    }
    if (skip == 0 || last) return;
    if (given > before) {
      skip = 0;
      return;
    }
    Query q(db, "SELECT count(*)" + from);
    b.bind(q);
    if (q.next()) skip = std::max<std::int64_t>(0, skip - q.integer(0));
  };
  if (by_id) {
    stretch(true, true);
  } else {
    stretch(query.descending, false);
    stretch(!query.descending, true);
  }
  return {};
}

LookupPoint point_of(const Query& q) {
  return {q.integer(0),
          q.integer(1),
          q.integer(2),
          static_cast<Layer>(q.integer(3)),
          static_cast<Outcome>(q.integer(4)),
          q.integer_or(5, kUnknownTime),
          q.integer_or(6, -1),
          q.integer_or(7, -1),
          q.integer_or(8, -1)};
}
#define POINT_SELECT \
  "SELECT l.id, l.process, l.compile, l.layer, l.outcome, l.time, l.duration, l.cost, l.saved FROM lookup l "

}  // namespace

Result<LookupPage> Reader::page(const LookupQuery& query) {
  const Call call(*impl_);
  LookupPage page;
  const std::size_t limit = std::max<std::size_t>(query.limit, 1);
  std::vector<std::int64_t> ids;
  const Type type = column_of(query.sort).type;
  bool more = false;
  auto ran = in_order(impl_->db, query, limit + 1, [&](RowId id, const Query& q) {
    if (ids.size() == limit) {
      more = true;
      return false;
    }
    ids.push_back(id);
    if (ids.size() == limit) page.next = Cursor{id, value_of(q, 1, type)};
    return true;
  });
  if (!ran) return tl::make_unexpected(ran.error());
  if (!more) page.next.reset();
  page.rows.reserve(ids.size());
  for (const auto id : ids)
    if (auto row = impl_->lookup(id)) page.rows.push_back(std::move(*row));
  return impl_->end(std::move(page));
}

Result<std::vector<RowId>> Reader::ids(const LookupQuery& query) {
  const Call call(*impl_);
  std::vector<RowId> ids;
  auto ran = in_order(impl_->db, query, query.limit, [&](RowId id, const Query&) {
    ids.push_back(id);
    return true;
  });
  if (!ran) return tl::make_unexpected(ran.error());
  return impl_->end(std::move(ids));
}

Result<std::vector<LookupRow>> Reader::lookups(const std::vector<RowId>& ids) {
  const Call call(*impl_);
  std::vector<LookupRow> rows;
  for (const auto id : ids)
    if (auto row = impl_->lookup(id)) rows.push_back(std::move(*row));
  return impl_->end(std::move(rows));
}

Result<RowId> Reader::last_lookup() {
  const Call call(*impl_);
  return impl_->end(impl_->db.value("SELECT max(id) FROM lookup").value_or(0));
}

Result<std::vector<LookupPoint>> Reader::points(const Filter& filter, RowId first, RowId last) {
  const Call call(*impl_);
  FilterSql b(impl_->db, kLookupColumns);
  if (!b.filter(filter)) return tl::make_unexpected(wrong_filter(b.error()));
  std::vector<LookupPoint> points;
  // An index would leave the order of the ids, which is that of the pages.
  Query q(impl_->db, POINT_SELECT "NOT INDEXED " + b.joins() + "WHERE (" + b.sql + ") AND l.id BETWEEN " +
                         std::to_string(first) + " AND " + std::to_string(last) + " ORDER BY l.id DESC");
  b.bind(q);
  while (q.next()) points.push_back(point_of(q));
  return impl_->end(std::move(points));
}

Result<std::vector<LookupPoint>> Reader::points_between(const Filter& filter, Nanoseconds begin, Nanoseconds end,
                                                        std::size_t limit) {
  const Call call(*impl_);
  FilterSql b(impl_->db, kLookupColumns);
  if (!b.filter(filter)) return tl::make_unexpected(wrong_filter(b.error()));
  std::vector<LookupPoint> points;
  Query q(impl_->db, POINT_SELECT + b.joins() + "WHERE (" + b.sql + ") AND l.time >= " + std::to_string(begin) +
                         " AND l.time < " + std::to_string(end) + " ORDER BY l.time DESC LIMIT " +
                         std::to_string(limit));
  b.bind(q);
  while (q.next()) points.push_back(point_of(q));
  return impl_->end(std::move(points));
}

Result<std::vector<ProcessPlace>> Reader::process_places(RowId after) {
  const Call call(*impl_);
  std::vector<ProcessPlace> places;
  Query q(impl_->db, "SELECT id, run, rank FROM process WHERE id > ? ORDER BY id", after);
  while (q.next()) {
    const auto rank = q.maybe(2);
    places.push_back({q.integer(0), q.integer(1), rank ? std::optional<int>(static_cast<int>(*rank)) : std::nullopt});
  }
  return impl_->end(std::move(places));
}

Result<std::int64_t> Reader::count(const Filter& filter) {
  const Call call(*impl_);
  FilterSql b(impl_->db, kLookupColumns);
  if (!b.filter(filter)) return tl::make_unexpected(wrong_filter(b.error()));
  // The runs keep count: that of the whole store costs no walk over it.
  Query q(impl_->db, filter.kind == Filter::Kind::everything
                         ? std::string("SELECT total(lookups) FROM run")
                         : "SELECT count(*) FROM lookup l " + b.joins() + "WHERE " + b.sql);
  b.bind(q);
  std::int64_t n = 0;
  if (q.next()) n = q.integer(0);
  return impl_->end(n);
}

Result<std::vector<Tally>> Reader::tally(Field by, const Filter& filter, std::size_t limit) {
  const Call call(*impl_);
  if (column_of(by).type == Type::of_components)
    return tl::make_unexpected(wrong_filter("components cannot be summed up by"));
  FilterSql b(impl_->db, kLookupColumns);
  if (!b.has(by) || !b.filter(filter)) return tl::make_unexpected(wrong_filter(b.error()));
  const bool by_text_id = column_of(by).type == Type::text_id;
  b.use(column_of(by));
  Query q(impl_->db, std::string("SELECT ") + column_of(by).sql +
                         ", count(*), sum(l.outcome = 1), sum(l.outcome IN (2, 3)), coalesce(sum(l.cost), 0), "
                         "coalesce(sum(l.saved), 0) "
                         "FROM lookup l " +
                         b.joins() + "WHERE " + b.sql + " GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT " +
                         std::to_string(limit));
  b.bind(q);
  std::vector<Tally> rows;
  while (q.next()) {
    Tally t;
    if (by_text_id && !q.null(0))
      t.value = impl_->text(q.integer(0));
    else
      t.value = value_of(q, 0, column_of(by).type);
    t.lookups = q.integer(1);
    t.hits = q.integer(2);
    t.misses = q.integer(3);
    t.cost = q.integer(4);
    t.saved = q.integer(5);
    rows.push_back(std::move(t));
  }
  return impl_->end(std::move(rows));
}

Result<std::vector<SearchHit>> Reader::search(std::string_view word, std::size_t limit) {
  const Call call(*impl_);
  std::vector<SearchHit> hits;
  if (word.empty()) return hits;
  add_text_functions(impl_->db);
  const std::string needle = folded(word);
  // Every string is stored once, so that a scan of them is short: an index of words would double the store.
  struct Place {
    SearchHit::Kind kind;
    const char* sql;  // id, name, text
  };
  static constexpr Place kPlaces[] = {{SearchHit::Kind::run,
                                       "SELECT r.id, r.name, r.name || ' ' || coalesce(replace(plain(a.body), char(0), "
                                       "' '), '') AS t FROM run r LEFT JOIN text a ON "
                                       "a.id = r.argv WHERE found(t, ?1) > 0 LIMIT ?2"},
                                      {SearchHit::Kind::key,
                                       "SELECT max(l.id), k.name, k.name FROM key k JOIN lookup l ON l.key = k.id AND "
                                       "l.key <> 0 WHERE found(k.name, ?1) > 0 GROUP BY "
                                       "k.id LIMIT ?2"},
                                      {SearchHit::Kind::component,
                                       "WITH hit(id) AS MATERIALIZED (SELECT id FROM text WHERE found(plain(body), ?1) "
                                       "> 0) SELECT c.id, plain(n.body), plain(t.body) FROM "
                                       "component c JOIN text n ON n.id = c.name JOIN text t ON t.id = c.text WHERE "
                                       "c.name IN hit OR c.text IN hit LIMIT ?2"},
                                      {SearchHit::Kind::entry,
                                       "WITH hit(id) AS MATERIALIZED (SELECT id FROM text WHERE found(plain(body), ?1) "
                                       "> 0) SELECT e.id, plain(n.body), plain(n.body) FROM "
                                       "entry e JOIN text n ON n.id = e.path WHERE e.path IN hit OR e.guard IN hit OR "
                                       "e.metadata IN hit OR e.state_reason IN hit LIMIT ?2"},
                                      {SearchHit::Kind::text,
                                       "WITH hit(id) AS MATERIALIZED (SELECT id FROM text WHERE found(plain(body), ?1) "
                                       "> 0) SELECT max(l.id), max(ct.kind), plain(t.body) FROM "
                                       "compile_text ct JOIN text t ON t.id = ct.text JOIN lookup l ON l.compile = "
                                       "ct.compile WHERE ct.text IN hit GROUP BY ct.text LIMIT ?2"}};
  for (const auto& place : kPlaces) {
    if (hits.size() >= limit) break;
    Query q(impl_->db, place.sql, needle, static_cast<std::int64_t>(limit - hits.size()));
    while (q.next()) {
      SearchHit hit{place.kind, q.integer(0), std::string(q.text(1)), {}};
      if (place.kind == SearchHit::Kind::text) hit.name = name_of(static_cast<TextKind>(q.integer(1)));
      const auto at = find_folded(q.text(2), needle);
      hit.excerpt = excerpt_of(q.text(2), at == std::string_view::npos ? 0 : at);
      hits.push_back(std::move(hit));
    }
  }
  return impl_->end(std::move(hits));
}

}  // namespace keyhole
