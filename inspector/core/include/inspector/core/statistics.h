// SPDX-License-Identifier: Apache-2.0
// Figures over lookups at hand: pure functions, no store.
#pragma once

#include <map>
#include <tuple>
#include <unordered_map>

#include "inspector/core/source.h"

namespace keyhole::inspector {

/// Adds lookups up, one at a time, so that a store need not hold them at once.
class OverviewBuilder {
 public:
  void add(const LookupRow& row);
  /// `runs` in the order of time; those without a lookup that was added are left out where `filtered`.
  Overview finish(std::vector<RunRow> runs, bool filtered) &&;

 private:
  struct Point {
    Nanoseconds time;
    std::uint8_t layer, outcome;
  };
  // What the misses of one compile cost: the outermost layer that knows it, since what lies within is its part.
  struct CompileCost {
    RowId run = 0;
    std::uint8_t layer = 0xff;
    double seconds = 0;
  };
  Overview overview_;
  std::vector<Point> points_;
  std::map<Layer, Overview::LayerRow> layers_;
  std::unordered_map<std::string, CompileCost> costs_;
  std::unordered_map<RowId, std::int64_t> run_lookups_;
  std::unordered_map<RowId, Nanoseconds> run_start_;  // earliest lookup: imported runs tell no start of their own
};

/// Collects lookups into the lanes of a timeline.
class TimelineBuilder {
 public:
  /// `runs` in the order of time: the lanes follow it.
  explicit TimelineBuilder(const std::vector<RunRow>& runs);
  void add(const LookupRow& row);
  TimelinePtr finish(bool aligned) &&;

 private:
  std::map<std::tuple<std::int64_t, RowId, Layer>, std::uint32_t> lane_of_;  // run's place, process, layer
  std::unordered_map<RowId, std::pair<std::int64_t, Nanoseconds>> runs_;     // place and start
  std::vector<LaneInfo> lanes_;
  std::vector<Nanoseconds> first_;  // beside lanes_: earliest event of the lane
  std::vector<TimelineEvent> events_;
};

/// Orders by a column; rows without a value come last either way. Equal rows keep the order of time.
bool comes_before(const LookupRow& a, const LookupRow& b, LookupColumn column, bool descending);
bool comes_before(const EntryRow& a, const EntryRow& b, EntryColumn column, bool descending);

}  // namespace keyhole::inspector
