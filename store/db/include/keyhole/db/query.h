// SPDX-License-Identifier: Apache-2.0
// What lists are filtered, sorted and paged by: a typed tree, never SQL text. Reader::page and its neighbours take it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "keyhole/db/rows.h"

namespace keyhole {

/// What of a lookup, or of an entry, can be compared and sorted by. In brackets the type of the value that it is
/// compared with. An entry has: id, layer, direction, key, guard, time (of its last change), cost, and what is said to
/// be of entries; a lookup has all but these.
enum class Field : std::uint8_t {
  id,              ///< (number) the order of recording; the cheapest to sort by
  run,             ///< (number) row id
  run_name,        ///< (text)
  process,         ///< (number) row id
  rank,            ///< (number)
  layer,           ///< (number) static_cast of Layer
  outcome,         ///< (number) static_cast of Outcome
  direction,       ///< (number) static_cast of Direction
  key,             ///< (text)
  compile_id,      ///< (text) "0/0"
  function,        ///< (text)
  filename,        ///< (text)
  status,          ///< (text)
  reason,          ///< (text)
  guard,           ///< (text)
  time,            ///< (number) nanoseconds since 1970
  duration,        ///< (number) nanoseconds
  cost,            ///< (number) nanoseconds
  saved,           ///< (number) nanoseconds
  cache_dir,       ///< (text)
  component,       ///< (text) the name of any of its components; not to sort by
  component_text,  ///< (text) the text of any of its components; not to sort by
  component_set,   ///< (number) row id
  path,            ///< (text) of entries: the file, relative to its location
  size,            ///< (number) of entries: bytes
  state,           ///< (number) of entries: static_cast of EntryState; `vanished` where the newest snapshot lacks it
  location,        ///< (text) of entries: the folder; "(store)": the store's own cache
  words            ///< (text) of entries, only `contains`: anywhere in it, or in the graphs and code of its compiles
};

enum class Compare : std::uint8_t { equal, less, less_equal, greater, greater_equal, contains, starts_with, known };

/// A condition, or several joined. Where the row has no value for the field, no comparison holds.
struct Filter {
  enum class Kind : std::uint8_t {
    everything,  ///< holds always
    compare,     ///< `field` `compare` `value`
    all,         ///< every one of `parts`; none: holds
    any,         ///< at least one of `parts`; none: does not hold
    none         ///< none of `parts`
  };
  Kind kind = Kind::everything;
  Field field = Field::id;
  Compare compare = Compare::equal;
  std::variant<std::int64_t, std::string>
      value;  ///< `contains` and `starts_with` take text, without regard to ASCII case
  std::vector<Filter> parts;

  static Filter where(Field field, Compare compare, std::int64_t value) {
    return {Kind::compare, field, compare, value, {}};
  }
  static Filter where(Field field, Compare compare, std::string value) {
    return {Kind::compare, field, compare, std::move(value), {}};
  }
  static Filter all_of(std::vector<Filter> parts) { return {Kind::all, {}, {}, {}, std::move(parts)}; }
  static Filter any_of(std::vector<Filter> parts) { return {Kind::any, {}, {}, {}, std::move(parts)}; }
  static Filter none_of(std::vector<Filter> parts) { return {Kind::none, {}, {}, {}, std::move(parts)}; }
};

/// Where a page ended: the next one begins behind it. Stays valid while others record.
struct Cursor {
  RowId id = 0;
  std::variant<std::monostate, std::int64_t, std::string> value;  ///< of the sort field; monostate: it had none
};

struct LookupQuery {
  Filter filter;
  Field sort = Field::id;
  bool descending = false;  ///< rows without a value come first when ascending, last when descending
  std::optional<Cursor> after;
  std::int64_t skip = 0;  ///< rows that are passed over first: cheap where an index gives the order
  std::size_t limit = 200;
};

/// Entries: what the newest snapshots of all locations hold, what they no longer hold as it was seen last, and what the
/// store's own cache holds.
struct EntryQuery {
  Filter filter;
  Field sort = Field::time;
  bool descending = true;  ///< rows without a value come first when ascending, last when descending
  std::int64_t skip = 0;
  std::size_t limit = 200;
};

/// Names a row of a list of entries: one entry may lie at several locations.
struct EntryPlace {
  RowId entry = 0;     ///< negative: of the store's own cache
  RowId location = 0;  ///< 0: the store's own cache
  friend bool operator==(const EntryPlace&, const EntryPlace&) = default;
};

/// What the store's own cache knows of an entry beside its row.
struct CachedEntryFiles {
  std::vector<std::pair<std::string, std::int64_t>> files;  ///< of its bundle: name, bytes
  Nanoseconds last_use = kUnknownTime;                      ///< as far as the journals were taken in
  std::int64_t hits = 0;
};

struct LookupPage {
  std::vector<LookupRow> rows;
  std::optional<Cursor> next;  ///< absent: this was the last page
};

/// A lookup as a number in a sum or a mark on a timeline: no texts, so that millions can be read.
struct LookupPoint {
  RowId id = 0, process = 0, compile = 0;
  Layer layer = Layer::fx_graph;
  Outcome outcome = Outcome::miss;
  Nanoseconds time = kUnknownTime, duration = -1, cost = -1, saved = -1;
};

/// A process as far as points name it.
struct ProcessPlace {
  RowId id = 0, run = 0;
  std::optional<int> rank;
};

/// One value of a field and what it sums up to.
struct Tally {
  std::variant<std::monostate, std::int64_t, std::string> value;
  std::int64_t lookups = 0, hits = 0, misses = 0;
  Nanoseconds cost = 0, saved = 0;  ///< of those that tell it
};

/// One place where a word was found.
struct SearchHit {
  enum class Kind : std::uint8_t { key, component, text, entry, run };
  Kind kind = Kind::key;
  RowId id = 0;  ///< of that kind: key and text have no rows of their own to show, so it is the newest lookup with it
  std::string name;  ///< the key, the component's name, the name of the text's kind, the entry's path, the run's name
  std::string excerpt;  ///< up to 160 bytes around the place
};

}  // namespace keyhole
