// SPDX-License-Identifier: Apache-2.0
// A typed filter as the SQL of one list: that of lookups (query.cpp) or that of entries (query_entries.cpp).
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "keyhole/db/query.h"
#include "keyhole/db/sqlite.h"

namespace keyhole {

/// What a list knows of a Field, by its number.
struct FieldColumn {
  enum class Type { absent, number, text, text_id, of_components, words };
  Type type = Type::absent;
  const char* sql = "";  ///< text_id: an id of `text`; of_components: a column of `component`; words: a whole condition
  const char* of = "";   ///< what has to be joined to have it: p, r (with p), c
};
using FieldColumns = const FieldColumn*;

/// SQL with its parameters; identifiers come from tables of constants, values are always bound.
class FilterSql {
 public:
  FilterSql(Db& db, FieldColumns columns);
  std::string sql;
  std::vector<std::variant<std::int64_t, std::string>> values;

  [[nodiscard]] const FieldColumn& column_of(Field field) const { return columns_[static_cast<std::size_t>(field)]; }
  /// What the conditions, and a column to sort by, need beside `lookup l`.
  [[nodiscard]] std::string joins() const;
  void use(const FieldColumn& column) { joined_ += column.of; }

  bool filter(const Filter& f);
  bool has(Field field);  ///< else it is an error
  void bind(Query& q) const {
    for (const auto& v : values) std::visit([&](const auto& x) { q.bind(x); }, v);
  }
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  bool compare(const Filter& f);
  bool parts(const Filter& f, const char* joint);
  bool compare_run(const Filter& f, const std::variant<std::int64_t, std::string>& value);
  std::string sets_with(const char* column, const std::string& condition, const std::string& text);

  Db* db_;
  FieldColumns columns_;
  std::string error_;
  std::string joined_;
};

/// Makes known to SQLite: plain(body), the text of a body, unpacked; found(text, folded word), the place of the word,
/// from 1, or 0 where it is not in it.
void add_text_functions(Db& db);
[[nodiscard]] std::string folded(std::string_view word);
/// Where a folded word stands, without regard to ASCII case; npos: nowhere.
[[nodiscard]] std::size_t find_folded(std::string_view text, std::string_view folded_word);

}  // namespace keyhole
