// SPDX-License-Identifier: Apache-2.0
// One walk over a list that no index orders gives the ids of a block of rows (20,000), and pages are taken from it.
// While somebody records, a block that was dear is kept for 20 times what it took.
#pragma once

#include <algorithm>
#include <chrono>
#include <list>
#include <vector>

#include "keyhole/base/error.h"

namespace keyhole::inspector {

template <class Id>
class IdBlocks {
 public:
  explicit IdBlocks(std::int64_t block = 20'000) : block_(block) {}
  void clear() { blocks_.clear(); }

  /// The ids of rows `first` … ; fewer at the end. `walk(first, limit)` gives those of a block. `version`: of the
  /// store.
  template <class Walk>
  Result<std::vector<Id>> ids(std::int64_t version, std::int64_t first, std::size_t limit, Walk walk) {
    std::vector<Id> ids;
    for (std::int64_t at = first; ids.size() < limit;) {
      const std::int64_t number = at / block_;
      const auto now = Clock::now();
      auto block = std::find_if(blocks_.begin(), blocks_.end(), [&](const Block& b) { return b.number == number; });
      if (block != blocks_.end() && block->version != version && now - block->made > block->took * 20) {
        blocks_.erase(block);
        block = blocks_.end();
      }
      if (block == blocks_.end()) {
        Result<std::vector<Id>> found = walk(number * block_, std::size_t(block_));
        if (!found) return tl::unexpected(found.error());
        blocks_.push_front({number, version, now, Clock::now() - now, std::move(*found)});
        if (blocks_.size() > kBlocks) blocks_.pop_back();
        block = blocks_.begin();
      } else {
        blocks_.splice(blocks_.begin(), blocks_, block);
      }
      const auto offset = std::size_t(at - number * block_);
      if (offset >= block->ids.size()) break;
      const std::size_t n = std::min(limit - ids.size(), block->ids.size() - offset);
      const auto begin = block->ids.begin() + std::ptrdiff_t(offset);
      ids.insert(ids.end(), begin, begin + std::ptrdiff_t(n));
      at += std::int64_t(n);
      if (std::int64_t(block->ids.size()) < block_) break;
    }
    return ids;
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t kBlocks = 6;
  struct Block {
    std::int64_t number = 0, version = 0;
    typename Clock::time_point made;
    typename Clock::duration took{};
    std::vector<Id> ids;
  };
  std::int64_t block_;
  std::list<Block> blocks_;  // the one used last in front
};

}  // namespace keyhole::inspector
