// SPDX-License-Identifier: Apache-2.0
// The filter language of the window:
//
//   filter := all ("OR" all)*
//   all    := one (["AND"] one)*
//   one    := ("NOT" | "-") one | "(" filter ")" | [field op] value
//   op     := ":" (contains, or equals for layers and outcomes) | "=" | "!=" | "<" | "<=" | ">" | ">="
//   value  := word | "quoted text" | /regular expression/
//
// `:` looks without regard to case, = and != compare whole texts as they are. Numbers take units: 250us 3s 5min 2h for
// durations, 64KB 5MiB for sizes, 10:01 or 2026-11-21 for times. A value without a field is looked for in the key, the
// function, the file, the run and the reason.
#pragma once

#include <QRegularExpression>
#include <QString>
#include <QStringList>
#include <memory>
#include <optional>
#include <unordered_set>
#include <vector>

#include "keyhole/db/rows.h"

namespace keyhole::inspector {

enum class Field {
  any,
  id,
  run,
  layer,
  outcome,
  key,
  compile,
  function,
  file,
  direction,
  rank,
  time,
  cost,
  saved,
  duration,
  status,
  reason,
  guard,
  size,
  state,
  location
};
enum class FieldType { text, word, number, duration, size, time };  ///< word: one of a closed set
enum class Op { contains, equal, not_equal, less, less_equal, greater, greater_equal, regex };

struct FieldInfo {
  Field field;
  const char* name;
  FieldType type;
  bool of_lookups, of_entries;
  const char* help;
};
const std::vector<FieldInfo>& filter_fields();  ///< without `any`

/// One comparison. `number` holds the value of number, duration (ns), size (bytes) and time (ns) fields.
struct FilterTerm {
  Field field = Field::any;
  Op op = Op::contains;
  QString text;
  double number = 0;
  QRegularExpression regex;  ///< set where op is regex
  std::shared_ptr<const std::unordered_set<RowId>>
      also;  ///< field any: rows that hold it elsewhere (full text); null: none
};

struct FilterNode {
  enum class Kind { all, any, none, term };
  Kind kind = Kind::all;
  std::vector<FilterNode> children;  ///< of all and any: each; of none: exactly one
  FilterTerm term;
};

struct FilterError {
  int column = 0, length = 1;  ///< in characters of the text
  QString message;             ///< "unknown field 'layr'; did you mean 'layer'?"
};

/// A parsed filter, or why there is none. Copyable, cheap.
struct Filter {
  QString source;
  FilterNode root;  ///< an empty `all` accepts everything
  std::optional<FilterError> error;
  [[nodiscard]] bool empty() const { return !error && root.kind == FilterNode::Kind::all && root.children.empty(); }
};

Filter parse_filter(const QString& text);
bool matches(const FilterNode& node, const LookupRow& row);
bool matches(const FilterNode& node, const EntryRow& row);

/// What may stand at the cursor: field names, then the values of a closed set; each the whole word to insert.
/// `entries`: of the filter of entries; else of that of lookups.
QStringList complete_filter(const QString& text, int cursor, bool entries = false);
/// The chips of a filter: its top-level conditions, each as the user wrote it, with its place in the text.
struct FilterChip {
  QString text;
  int column, length;
};
std::vector<FilterChip> filter_chips(const QString& text);
/// `text` with one more condition, or unchanged where it has that condition already.
QString with_condition(const QString& text, const QString& condition);
QString without_chip(const QString& text, const FilterChip& chip);
/// A value as the language takes it back: quoted where needed.
QString quoted_value(const QString& value);

}  // namespace keyhole::inspector
