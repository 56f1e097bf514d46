// SPDX-License-Identifier: Apache-2.0
// Rows of a sorted, filtered result by their position, over pages that the store gives by keyset only.
//
// Where pages ended is remembered, so that scrolling costs one page a page. A jump far ahead in the order of time halves
// its way there by counting: each count covers only what is left between two known positions, so a jump into the middle of
// 10 million lookups reads their time index about once. In other orders it walks from the nearest known place.
#pragma once

#include <map>
#include <optional>

#include "inspector/core/source.h"
#include "keyhole/db/query.h"
#include "keyhole/db/reader.h"

namespace keyhole::inspector {

keyhole::Field store_field(LookupColumn column);
/// The store's form of a filter. Where it cannot say all of it, what it gives lets more pass, and `exact` becomes false.
keyhole::Filter store_filter(const FilterNode& node, bool& exact);
bool same_query(const LookupQuery& a, const LookupQuery& b);

class LookupPager {
 public:
  /// `walk`: how many rows are walked rather than jumped over.
  explicit LookupPager(std::int64_t walk = 4'000) : walk_(walk) {}
  /// `version`: of the store; places that were found in another one are forgotten.
  Result<std::vector<LookupRow>> rows(Reader& reader, const keyhole::Filter& filter, const LookupQuery& query,
                                      std::int64_t version, std::int64_t first, std::size_t limit);

 private:
  struct Place {
    std::int64_t position = 0;
    std::optional<Cursor> after;  ///< absent: the beginning
  };
  Result<Place> place_before(Reader& reader, const keyhole::LookupQuery& query, std::int64_t position);
  Result<Place> jump_in_time(Reader& reader, const keyhole::LookupQuery& query, const Place& from, std::int64_t position);

  std::int64_t walk_;
  std::optional<LookupQuery> query_;
  std::int64_t version_ = -1;
  std::map<std::int64_t, std::optional<Cursor>> places_;
};

}  // namespace keyhole::inspector
