// SPDX-License-Identifier: Apache-2.0
#include "inspector/core/statistics.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "inspector/core/format.h"

namespace keyhole::inspector {

TimelineBuilder::TimelineBuilder(const std::vector<RunRow>& runs) {
  std::int64_t place = 0;
  for (const RunRow& run : runs) runs_[run.id] = {place++, text_of(run.record.name), run.record.start};
}

std::uint32_t TimelineBuilder::lane_of(RowId run, RowId process, Layer layer, std::optional<int> rank,
                                       Nanoseconds time) {
  Run& of = runs_[run];
  if (time >= 0 && (of.start < 0 || time < of.start)) of.start = time;
  const auto [it, is_new] = lane_of_.try_emplace({of.place, process, layer}, std::uint32_t(lanes_.size()));
  if (is_new) {
    LaneInfo lane;
    lane.run = run, lane.process = process, lane.layer = layer;
    lane.run_name = of.name;
    lane.label = title_of(layer);
    if (rank) lane.label = QStringLiteral("rank %1 · %2").arg(*rank).arg(lane.label);
    lanes_.push_back(std::move(lane));
  }
  return it->second;
}

std::uint32_t TimelineBuilder::all_lane() {
  // Behind every run: the last place comes out on top.
  const auto [it, is_new] = lane_of_.try_emplace({INT64_MAX, 0, Layer{}}, std::uint32_t(lanes_.size()));
  if (is_new) {
    LaneInfo lane;
    lane.run_name = QStringLiteral("All runs");
    lane.label = QStringLiteral("all layers");
    lane.run_start = 0;
    lanes_.push_back(std::move(lane));
  }
  return it->second;
}

namespace {

TimelineEvent event_of(const LookupPoint& p, std::uint32_t lane) {
  return {p.id, p.time, p.outcome == Outcome::hit ? p.duration : p.cost, lane, p.outcome, {}};
}

TimelineEvent span_of(const Census::Cell& cell, std::int64_t seconds, std::uint32_t lane) {
  return {0,
          cell.second == Census::kNoTime ? kUnknownTime : Nanoseconds(cell.second) * kSecond,
          seconds * kSecond,
          lane,
          Outcome::hit,
          cell.counts};
}

}  // namespace

void TimelineBuilder::add(const LookupPoint& p, RowId run, std::optional<int> rank) {
  events_.push_back(event_of(p, lane_of(run, p.process, p.layer, rank, p.time)));
}

void TimelineBuilder::add(const Census::Cell& cell, std::int64_t seconds_of, RowId run, std::optional<int> rank) {
  TimelineEvent e = span_of(cell, seconds_of, 0);
  e.lane = lane_of(run, cell.process, cell.layer, rank, e.time);
  events_.push_back(e);
}

void TimelineBuilder::add_to_all(const Census::Cell& cell, std::int64_t seconds_of) {
  events_.push_back(span_of(cell, seconds_of, all_lane()));
}
void TimelineBuilder::add_to_all(const LookupPoint& p) {
  events_.push_back(event_of(p, all_lane()));
}

Timeline TimelineBuilder::finish(bool aligned) && {
  for (LaneInfo& lane : lanes_)
    if (lane.run != 0) lane.run_start = std::max<Nanoseconds>(0, runs_[lane.run].start);
  // The newest run on top, its processes and layers in their order.
  std::vector<std::uint32_t> moved(lanes_.size());
  std::vector<LaneInfo> ordered;
  auto from = lane_of_.end();
  while (from != lane_of_.begin()) {
    auto begin = std::prev(from);
    while (begin != lane_of_.begin() && std::get<0>(std::prev(begin)->first) == std::get<0>(begin->first)) --begin;
    for (auto it = begin; it != from; ++it) {
      moved[it->second] = std::uint32_t(ordered.size());
      ordered.push_back(std::move(lanes_[it->second]));
    }
    from = begin;
  }
  for (TimelineEvent& e : events_) e.lane = moved[e.lane];
  return Timeline(std::move(ordered), std::move(events_), aligned);
}

}  // namespace keyhole::inspector
