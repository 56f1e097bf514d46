// SPDX-License-Identifier: Apache-2.0
// Rows of a sorted, filtered result by their position, over pages that the store gives by keyset only.
//
// In the order of time, where an index leads: where pages ended is remembered, so that scrolling costs one page a page.
// A jump far ahead halves its way there by counting: each count covers only what is left between two known positions.
// In other orders one walk over the store gives the ids of a block of rows (20,000), and pages are taken from it: 10
// million lookups are walked for every 100 pages of scrolling, not for each. While somebody records, a block that was
// dear is kept for 20 times what it took.
#pragma once

#include <chrono>
#include <list>
#include <map>
#include <optional>

#include "inspector/core/source.h"
#include "keyhole/db/query.h"
#include "keyhole/db/reader.h"

namespace keyhole::inspector {

keyhole::Field store_field(LookupColumn column);
/// The store's form of a filter. Where it cannot say all of it, what it gives lets more pass, and `exact` becomes
/// false.
keyhole::Filter store_filter(const FilterNode& node, bool& exact);
bool same_query(const LookupQuery& a, const LookupQuery& b);
bool same_filter(const FilterNode& a, const FilterNode& b);

class LookupPager {
 public:
  /// `walk`: how many rows are walked rather than jumped over. `block`: rows whose ids are held at once.
  explicit LookupPager(std::int64_t walk = 50'000, std::int64_t block = 20'000) : walk_(walk), block_(block) {}
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

  Result<std::vector<LookupRow>> from_block(Reader& reader, keyhole::LookupQuery asked, std::int64_t first,
                                            std::size_t limit);

  using Clock = std::chrono::steady_clock;
  struct Block {
    std::int64_t number = 0, version = 0;
    Clock::time_point made;
    Clock::duration took{};
    std::vector<RowId> ids;
  };
  std::int64_t walk_, block_;
  std::list<Block> blocks_;  // the one used last in front
  std::optional<LookupQuery> query_;
  std::int64_t version_ = -1;
  std::map<std::int64_t, std::optional<Cursor>> places_;
};

}  // namespace keyhole::inspector
