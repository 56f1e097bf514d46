// SPDX-License-Identifier: Apache-2.0
// Figures over lookups at hand: pure functions, no store.
#pragma once

#include <map>
#include <tuple>
#include <unordered_map>

#include "inspector/core/census.h"
#include "inspector/core/source.h"

namespace keyhole::inspector {

/// Collects lookups into the lanes of a timeline: a lane a run, process and layer, the newest run on top.
class TimelineBuilder {
 public:
  /// `runs` in the order of time: the lanes follow it. Runs without a start begin with their first event.
  explicit TimelineBuilder(const std::vector<RunRow>& runs);
  void add(const LookupPoint& point, RowId run, std::optional<int> rank);
  void add(const Census::Cell& cell, std::int64_t seconds, RowId run, std::optional<int> rank);
  /// In a lane of its own above all others.
  void add_to_all(const Census::Cell& cell, std::int64_t seconds);
  void add_to_all(const LookupPoint& point);
  [[nodiscard]] std::size_t lanes() const { return lanes_.size(); }
  Timeline finish(bool aligned) &&;

 private:
  std::uint32_t lane_of(RowId run, RowId process, Layer layer, std::optional<int> rank, Nanoseconds time);
  std::uint32_t all_lane();
  struct Run {
    std::int64_t place = 0;
    QString name;
    Nanoseconds start = kUnknownTime;
  };
  std::map<std::tuple<std::int64_t, RowId, Layer>, std::uint32_t> lane_of_;  // run's place, process, layer
  std::unordered_map<RowId, Run> runs_;
  std::vector<LaneInfo> lanes_;
  std::vector<TimelineEvent> events_;
};

}  // namespace keyhole::inspector
