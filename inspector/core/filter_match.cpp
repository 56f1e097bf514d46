// SPDX-License-Identifier: Apache-2.0
#include "inspector/core/filter.h"
#include "inspector/core/format.h"

namespace keyhole::inspector {
namespace {

// A field of a row: a text, or a number where the row knows it.
struct Value {
  QString text;
  std::optional<double> number;
};

std::optional<double> known(std::int64_t value) {
  return value < 0 ? std::nullopt : std::optional<double>(double(value));
}

Value value_of(Field field, const LookupRow& row) {
  const LookupRecord& r = row.record;
  switch (field) {
    case Field::id:
      return {{}, double(row.id)};
    case Field::run:
      return {text_of(row.run_name), {}};
    case Field::layer:
      return {QString::fromLatin1(name_of(r.layer)), {}};
    case Field::outcome:
      return {QString::fromLatin1(name_of(r.outcome)), {}};
    case Field::key:
      return {text_of(r.key), {}};
    case Field::compile:
      return {text_of(r.compile.text()), {}};
    case Field::function:
      return {text_of(row.function), {}};
    case Field::file:
      return {text_of(row.filename), {}};
    case Field::direction:
      return {QString::fromLatin1(name_of(r.direction)), {}};
    case Field::rank:
      return {{}, row.rank ? std::optional<double>(*row.rank) : std::nullopt};
    case Field::time:
      return {{}, known(r.time)};
    case Field::cost:
      return {{}, known(r.cost)};
    case Field::saved:
      return {{}, known(r.saved)};
    case Field::duration:
      return {{}, known(r.duration)};
    case Field::status:
      return {text_of(r.status), {}};
    case Field::reason:
      return {text_of(r.reason), {}};
    case Field::guard:
      return {text_of(r.guard), {}};
    default:
      return {};
  }
}

Value value_of(Field field, const EntryRow& row) {
  const EntryRecord& r = row.record;
  switch (field) {
    case Field::id:
      return {{}, double(row.id)};
    case Field::layer:
      return {QString::fromLatin1(name_of(r.layer)), {}};
    case Field::key:
      return {text_of(r.key), {}};
    case Field::file:
      return {text_of(r.path), {}};
    case Field::direction:
      return {QString::fromLatin1(name_of(r.direction)), {}};
    case Field::time:
      return {{}, known(r.modified)};
    case Field::cost:
      return {{}, known(r.cost)};
    case Field::guard:
      return {text_of(r.guard), {}};
    case Field::size:
      return {{}, known(r.size)};
    case Field::state:
      return {QString::fromLatin1(name_of(r.state)), {}};
    case Field::location:
      return {text_of(row.location), {}};
    default:
      return {};
  }
}

std::vector<Field> free_fields(const LookupRow&) {
  return {Field::key, Field::function, Field::file, Field::run, Field::reason, Field::compile};
}
std::vector<Field> free_fields(const EntryRow&) {
  return {Field::key, Field::file, Field::guard};
}

bool text_holds(const FilterTerm& term, const QString& text) {
  switch (term.op) {
    case Op::contains:
      return text.contains(term.text, Qt::CaseInsensitive);
    case Op::equal:
      return text == term.text;
    case Op::not_equal:
      return text != term.text;
    case Op::regex:
      return term.regex.match(text).hasMatch();
    default:
      return false;
  }
}

bool number_holds(const FilterTerm& term, double n) {
  switch (term.op) {
    case Op::equal:
      return n == term.number;
    case Op::not_equal:
      return n != term.number;
    case Op::less:
      return n < term.number;
    case Op::less_equal:
      return n <= term.number;
    case Op::greater:
      return n > term.number;
    case Op::greater_equal:
      return n >= term.number;
    default:
      return false;
  }
}

FieldType type_of(Field field) {
  for (const FieldInfo& f : filter_fields())
    if (f.field == field) return f.type;
  return FieldType::text;
}

template <class Row>
bool term_holds(const FilterTerm& term, const Row& row) {
  if (term.field == Field::any) {
    if (term.also && term.also->contains(row.id)) return true;
    for (const Field f : free_fields(row))
      if (text_holds(term, value_of(f, row).text)) return true;
    return false;
  }
  const Value value = value_of(term.field, row);
  const FieldType type = type_of(term.field);
  if (type == FieldType::text || type == FieldType::word) return text_holds(term, value.text);
  return value.number && number_holds(term, *value.number);
}

template <class Row>
bool holds(const FilterNode& node, const Row& row) {
  switch (node.kind) {
    case FilterNode::Kind::all:
      for (const FilterNode& child : node.children)
        if (!holds(child, row)) return false;
      return true;
    case FilterNode::Kind::any:
      for (const FilterNode& child : node.children)
        if (holds(child, row)) return true;
      return false;
    case FilterNode::Kind::none:
      return !holds(node.children[0], row);
    case FilterNode::Kind::term:
      return term_holds(node.term, row);
  }
  return false;
}

}  // namespace

bool matches(const FilterNode& node, const LookupRow& row) {
  return holds(node, row);
}
bool matches(const FilterNode& node, const EntryRow& row) {
  return holds(node, row);
}

}  // namespace keyhole::inspector
