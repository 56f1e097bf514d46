// SPDX-License-Identifier: Apache-2.0
// Rows of a sorted, filtered result by their position, over pages that the store gives by keyset only.
//
// In the order of time, where an index leads: where pages ended is remembered, so that scrolling costs one page a page.
// A jump far ahead halves its way there by counting: each count covers only what is left between two known positions.
// In other orders ids come in blocks (id_blocks.h): 10 million lookups are walked for every 100 pages of scrolling, not
// for each.
#pragma once

#include <map>
#include <optional>

#include "id_blocks.h"
#include "inspector/core/source.h"
#include "keyhole/db/query.h"
#include "keyhole/db/reader.h"

namespace keyhole::inspector {

keyhole::Field store_field(LookupColumn column);
keyhole::Field store_field(EntryColumn column);
/// The store's form of a filter. Where it cannot say all of it, what it gives lets more pass, and `exact` becomes
/// false.
enum class Listed { lookups, entries };
keyhole::Filter store_filter(const FilterNode& node, bool& exact, Listed of = Listed::lookups);
bool same_filter(const FilterNode& a, const FilterNode& b);
template <class AnyQuery>
bool same_query(const AnyQuery& a, const AnyQuery& b) {
  return a.sort == b.sort && a.descending == b.descending && same_filter(a.filter, b.filter);
}

class LookupPager {
 public:
  /// `walk`: how many rows are walked rather than jumped over. `block`: rows whose ids are held at once.
  explicit LookupPager(std::int64_t walk = 50'000, std::int64_t block = 20'000) : walk_(walk), blocks_(block) {}
  /// `version`: of the store; places that were found in another one are forgotten.
  Result<std::vector<LookupRow>> rows(Reader& reader, const keyhole::Filter& filter, const LookupQuery& query,
                                      std::int64_t version, std::int64_t first, std::size_t limit);

 private:
  struct Place {
    std::int64_t position = 0;
    std::optional<Cursor> after;  ///< absent: the beginning
  };
  Result<Place> place_before(Reader& reader, const keyhole::LookupQuery& query, std::int64_t position);
  Result<Place> jump_in_time(Reader& reader, const keyhole::LookupQuery& query, const Place& from,
                             std::int64_t position);

  std::int64_t walk_;
  IdBlocks<RowId> blocks_;
  std::optional<LookupQuery> query_;
  std::int64_t version_ = -1;
  std::map<std::int64_t, std::optional<Cursor>> places_;
};

}  // namespace keyhole::inspector
