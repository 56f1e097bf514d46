// SPDX-License-Identifier: Apache-2.0
#include "keyhole/db/query.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "reader_impl.h"

namespace keyhole {
namespace {

enum class Type { number, text, text_id, of_components };

struct Column {
  Type type;
  const char* sql;      // text_id: an id of `text`; of_components: a column of `component`
  const char* of = "";  // what has to be joined to have it: p, r (with p), c
};

/// By the number of Field.
constexpr Column kColumns[] = {{Type::number, "l.id"},
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
                               {Type::number, "l.component_set"}};
static_assert(sizeof kColumns / sizeof kColumns[0] == static_cast<std::size_t>(Field::component_set) + 1);

const Column& column_of(Field field) {
  return kColumns[static_cast<std::size_t>(field)];
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::size_t find_folded(std::string_view text, std::string_view folded) {
  const auto at =
      std::search(text.begin(), text.end(), folded.begin(), folded.end(), [](char a, char b) { return lower(a) == b; });
  return at == text.end() && !folded.empty() ? std::string_view::npos : static_cast<std::size_t>(at - text.begin());
}

std::string folded(std::string_view word) {
  std::string f(word);
  std::transform(f.begin(), f.end(), f.begin(), lower);
  return f;
}

std::string_view value_text(sqlite3_value* v) {
  const void* bytes = sqlite3_value_type(v) == SQLITE_BLOB ? sqlite3_value_blob(v) : sqlite3_value_text(v);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes), static_cast<std::size_t>(sqlite3_value_bytes(v))};
}

/// plain(body): the text of a body, unpacked. found(text, folded word): the place of the word, from 1; 0: not in it.
void add_functions(sqlite3* db) {
  sqlite3_create_function_v2(
      db, "plain", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, nullptr,
      [](sqlite3_context* context, int, sqlite3_value** v) {
        if (sqlite3_value_type(v[0]) != SQLITE_BLOB) return sqlite3_result_value(context, v[0]);
        const auto text = decompressed(value_text(v[0]));
        if (!text) return sqlite3_result_null(context);
        sqlite3_result_text64(context, text->data(), text->size(), SQLITE_TRANSIENT, SQLITE_UTF8);
      },
      nullptr, nullptr, nullptr);
  sqlite3_create_function_v2(
      db, "found", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, nullptr,
      [](sqlite3_context* context, int, sqlite3_value** v) {
        const auto at = find_folded(value_text(v[0]), value_text(v[1]));
        sqlite3_result_int64(context, at == std::string_view::npos ? 0 : static_cast<sqlite3_int64>(at) + 1);
      },
      nullptr, nullptr, nullptr);
}

using Value = std::variant<std::int64_t, std::string>;

/// SQL with its parameters; identifiers come from tables of constants, values are always bound.
class Builder {
 public:
  explicit Builder(Db& db);
  std::string sql;
  std::vector<Value> values;

  /// What the conditions, and a column to sort by, need beside `lookup l`.
  [[nodiscard]] std::string joins() const;
  void use(const Column& column) { joined_ += column.of; }

  bool filter(const Filter& f);
  void bind(Query& q) const {
    for (const auto& v : values) std::visit([&](const auto& x) { q.bind(x); }, v);
  }
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  bool compare(const Filter& f);
  bool parts(const Filter& f, const char* joint);
  bool compare_run(const Filter& f, const Value& value);
  static const char* sign(Compare c);
  std::string sets_with(const char* column, const std::string& condition, const std::string& text);

  Db* db_;
  std::string error_;
  std::string joined_;
};

std::string Builder::joins() const {
  const auto needs = [&](char table) { return joined_.find(table) != std::string::npos; };
  std::string sql_of_joins;
  if (needs('p')) sql_of_joins += "JOIN process p ON p.id = l.process ";
  if (needs('r')) sql_of_joins += "JOIN run r ON r.id = p.run ";
  if (needs('c')) sql_of_joins += "LEFT JOIN compile c ON c.id = l.compile ";
  return sql_of_joins;
}

const char* Builder::sign(Compare c) {
  switch (c) {
    case Compare::equal:
      return " = ?";
    case Compare::less:
      return " < ?";
    case Compare::less_equal:
      return " <= ?";
    case Compare::greater:
      return " > ?";
    case Compare::greater_equal:
      return " >= ?";
    case Compare::contains:
      return "found";
    case Compare::starts_with:
      return "starts";
    case Compare::known:
      return "known";
  }
  return " = ?";
}

std::string condition_on(const std::string& text, Compare compare, const char* sign) {
  if (compare == Compare::contains) return "found(" + text + ", ?) > 0";
  if (compare == Compare::starts_with) return "found(" + text + ", ?) = 1";
  return text + sign;
}

bool Builder::parts(const Filter& f, const char* joint) {
  if (f.parts.empty()) {
    sql += f.kind == Filter::Kind::any ? "0" : "1";
    return true;
  }
  if (f.kind == Filter::Kind::none && f.parts.size() == 1 && f.parts[0].kind == Filter::Kind::compare &&
      f.parts[0].compare == Compare::known) {
    const Column& column = column_of(f.parts[0].field);
    use(column);
    sql += column.type == Type::of_components ? "l.component_set IS NULL" : std::string(column.sql) + " IS NULL";
    return true;
  }
  // NULL (the row has no value) counts as false. Only a negation would make it true; elsewhere coalesce() would keep
  // SQLite from using an index.
  const bool negated = f.kind == Filter::Kind::none;
  sql += negated ? "NOT (" : "(";
  for (std::size_t i = 0; i < f.parts.size(); ++i) {
    if (i > 0) sql += joint;
    if (negated) sql += "coalesce(";
    if (!filter(f.parts[i])) return false;
    if (negated) sql += ", 0)";
  }
  sql += ")";
  return true;
}

bool Builder::filter(const Filter& f) {
  switch (f.kind) {
    case Filter::Kind::everything:
      sql += "1";
      return true;
    case Filter::Kind::compare:
      return compare(f);
    case Filter::Kind::all:
      return f.parts.size() == 1 ? filter(f.parts[0]) : parts(f, " AND ");
    case Filter::Kind::any:
    case Filter::Kind::none:
      return parts(f, " OR ");
  }
  return false;
}

/// Component sets keep their members packed: which sets hold a component is worked out here, once a query.
std::string Builder::sets_with(const char* column, const std::string& condition, const std::string& text) {
  std::unordered_set<std::int64_t> components, groups;
  {
    Query q(*db_, std::string("SELECT id FROM component WHERE ") + column + " IN (SELECT id FROM text WHERE " +
                      condition + ")");
    q.bind(text);
    while (q.next()) components.insert(q.integer(0));
  }
  std::unordered_map<std::int64_t, Ids> whole;
  const auto holds = [&](const Ids& ids) {
    return std::any_of(ids.begin(), ids.end(), [&](std::int64_t id) { return components.contains(id); });
  };
  for (const bool with_base : {false, true}) {
    Query q(*db_, std::string("SELECT id, base, members FROM component_group WHERE (base IS NOT NULL) = ?"));
    q.bind(with_base);
    while (q.next()) {
      auto ids = with_base ? apply_difference(whole[q.integer(1)], q.text(2)) : decode_ids(q.text(2));
      if (!ids) continue;
      if (holds(*ids)) groups.insert(q.integer(0));
      if (!with_base) whole.emplace(q.integer(0), std::move(*ids));
    }
  }
  std::string list = "(0";
  Query q(*db_, std::string("SELECT id, groups FROM component_set"));
  while (q.next()) {
    const auto ids = decode_ids(q.text(1));
    if (ids && std::any_of(ids->begin(), ids->end(), [&](std::int64_t id) { return groups.contains(id); }))
      list += "," + std::to_string(q.integer(0));
  }
  return list + ")";
}

bool Builder::compare(const Filter& f) {
  const Column& column = column_of(f.field);
  const bool wants_text = column.type != Type::number;
  if (f.compare == Compare::known) {
    use(column);
    sql +=
        column.type == Type::of_components ? "l.component_set IS NOT NULL" : std::string(column.sql) + " IS NOT NULL";
    return true;
  }
  const auto* text = std::get_if<std::string>(&f.value);
  const bool of_text = f.compare == Compare::contains || f.compare == Compare::starts_with;
  if (wants_text != (text != nullptr) || (of_text && !wants_text)) {
    error_ = "a filter compares field " + std::to_string(static_cast<int>(f.field)) + " with a value of another type";
    return false;
  }
  const Value value = of_text ? Value(folded(*text)) : f.value;
  if (f.field == Field::run || f.field == Field::run_name) return compare_run(f, value);
  use(column);
  switch (column.type) {
    case Type::number:
    case Type::text:
      sql += condition_on(column.sql, f.compare, sign(f.compare));
      values.push_back(value);
      break;
    case Type::text_id:
      if (f.compare == Compare::equal) {
        sql += std::string(column.sql) + " IN (SELECT id FROM text WHERE hash = ? AND plain(body) = ?)";
        values.emplace_back(static_cast<std::int64_t>(hash64(*text)));
      } else {
        sql += std::string(column.sql) + " IN (SELECT id FROM text WHERE " +
               condition_on("plain(body)", f.compare, sign(f.compare)) + ")";
      }
      values.push_back(value);
      break;
    case Type::of_components:
      sql += "l.component_set IN " + sets_with(column.sql, condition_on("plain(body)", f.compare, sign(f.compare)),
                                               std::get<std::string>(value));
      break;
  }
  return true;
}

/// Runs are few and lookups many: which runs pass is found first. Where they hold few lookups, these are found through
/// their processes; else the order that the query wants is walked.
bool Builder::compare_run(const Filter& f, const Value& value) {
  constexpr std::int64_t kFew = 20'000;
  const std::string passing =
      " FROM run WHERE " +
      (f.field == Field::run ? std::string("id") + sign(f.compare) : condition_on("name", f.compare, sign(f.compare)));
  std::int64_t lookups = 0;
  {
    Query q(*db_, "SELECT total(lookups)" + passing);
    std::visit([&](const auto& v) { q.bind(v); }, value);
    if (q.next()) lookups = q.integer(0);
  }
  sql += std::string(lookups > kFew ? "+" : "") + "l.process IN (SELECT id FROM process WHERE run IN (SELECT id" +
         passing + "))";
  values.push_back(value);
  return true;
}

std::string sort_expression(Field field) {
  const Column& column = column_of(field);
  if (column.type == Type::text_id) return std::string("(SELECT plain(body) FROM text WHERE id = ") + column.sql + ")";
  return column.sql;
}

std::variant<std::monostate, std::int64_t, std::string> value_of(const Query& q, int column, Type type) {
  if (q.null(column)) return std::monostate{};
  if (type == Type::number) return q.integer(column);
  return std::string(q.text(column));
}

Builder::Builder(Db& db) : db_(&db) {
  add_functions(db.handle());
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
  const Column& sort_column = column_of(query.sort);
  if (sort_column.type == Type::of_components)
    return tl::make_unexpected(wrong_filter("components cannot be sorted by"));
  Builder where(db);
  if (!where.filter(query.filter)) return tl::make_unexpected(wrong_filter(where.error()));
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
    Builder b = where;
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
  Builder b(impl_->db);
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
  Builder b(impl_->db);
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
  Builder b(impl_->db);
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
  Builder b(impl_->db);
  if (!b.filter(filter)) return tl::make_unexpected(wrong_filter(b.error()));
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
  add_functions(impl_->db.handle());
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
