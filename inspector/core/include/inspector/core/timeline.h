// SPDX-License-Identifier: Apache-2.0
// Lookups laid out for drawing: a lane a (run, process, layer), each sorted by time once, off the paint path. What is
// visible is found by binary search; marks closer than a few pixels fold into one that carries the counts, taken from
// sums kept for every 256 events. A paint therefore costs lanes × (width / fold) × log n, whatever the number of
// events. Where there are too many events to hold, an event stands for all of a short span of time
// (TimelineEvent::counts), and the single ones are asked for when so little time is in view that they are few.
#pragma once

#include <QString>
#include <array>
#include <memory>
#include <vector>

#include "keyhole/db/rows.h"

namespace keyhole::inspector {

inline constexpr int kOutcomes = 5;
using OutcomeCounts = std::array<std::uint32_t, kOutcomes>;  ///< index: outcome - 1
[[nodiscard]] inline std::size_t index_of(Outcome outcome) {
  return std::size_t(outcome) - 1;
}

struct TimelineEvent {
  RowId id = 0;
  Nanoseconds time = kUnknownTime;
  Nanoseconds duration = -1;  ///< of what the lookup cost: its compile where it missed
  std::uint32_t lane = 0;
  Outcome outcome = Outcome::miss;
  OutcomeCounts
      counts{};  ///< of a span: what happened in it; `id` is 0 and `duration` its length. All 0: a single event
};

struct LaneInfo {
  RowId run = 0, process = 0;
  Layer layer = Layer::fx_graph;
  QString run_name, label;    ///< label: "FX graph" or "rank 1 · FX graph"
  Nanoseconds run_start = 0;  ///< time 0 of the run where runs are aligned
};

/// What is drawn at one place: a single event, or a fold of several.
struct TimelineMark {
  int x = 0;      ///< pixels from the left edge
  int width = 0;  ///< pixels; 0: shorter than a pixel, or its duration is not known
  std::uint32_t count = 0;
  OutcomeCounts outcomes{};
  RowId first = 0;                      ///< the first event of the fold; 0: it is made of spans
  [[nodiscard]] Outcome worst() const;  ///< the outcome that the mark shows: error, miss, guard_miss, bypass, hit
};

/// What part of time a view shows.
struct TimelineWindow {
  Nanoseconds begin = 0, end = 1;
  int width = 1;  ///< pixels
  [[nodiscard]] double per_pixel() const { return double(end - begin) / double(width); }
  [[nodiscard]] double x_of(Nanoseconds time) const { return double(time - begin) / per_pixel(); }
  [[nodiscard]] Nanoseconds time_at(double x) const { return begin + Nanoseconds(x * per_pixel()); }
};

class Timeline {
 public:
  inline static constexpr int kFoldPixels = 3;

  /// `aligned`: every run starts at time 0. Events without a time are left out and counted.
  Timeline(std::vector<LaneInfo> lanes, std::vector<TimelineEvent> events, bool aligned);

  /// This is a part of what there is: the lanes that fit, as seen from one window of time. What is seen from another
  /// one has to be asked for. `begin` and `end`: of everything. `more_runs`: how many have no lane here. `complete`:
  /// false while lookups are still being read; ask again.
  void set_part(Nanoseconds begin, Nanoseconds end, std::int64_t more_runs, bool complete);
  [[nodiscard]] bool is_complete() const { return complete_; }
  [[nodiscard]] bool is_part() const { return part_; }
  [[nodiscard]] std::int64_t more_runs() const { return more_runs_; }

  [[nodiscard]] int lane_count() const { return int(lanes_.size()); }
  [[nodiscard]] const LaneInfo& lane(int lane) const { return lanes_[std::size_t(lane)].info; }
  [[nodiscard]] std::size_t events_in(int lane) const { return lanes_[std::size_t(lane)].start.size(); }
  [[nodiscard]] bool aligned() const { return aligned_; }
  [[nodiscard]] std::int64_t without_time() const { return without_time_; }
  [[nodiscard]] Nanoseconds begin() const { return begin_; }  ///< 0 where there is no event
  [[nodiscard]] Nanoseconds end() const { return end_; }      ///< later than begin()

  [[nodiscard]] std::vector<TimelineMark> marks(int lane, const TimelineWindow& view) const;
  /// The event nearest to `time` within `tolerance`; 0 where there is none.
  [[nodiscard]] RowId nearest(int lane, Nanoseconds time, Nanoseconds tolerance) const;
  /// The event after (step 1) or before (-1) `id` in its lane; `id` itself at the end; 0 where `id` is not here.
  [[nodiscard]] RowId neighbour(RowId id, int step) const;

  struct Place {
    int lane = -1;  ///< -1: not in this timeline
    Nanoseconds time = 0;
  };
  [[nodiscard]] Place place_of(RowId id) const;
  [[nodiscard]] OutcomeCounts count_between(int lane, Nanoseconds begin, Nanoseconds end) const;

 private:
  struct Lane {
    LaneInfo info;
    std::vector<Nanoseconds> start;
    std::vector<float> seconds;
    std::vector<std::uint32_t> id;
    std::vector<std::uint8_t> outcome;
    std::vector<OutcomeCounts> counts;  ///< empty: all events are single ones
    std::vector<OutcomeCounts> sums;    ///< of the events before each block
    std::uint32_t least_id = 0, most_id = 0;
    bool ids_grow = true;                               ///< with time: what was recorded as it happened
    [[nodiscard]] std::ptrdiff_t find(RowId id) const;  ///< -1: not here
  };
  [[nodiscard]] OutcomeCounts counts_before(const Lane& lane, std::size_t index) const;
  static void add_event(const Lane& lane, std::size_t index, OutcomeCounts& to);

  std::vector<Lane> lanes_;
  bool aligned_, part_ = false, complete_ = true;
  std::int64_t without_time_ = 0, more_runs_ = 0;
  Nanoseconds begin_ = 0, end_ = 1;
};

using TimelinePtr = std::shared_ptr<const Timeline>;

}  // namespace keyhole::inspector
