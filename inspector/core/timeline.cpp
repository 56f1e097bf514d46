// SPDX-License-Identifier: Apache-2.0
#include "inspector/core/timeline.h"

#include <algorithm>
#include <limits>

namespace keyhole::inspector {
namespace {

constexpr std::size_t kBlock = 256;

// From the one that most wants attention to the one that least does.
constexpr Outcome kSeverity[] = {Outcome::error, Outcome::miss, Outcome::guard_miss, Outcome::bypass, Outcome::hit};

}  // namespace

Outcome TimelineMark::worst() const {
  for (const Outcome o : kSeverity)
    if (outcomes[index_of(o)] > 0) return o;
  return Outcome::hit;
}

Timeline::Timeline(std::vector<LaneInfo> lanes, std::vector<TimelineEvent> events, bool aligned) : aligned_(aligned) {
  lanes_.resize(lanes.size());
  for (std::size_t i = 0; i < lanes.size(); ++i) lanes_[i].info = std::move(lanes[i]);
  std::erase_if(events, [&](const TimelineEvent& e) {
    const bool drop = e.time < 0 || e.lane >= lanes_.size();
    without_time_ += drop;
    return drop;
  });
  if (aligned)
    for (TimelineEvent& e : events) e.time = std::max<Nanoseconds>(0, e.time - lanes_[e.lane].info.run_start);
  std::sort(events.begin(), events.end(), [](const TimelineEvent& a, const TimelineEvent& b) {
    return a.lane != b.lane ? a.lane < b.lane : a.time != b.time ? a.time < b.time : a.id < b.id;
  });
  begin_ = std::numeric_limits<Nanoseconds>::max();
  end_ = 0;
  for (std::size_t from = 0; from < events.size();) {
    std::size_t to = from;
    while (to < events.size() && events[to].lane == events[from].lane) ++to;
    Lane& lane = lanes_[events[from].lane];
    const std::size_t n = to - from;
    lane.start.reserve(n), lane.seconds.reserve(n), lane.id.reserve(n), lane.outcome.reserve(n);
    lane.sums.reserve(n / kBlock + 1);
    const auto is_span = [](const TimelineEvent& e) { return e.counts != OutcomeCounts{}; };
    const bool spans = std::any_of(events.begin() + std::ptrdiff_t(from), events.begin() + std::ptrdiff_t(to), is_span);
    OutcomeCounts sum{};
    for (; from < to; ++from) {
      const TimelineEvent& e = events[from];
      if (lane.start.size() % kBlock == 0) lane.sums.push_back(sum);
      if (spans) {
        OutcomeCounts counts = e.counts;
        if (!is_span(e)) counts[index_of(e.outcome)] = 1;
        lane.counts.push_back(counts);
      }
      lane.start.push_back(e.time);
      lane.seconds.push_back(e.duration < 0 ? 0.0F : float(double(e.duration) * 1e-9));
      const auto id = std::uint32_t(e.id);
      if (!lane.id.empty() && id < lane.id.back()) lane.ids_grow = false;
      lane.least_id = lane.id.empty() ? id : std::min(lane.least_id, id);
      lane.most_id = std::max(lane.most_id, id);
      lane.id.push_back(id);
      lane.outcome.push_back(std::uint8_t(e.outcome));
      add_event(lane, lane.start.size() - 1, sum);
      begin_ = std::min(begin_, e.time);
      end_ = std::max(end_, e.time + std::max<Nanoseconds>(0, e.duration));
    }
  }
  if (begin_ > end_) begin_ = 0, end_ = 0;
  end_ = std::max(end_, begin_ + 1'000'000);
}

void Timeline::set_part(Nanoseconds begin, Nanoseconds end, std::int64_t more_runs, bool complete) {
  part_ = true;
  complete_ = complete;
  begin_ = begin;
  end_ = std::max(end, begin + 1'000'000);
  more_runs_ = more_runs;
}

void Timeline::add_event(const Lane& lane, std::size_t index, OutcomeCounts& to) {
  if (lane.counts.empty()) {
    ++to[std::size_t(lane.outcome[index]) - 1];
    return;
  }
  for (std::size_t o = 0; o < to.size(); ++o) to[o] += lane.counts[index][o];
}

OutcomeCounts Timeline::counts_before(const Lane& lane, std::size_t index) const {
  if (index == 0 || lane.sums.empty()) return {};
  const std::size_t block = std::min(index / kBlock, lane.sums.size() - 1);
  OutcomeCounts counts = lane.sums[block];
  for (std::size_t i = block * kBlock; i < index; ++i) add_event(lane, i, counts);
  return counts;
}

std::vector<TimelineMark> Timeline::marks(int which, const TimelineWindow& view) const {
  const Lane& lane = lanes_[std::size_t(which)];
  std::vector<TimelineMark> marks;
  if (view.width <= 0 || view.end <= view.begin) return marks;
  const double per_pixel = view.per_pixel();
  const auto begin = lane.start.begin();
  // An event that began before the left edge may still reach into view: the one just before it is drawn too.
  auto at = std::lower_bound(begin, lane.start.end(), view.begin);
  if (at != begin) --at;
  OutcomeCounts before = counts_before(lane, std::size_t(at - begin));
  while (at != lane.start.end() && *at <= view.end) {
    const auto first = std::size_t(at - begin);
    const double x = view.x_of(*at);
    const auto fold_end = *at + Nanoseconds(per_pixel * kFoldPixels);
    at = std::upper_bound(at + 1, lane.start.end(), fold_end);
    const auto last = std::size_t(at - begin);
    const OutcomeCounts after = counts_before(lane, last);
    TimelineMark mark;
    mark.x = int(std::max(x, -1.0e6));
    mark.first = lane.id[first];
    for (std::size_t i = 0; i < after.size(); ++i) {
      mark.outcomes[i] = after[i] - before[i];
      mark.count += mark.outcomes[i];
    }
    mark.width = int(std::min(double(lane.seconds[last - 1]) * 1e9 / per_pixel, 1.0e6));
    before = after;
    marks.push_back(mark);
  }
  if (!marks.empty() && marks.front().x < 0 && marks.front().x + std::max(marks.front().width, kFoldPixels) < 0)
    marks.erase(marks.begin());
  return marks;
}

RowId Timeline::nearest(int which, Nanoseconds time, Nanoseconds tolerance) const {
  const Lane& lane = lanes_[std::size_t(which)];
  const auto at = std::lower_bound(lane.start.begin(), lane.start.end(), time);
  RowId best = 0;
  Nanoseconds distance = tolerance + 1;
  for (auto candidate : {at - (at != lane.start.begin()), at}) {
    if (candidate == lane.start.end()) continue;
    const Nanoseconds d = std::abs(*candidate - time);
    if (d < distance) distance = d, best = lane.id[std::size_t(candidate - lane.start.begin())];
  }
  return best;
}

std::ptrdiff_t Timeline::Lane::find(RowId wanted) const {
  if (wanted <= 0 || id.empty() || wanted < RowId(least_id) || wanted > RowId(most_id)) return -1;
  const auto small = std::uint32_t(wanted);
  const auto at = ids_grow ? std::lower_bound(id.begin(), id.end(), small) : std::find(id.begin(), id.end(), small);
  return at == id.end() || *at != small ? -1 : at - id.begin();
}

Timeline::Place Timeline::place_of(RowId id) const {
  for (std::size_t l = 0; l < lanes_.size(); ++l)
    if (const auto at = lanes_[l].find(id); at >= 0) return {int(l), lanes_[l].start[std::size_t(at)]};
  return {};
}

RowId Timeline::neighbour(RowId id, int step) const {
  const Place place = place_of(id);
  if (place.lane < 0) return 0;
  const auto& ids = lanes_[std::size_t(place.lane)].id;
  const auto at = lanes_[std::size_t(place.lane)].find(id) + step;
  return at < 0 || at >= std::ptrdiff_t(ids.size()) ? id : RowId(ids[std::size_t(at)]);
}

OutcomeCounts Timeline::count_between(int which, Nanoseconds begin, Nanoseconds end) const {
  const Lane& lane = lanes_[std::size_t(which)];
  const auto index = [&](Nanoseconds t) {
    return std::size_t(std::lower_bound(lane.start.begin(), lane.start.end(), t) - lane.start.begin());
  };
  const OutcomeCounts a = counts_before(lane, index(begin)), b = counts_before(lane, index(end));
  OutcomeCounts counts{};
  for (std::size_t i = 0; i < counts.size(); ++i) counts[i] = b[i] - a[i];
  return counts;
}

}  // namespace keyhole::inspector
