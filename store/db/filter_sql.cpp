// SPDX-License-Identifier: Apache-2.0
#include "filter_sql.h"

#include <sqlite3.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "encoding.h"

namespace keyhole {
namespace {

using Type = FieldColumn::Type;
using Value = std::variant<std::int64_t, std::string>;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

std::size_t find_folded(std::string_view text, std::string_view folded_word) {
  const auto at = std::search(text.begin(), text.end(), folded_word.begin(), folded_word.end(),
                              [](char a, char b) { return lower(a) == b; });
  return at == text.end() && !folded_word.empty() ? std::string_view::npos
                                                  : static_cast<std::size_t>(at - text.begin());
}

std::string folded(std::string_view word) {
  std::string f(word);
  std::transform(f.begin(), f.end(), f.begin(), lower);
  return f;
}

namespace {

std::string_view value_text(sqlite3_value* v) {
  const void* bytes = sqlite3_value_type(v) == SQLITE_BLOB ? sqlite3_value_blob(v) : sqlite3_value_text(v);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes), static_cast<std::size_t>(sqlite3_value_bytes(v))};
}

}  // namespace

void add_text_functions(Db& connection) {
  sqlite3* db = connection.handle();
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

namespace {

const char* sign(Compare c) {
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

}  // namespace

FilterSql::FilterSql(Db& db, FieldColumns columns) : db_(&db), columns_(columns) {
  add_text_functions(db);
}

std::string FilterSql::joins() const {
  const auto needs = [&](char table) { return joined_.find(table) != std::string::npos; };
  std::string sql_of_joins;
  if (needs('p')) sql_of_joins += "JOIN process p ON p.id = l.process ";
  if (needs('r')) sql_of_joins += "JOIN run r ON r.id = p.run ";
  if (needs('c')) sql_of_joins += "LEFT JOIN compile c ON c.id = l.compile ";
  return sql_of_joins;
}

bool FilterSql::has(Field field) {
  if (column_of(field).type != Type::absent) return true;
  error_ = "this list has no field " + std::to_string(static_cast<int>(field)) + " to filter or sort by";
  return false;
}

bool FilterSql::parts(const Filter& f, const char* joint) {
  if (f.parts.empty()) {
    sql += f.kind == Filter::Kind::any ? "0" : "1";
    return true;
  }
  if (f.kind == Filter::Kind::none && f.parts.size() == 1 && f.parts[0].kind == Filter::Kind::compare &&
      f.parts[0].compare == Compare::known) {
    const FieldColumn& column = column_of(f.parts[0].field);
    if (!has(f.parts[0].field)) return false;
    use(column);
    sql += column.type == Type::of_components ? "l.component_set IS NULL" : std::string(column.sql) + " IS NULL";
    return true;
  }
  const auto one_id = [](const Filter& part) {
    return part.kind == Filter::Kind::compare && part.field == Field::id && part.compare == Compare::equal &&
           std::holds_alternative<std::int64_t>(part.value);
  };
  if (f.kind == Filter::Kind::any && std::all_of(f.parts.begin(), f.parts.end(), one_id)) {
    // SQLite looks up each of a list; of alternatives it would try them all on every row of the order.
    sql += column_of(Field::id).sql + std::string(" IN (");
    for (std::size_t i = 0; i < f.parts.size(); ++i) {
      sql += i == 0 ? "?" : ",?";
      values.push_back(f.parts[i].value);
    }
    sql += ")";
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

bool FilterSql::filter(const Filter& f) {
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
std::string FilterSql::sets_with(const char* column, const std::string& condition, const std::string& text) {
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

bool FilterSql::compare(const Filter& f) {
  const FieldColumn& column = column_of(f.field);
  if (!has(f.field)) return false;
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
    case Type::absent:
      break;
    case Type::words:
      if (f.compare != Compare::contains) {
        error_ = "words can only be contained";
        return false;
      }
      sql += column.sql;
      for (const char* c = column.sql; *c != 0; ++c)
        if (*c == '?') values.push_back(value);
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
bool FilterSql::compare_run(const Filter& f, const Value& value) {
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

}  // namespace keyhole
