// SPDX-License-Identifier: Apache-2.0
#include "inspector/core/statistics.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "inspector/core/format.h"

namespace keyhole::inspector {
namespace {

// -1, 0 or 1; what is unknown (empty, negative) comes after everything, in both directions.
template <class T>
int compare_values(const T& a, const T& b, bool a_known, bool b_known, bool descending) {
  if (a_known != b_known) return a_known ? -1 : 1;
  if (!a_known || a == b) return 0;
  return (a < b) != descending ? -1 : 1;
}
int compare(std::int64_t a, std::int64_t b, bool descending) {
  return compare_values(a, b, a >= 0, b >= 0, descending);
}
int compare(const std::string& a, const std::string& b, bool descending) {
  return compare_values(a, b, !a.empty(), !b.empty(), descending);
}

}  // namespace

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

bool comes_before(const LookupRow& a, const LookupRow& b, LookupColumn column, bool descending) {
  const LookupRecord &x = a.record, &y = b.record;
  int order = 0;
  switch (column) {
    case LookupColumn::time:
      order = compare(x.time, y.time, descending);
      break;
    case LookupColumn::outcome:
      order = compare(std::int64_t(x.outcome), std::int64_t(y.outcome), descending);
      break;
    case LookupColumn::layer:
      order = compare(std::int64_t(x.layer), std::int64_t(y.layer), descending);
      break;
    case LookupColumn::compile:
      order = compare_values(x.compile, y.compile, x.compile.known(), y.compile.known(), descending);
      break;
    case LookupColumn::run:
      order = compare(a.run_order, b.run_order, descending);
      break;
    case LookupColumn::rank:
      order = compare(a.rank.value_or(-1), b.rank.value_or(-1), descending);
      break;
    case LookupColumn::function:
      order = compare(a.function, b.function, descending);
      break;
    case LookupColumn::key:
      order = compare(x.key, y.key, descending);
      break;
    case LookupColumn::cost:
      order = compare(x.cost, y.cost, descending);
      break;
    case LookupColumn::saved:
      order = compare(x.saved, y.saved, descending);
      break;
    case LookupColumn::duration:
      order = compare(x.duration, y.duration, descending);
      break;
    case LookupColumn::reason:
      order = compare(x.reason, y.reason, descending);
      break;
  }
  return order != 0 ? order < 0 : descending ? a.id > b.id : a.id < b.id;
}

bool comes_before(const EntryRow& a, const EntryRow& b, EntryColumn column, bool descending) {
  const EntryRecord &x = a.record, &y = b.record;
  int order = 0;
  switch (column) {
    case EntryColumn::layer:
      order = compare(std::int64_t(x.layer), std::int64_t(y.layer), descending);
      break;
    case EntryColumn::key:
      order = compare(x.key, y.key, descending);
      break;
    case EntryColumn::file:
      order = compare(x.path, y.path, descending);
      break;
    case EntryColumn::state:
      order = compare(std::int64_t(x.state), std::int64_t(y.state), descending);
      break;
    case EntryColumn::size:
      order = compare(x.size, y.size, descending);
      break;
    case EntryColumn::modified:
      order = compare(x.modified, y.modified, descending);
      break;
    case EntryColumn::cost:
      order = compare(x.cost, y.cost, descending);
      break;
    case EntryColumn::direction:
      order = compare(std::int64_t(x.direction), std::int64_t(y.direction), descending);
      break;
    case EntryColumn::guard:
      order = compare(x.guard, y.guard, descending);
      break;
  }
  return order != 0 ? order < 0 : descending ? a.id > b.id : a.id < b.id;
}

}  // namespace keyhole::inspector
