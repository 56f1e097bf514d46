// SPDX-License-Identifier: Apache-2.0
#include "lookup_pager.h"

#include <algorithm>
#include <limits>

namespace keyhole::inspector {
namespace {

Compare store_compare(Op op) {
  switch (op) {
    case Op::contains:
      return Compare::contains;
    case Op::less:
      return Compare::less;
    case Op::less_equal:
      return Compare::less_equal;
    case Op::greater:
      return Compare::greater;
    case Op::greater_equal:
      return Compare::greater_equal;
    default:
      return Compare::equal;
  }
}

std::optional<keyhole::Field> field_of(Field field) {
  switch (field) {
    case Field::id:
      return keyhole::Field::id;
    case Field::run:
      return keyhole::Field::run_name;
    case Field::layer:
      return keyhole::Field::layer;
    case Field::outcome:
      return keyhole::Field::outcome;
    case Field::key:
      return keyhole::Field::key;
    case Field::compile:
      return keyhole::Field::compile_id;
    case Field::function:
      return keyhole::Field::function;
    case Field::file:
      return keyhole::Field::filename;
    case Field::direction:
      return keyhole::Field::direction;
    case Field::rank:
      return keyhole::Field::rank;
    case Field::time:
      return keyhole::Field::time;
    case Field::cost:
      return keyhole::Field::cost;
    case Field::saved:
      return keyhole::Field::saved;
    case Field::duration:
      return keyhole::Field::duration;
    case Field::status:
      return keyhole::Field::status;
    case Field::reason:
      return keyhole::Field::reason;
    case Field::guard:
      return keyhole::Field::guard;
    default:
      return {};
  }
}

std::optional<keyhole::Field> field_of_entry(Field field) {
  switch (field) {
    case Field::file:
      return keyhole::Field::path;
    case Field::size:
      return keyhole::Field::size;
    case Field::state:
      return keyhole::Field::state;
    case Field::location:
      return keyhole::Field::location;
    case Field::id:
    case Field::layer:
    case Field::key:
    case Field::direction:
    case Field::time:
    case Field::cost:
    case Field::guard:
      return field_of(field);
    default:
      return {};
  }
}

std::int64_t number_of(Field field, const QString& word) {
  const std::string name = word.toStdString();
  if (field == Field::layer) return std::int64_t(layer_named(name).value_or(Layer::fx_graph));
  if (field == Field::outcome) return std::int64_t(outcome_named(name).value_or(Outcome::miss));
  for (const Direction d : {Direction::inference, Direction::forward, Direction::backward})
    if (name == name_of(d)) return std::int64_t(d);
  if (field == Field::state)
    for (int i = int(EntryState::ok); i <= int(EntryState::vanished); ++i)
      if (name == name_of(EntryState(i))) return i;
  return 0;
}

keyhole::Filter term_filter(const FilterTerm& term, bool& exact, Listed of) {
  using F = keyhole::Filter;
  if (term.op == Op::regex) {
    exact = false;
    return F{};
  }
  const std::string text = term.text.toStdString();
  if (term.field == Field::any && of == Listed::entries)
    return F::where(keyhole::Field::words, Compare::contains, text);
  if (term.field == Field::any) {
    std::vector<F> parts;
    for (const auto f : {keyhole::Field::key, keyhole::Field::function, keyhole::Field::filename,
                         keyhole::Field::run_name, keyhole::Field::reason, keyhole::Field::compile_id})
      parts.push_back(F::where(f, Compare::contains, text));
    return F::any_of(std::move(parts));
  }
  const auto field = of == Listed::entries ? field_of_entry(term.field) : field_of(term.field);
  if (!field) return F::any_of({});  // a field of the other list: no row has it
  FieldType type = FieldType::text;
  for (const FieldInfo& info : filter_fields())
    if (info.field == term.field) type = info.type;
  const Compare compare = store_compare(term.op);
  F found = type == FieldType::text ? F::where(*field, compare, text)
            : type == FieldType::word
                ? F::where(*field, Compare::equal, number_of(term.field, term.text))
                : F::where(*field, compare, std::int64_t(std::clamp(term.number, -9.2e18, 9.2e18)));
  if (term.op != Op::not_equal) return found;
  F differs = F::none_of({std::move(found)});
  if (type == FieldType::text || type == FieldType::word) return differs;
  F known;
  known.kind = F::Kind::compare;
  known.field = *field;
  known.compare = Compare::known;
  return F::all_of({std::move(known), std::move(differs)});
}

}  // namespace

bool same_filter(const FilterNode& a, const FilterNode& b) {
  return a.kind == b.kind && a.term.field == b.term.field && a.term.op == b.term.op && a.term.text == b.term.text &&
         a.term.number == b.term.number &&
         std::equal(a.children.begin(), a.children.end(), b.children.begin(), b.children.end(), same_filter);
}

keyhole::Field store_field(LookupColumn column) {
  switch (column) {
    case LookupColumn::time:
      return keyhole::Field::time;
    case LookupColumn::outcome:
      return keyhole::Field::outcome;
    case LookupColumn::layer:
      return keyhole::Field::layer;
    case LookupColumn::compile:
      return keyhole::Field::compile_id;
    case LookupColumn::run:
      return keyhole::Field::run;
    case LookupColumn::rank:
      return keyhole::Field::rank;
    case LookupColumn::function:
      return keyhole::Field::function;
    case LookupColumn::key:
      return keyhole::Field::key;
    case LookupColumn::cost:
      return keyhole::Field::cost;
    case LookupColumn::saved:
      return keyhole::Field::saved;
    case LookupColumn::duration:
      return keyhole::Field::duration;
    case LookupColumn::reason:
      return keyhole::Field::reason;
  }
  return keyhole::Field::id;
}

keyhole::Field store_field(EntryColumn column) {
  switch (column) {
    case EntryColumn::layer:
      return keyhole::Field::layer;
    case EntryColumn::key:
      return keyhole::Field::key;
    case EntryColumn::file:
      return keyhole::Field::path;
    case EntryColumn::state:
      return keyhole::Field::state;
    case EntryColumn::size:
      return keyhole::Field::size;
    case EntryColumn::modified:
      return keyhole::Field::time;
    case EntryColumn::cost:
      return keyhole::Field::cost;
    case EntryColumn::direction:
      return keyhole::Field::direction;
    case EntryColumn::guard:
      return keyhole::Field::guard;
    case EntryColumn::location:
      return keyhole::Field::location;
  }
  return keyhole::Field::id;
}

keyhole::Filter store_filter(const FilterNode& node, bool& exact, Listed of) {
  using F = keyhole::Filter;
  if (node.kind == FilterNode::Kind::term) return term_filter(node.term, exact, of);
  if (node.kind == FilterNode::Kind::none) {
    bool inner = true;
    F part = store_filter(node.children[0], inner, of);
    if (inner) return F::none_of({std::move(part)});
    exact = false;  // the complement of too much would be too little
    return F{};
  }
  std::vector<F> parts;
  for (const FilterNode& child : node.children) parts.push_back(store_filter(child, exact, of));
  if (node.kind == FilterNode::Kind::any) return F::any_of(std::move(parts));
  if (parts.empty()) return F{};
  return parts.size() == 1 ? std::move(parts[0]) : F::all_of(std::move(parts));
}

Result<std::vector<LookupRow>> LookupPager::rows(Reader& reader, const keyhole::Filter& filter,
                                                 const LookupQuery& query, std::int64_t version, std::int64_t first,
                                                 std::size_t limit) {
  const bool other = !query_ || !same_query(*query_, query);
  if (other) blocks_.clear();
  if (other || version != version_) places_ = {{0, std::nullopt}};
  query_ = query;
  version_ = version;
  keyhole::LookupQuery asked;
  asked.filter = filter;
  asked.sort = store_field(query.sort);
  asked.descending = query.descending;
  if (asked.sort != keyhole::Field::time && asked.sort != keyhole::Field::id) {
    auto ids = blocks_.ids(version_, first, limit, [&](std::int64_t skip, std::size_t most) {
      asked.skip = skip;
      asked.limit = most;
      return reader.ids(asked);
    });
    if (!ids) return tl::unexpected(ids.error());
    return reader.lookups(*ids);
  }
  auto place = place_before(reader, asked, first);
  if (!place) return tl::unexpected(place.error());
  asked.after = place->after;
  asked.skip = first - place->position;
  asked.limit = limit;
  auto page = reader.page(asked);
  if (!page) return tl::unexpected(page.error());
  if (page->next) places_[first + std::int64_t(page->rows.size())] = page->next;
  return std::move(page->rows);
}

Result<LookupPager::Place> LookupPager::place_before(Reader& reader, const keyhole::LookupQuery& query,
                                                     std::int64_t position) {
  const auto it = std::prev(places_.upper_bound(position));
  const Place nearest{it->first, it->second};
  if (position - nearest.position <= walk_) return nearest;
  if (query.sort != keyhole::Field::time) return nearest;
  return jump_in_time(reader, query, nearest, position);
}

Result<LookupPager::Place> LookupPager::jump_in_time(Reader& reader, const keyhole::LookupQuery& query,
                                                     const Place& from, std::int64_t position) {
  using F = keyhole::Filter;
  const bool down = query.descending;
  // The times at both ends. Rows without a time stand at the end when descending and at the beginning when ascending.
  const auto end_time = [&](bool latest) -> Result<std::optional<std::int64_t>> {
    keyhole::LookupQuery one = query;
    one.after.reset();
    one.limit = 1;
    one.descending = latest;
    F known;
    known.kind = F::Kind::compare;
    known.field = keyhole::Field::time;
    known.compare = Compare::known;
    one.filter = F::all_of({query.filter, known});
    auto page = reader.page(one);
    if (!page) return tl::unexpected(page.error());
    return page->rows.empty() ? std::nullopt : std::optional(page->rows[0].record.time);
  };
  auto near = end_time(down), far = end_time(!down);
  if (!near) return tl::unexpected(near.error());
  if (!far) return tl::unexpected(far.error());
  if (!*near || !*far) return from;
  auto total = reader.count(query.filter);
  if (!total) return tl::unexpected(total.error());
  F unknown;
  unknown.kind = F::Kind::compare;
  unknown.field = keyhole::Field::time;
  unknown.compare = Compare::known;
  auto timeless = reader.count(F::all_of({query.filter, F::none_of({unknown})}));
  if (!timeless) return tl::unexpected(timeless.error());
  if (down ? position >= *total - *timeless : position < *timeless) return from;
  // Counting needs whole moments: a place between two rows of one time is no start, the beginning is.
  const RowId boundary = down ? 0 : std::numeric_limits<RowId>::max();
  Place a = from.after && from.after->id == boundary ? from : Place{};
  const std::int64_t lead = down ? 0 : *timeless;
  std::int64_t a_time = a.after ? std::get<std::int64_t>(a.after->value) : **near;
  std::int64_t b_time = **far, b_position = *total - (down ? *timeless : 0);
  while (b_position - a.position > walk_ && std::abs(b_time - a_time) > 1) {
    const double part = std::clamp(double(position - a.position) / double(b_position - a.position), 0.05, 0.95);
    const std::int64_t mid = a_time + std::int64_t(double(b_time - a_time) * part);
    if (mid == a_time || mid == b_time) break;
    // Rows from `a` up to and including those at `mid`.
    std::vector<F> range{query.filter,
                         F::where(keyhole::Field::time, down ? Compare::greater_equal : Compare::less_equal, mid)};
    if (a.after) range.push_back(F::where(keyhole::Field::time, down ? Compare::less : Compare::greater, a_time));
    auto between = reader.count(F::all_of(std::move(range)));
    if (!between) return tl::unexpected(between.error());
    const std::int64_t at = a.after ? a.position + *between : lead + *between;
    if (at <= position) {
      a = {at, Cursor{boundary, mid}};
      a_time = mid;
      places_[at] = a.after;
    } else {
      b_position = at;
      b_time = mid;
    }
  }
  return a.position >= from.position ? a : from;
}

}  // namespace keyhole::inspector
