// SPDX-License-Identifier: Apache-2.0
// What all lookups that pass a filter add up to, taken from one reading of them, in any order and in as many steps as
// the reader likes. It holds no rows: a cell sums the lookups of a process and a layer within a span of time, and the
// spans widen as the cells grow many. 10 million lookups of 200,000 runs take about 70 MB, of a few runs about 45 MB.
#pragma once

#include <array>
#include <unordered_map>
#include <vector>

#include "inspector/core/source.h"
#include "keyhole/db/query.h"

namespace keyhole::inspector {

inline constexpr Nanoseconds kSecond = 1'000'000'000;

class Census {
 public:
  struct Cell {
    std::uint32_t process = 0;
    std::uint32_t second = 0;  ///< since 1970, of the beginning of its span; kNoTime: the lookups tell no time
    Layer layer = Layer::fx_graph;
    OutcomeCounts counts{};
    float cost = 0, saved = 0;  ///< seconds
    [[nodiscard]] std::int64_t sum() const;
  };
  static constexpr std::uint32_t kNoTime = 0xffffffff;

  /// `most_cells`: spans widen before there are more. Not kept where already processes × layers are more.
  explicit Census(std::size_t most_cells = 400'000) : most_cells_(most_cells) {}

  /// Processes come before the lookups that name them.
  void add(const ProcessPlace& place);
  void add(const LookupPoint& point);  ///< each lookup once

  [[nodiscard]] std::int64_t lookups() const { return lookups_; }
  [[nodiscard]] std::int64_t span() const { return span_; }  ///< of a cell, in seconds
  [[nodiscard]] const std::vector<Cell>& cells() const { return cells_; }
  [[nodiscard]] RowId run_of(RowId process) const;  ///< 0: not known
  [[nodiscard]] std::optional<int> rank_of(RowId process) const;
  [[nodiscard]] RowId last_process() const { return RowId(places_.size()) - 1; }  ///< -1: none

  struct RunSum {
    std::int64_t lookups = 0;
    double lost = 0;  ///< seconds
    Nanoseconds first = kUnknownTime, last = kUnknownTime;
  };
  [[nodiscard]] const RunSum& of_run(RowId run) const;
  /// Runs that hold a lookup, the latest first, at most `limit`; those with an event in [begin, end) where that is
  /// given.
  [[nodiscard]] std::vector<RowId> latest_runs(std::size_t limit) const;
  [[nodiscard]] std::int64_t runs() const;  ///< how many hold a lookup

  /// Everything but `runs`, `lost_by_run` and how far the reading came.
  [[nodiscard]] Overview overview() const;

 private:
  struct Place {
    std::uint32_t run = 0;
    std::int16_t rank = -1;
  };
  // What the misses of one compile cost: the outermost layer that knows it, since what lies within is its part.
  struct CompileCost {
    float seconds = 0;
    std::uint8_t layer = 0xff;
  };
  void widen();
  void lose(const LookupPoint& point);

  std::size_t most_cells_;
  std::int64_t span_ = 1, lookups_ = 0;
  std::vector<Place> places_;          // by process
  std::vector<RunSum> runs_;           // by run
  std::vector<CompileCost> costs_;     // by compile
  std::vector<Cell> cells_;            // the same cell may stand here more than once
  std::vector<std::uint32_t> recent_;  // where a cell was put last, by its hash
};

}  // namespace keyhole::inspector
