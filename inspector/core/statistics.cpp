// SPDX-License-Identifier: Apache-2.0
#include "inspector/core/statistics.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "inspector/core/format.h"

namespace keyhole::inspector {
namespace {

constexpr std::size_t kBuckets = 48;
constexpr Nanoseconds kSecond = 1'000'000'000;

double seconds(Nanoseconds n) { return n > 0 ? double(n) * 1e-9 : 0; }

// -1, 0 or 1; what is unknown (empty, negative) comes after everything, in both directions.
template <class T>
int compare_values(const T& a, const T& b, bool a_known, bool b_known, bool descending) {
  if (a_known != b_known) return a_known ? -1 : 1;
  if (!a_known || a == b) return 0;
  return (a < b) != descending ? -1 : 1;
}
int compare(std::int64_t a, std::int64_t b, bool descending) { return compare_values(a, b, a >= 0, b >= 0, descending); }
int compare(const std::string& a, const std::string& b, bool descending) {
  return compare_values(a, b, !a.empty(), !b.empty(), descending);
}

}  // namespace

void OverviewBuilder::add(const LookupRow& row) {
  const LookupRecord& r = row.record;
  auto& layer = layers_[r.layer];
  layer.layer = r.layer;
  ++layer.counts[index_of(r.outcome)];
  ++overview_.total[index_of(r.outcome)];
  ++run_lookups_[row.run];
  if (Nanoseconds& first = run_start_.try_emplace(row.run, kUnknownTime).first->second; r.time >= 0 && (first < 0 || r.time < first))
    first = r.time;
  if (r.outcome == Outcome::hit) {
    layer.saved += seconds(r.saved);
    overview_.saved += seconds(r.saved);
  } else if (r.cost > 0) {
    layer.lost += seconds(r.cost);
    std::string key = std::to_string(row.process) + ' ';
    key += r.compile.known() ? r.compile.text() + '.' + std::to_string(r.compile.attempt) : '#' + std::to_string(row.id);
    CompileCost& cost = costs_[key];
    cost.run = row.run;
    if (const auto number = std::uint8_t(r.layer); number < cost.layer)
      cost.layer = number, cost.seconds = seconds(r.cost);
    else if (number == cost.layer)
      cost.seconds += seconds(r.cost);
  }
  if (r.time >= 0) points_.push_back({r.time, std::uint8_t(r.layer), std::uint8_t(r.outcome)});
}

Overview OverviewBuilder::finish(std::vector<RunRow> runs, bool filtered) && {
  Overview o = std::move(overview_);
  for (auto& [layer, row] : layers_) o.layers.push_back(row);
  std::unordered_map<RowId, double> lost_by_run;
  for (const auto& [key, cost] : costs_) {
    o.lost += cost.seconds;
    lost_by_run[cost.run] += cost.seconds;
  }
  if (filtered) std::erase_if(runs, [&](const RunRow& run) { return !run_lookups_.count(run.id); });
  std::reverse(runs.begin(), runs.end());
  for (RunRow& run : runs) {
    o.lost_by_run.push_back(lost_by_run[run.id]);
    if (const auto first = run_start_.find(run.id); run.record.start < 0 && first != run_start_.end()) run.record.start = first->second;
  }
  o.runs = std::move(runs);
  if (points_.empty()) return o;

  // The narrowest clock step that gives at most kBuckets columns with something in them.
  std::sort(points_.begin(), points_.end(), [](const Point& a, const Point& b) { return a.time < b.time; });
  static const std::int64_t steps[] = {1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200,
                                       86400, 2 * 86400, 7 * 86400, 30 * 86400, 365 * 86400};
  for (const std::int64_t step : steps) {
    o.bucket_width = step * kSecond;
    std::size_t columns = 0;
    Nanoseconds last = -1;
    for (const Point& p : points_) {
      const Nanoseconds begin = p.time / o.bucket_width * o.bucket_width;
      if (begin != last) ++columns, last = begin;
      if (columns > kBuckets) break;
    }
    if (columns <= kBuckets) break;
  }
  for (const Point& p : points_) {
    const Nanoseconds begin = p.time / o.bucket_width * o.bucket_width;
    if (o.buckets.empty() || o.buckets.back().begin != begin) {
      o.buckets.emplace_back();
      o.buckets.back().begin = begin;
    }
    ++o.buckets.back().counts[p.layer][std::size_t(p.outcome) - 1];
  }
  return o;
}

TimelineBuilder::TimelineBuilder(const std::vector<RunRow>& runs) {
  std::int64_t place = 0;
  for (const RunRow& run : runs) runs_[run.id] = {place++, run.record.start};
}

void TimelineBuilder::add(const LookupRow& row) {
  const LookupRecord& r = row.record;
  const auto run = runs_.find(row.run);
  const auto [it, is_new] = lane_of_.try_emplace({run == runs_.end() ? 0 : run->second.first, row.process, r.layer},
                                                 std::uint32_t(lanes_.size()));
  if (is_new) {
    LaneInfo info;
    info.run = row.run, info.process = row.process, info.layer = r.layer;
    info.run_name = text_of(row.run_name);
    info.label = row.rank ? QStringLiteral("rank %1 · %2").arg(*row.rank).arg(title_of(r.layer)) : title_of(r.layer);
    info.run_start = run == runs_.end() ? kUnknownTime : run->second.second;
    lanes_.push_back(std::move(info));
    first_.push_back(kUnknownTime);
  }
  Nanoseconds& first = first_[it->second];
  if (r.time >= 0 && (first < 0 || r.time < first)) first = r.time;
  const Nanoseconds length = r.outcome == Outcome::hit ? r.duration : r.cost;
  events_.push_back({row.id, r.time, length, it->second, r.outcome});
}

TimelinePtr TimelineBuilder::finish(bool aligned) && {
  // A run's start is its record's, or its first event's where that is earlier or the record knows none.
  std::unordered_map<RowId, Nanoseconds> start;
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    const auto [it, is_new] = start.try_emplace(lanes_[i].run, lanes_[i].run_start);
    if (first_[i] >= 0 && (it->second < 0 || first_[i] < it->second)) it->second = first_[i];
  }
  for (LaneInfo& lane : lanes_) lane.run_start = std::max<Nanoseconds>(0, start[lane.run]);
  // Newest run on top, its processes and layers in their order.
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
  return std::make_shared<const Timeline>(std::move(ordered), std::move(events_), aligned);
}

bool comes_before(const LookupRow& a, const LookupRow& b, LookupColumn column, bool descending) {
  const LookupRecord &x = a.record, &y = b.record;
  int order = 0;
  switch (column) {
    case LookupColumn::time: order = compare(x.time, y.time, descending); break;
    case LookupColumn::outcome: order = compare(std::int64_t(x.outcome), std::int64_t(y.outcome), descending); break;
    case LookupColumn::layer: order = compare(std::int64_t(x.layer), std::int64_t(y.layer), descending); break;
    case LookupColumn::compile:
      order = compare_values(x.compile, y.compile, x.compile.known(), y.compile.known(), descending);
      break;
    case LookupColumn::run: order = compare(a.run_order, b.run_order, descending); break;
    case LookupColumn::rank: order = compare(a.rank.value_or(-1), b.rank.value_or(-1), descending); break;
    case LookupColumn::function: order = compare(a.function, b.function, descending); break;
    case LookupColumn::key: order = compare(x.key, y.key, descending); break;
    case LookupColumn::cost: order = compare(x.cost, y.cost, descending); break;
    case LookupColumn::saved: order = compare(x.saved, y.saved, descending); break;
    case LookupColumn::duration: order = compare(x.duration, y.duration, descending); break;
    case LookupColumn::reason: order = compare(x.reason, y.reason, descending); break;
  }
  return order != 0 ? order < 0 : descending ? a.id > b.id : a.id < b.id;
}

bool comes_before(const EntryRow& a, const EntryRow& b, EntryColumn column, bool descending) {
  const EntryRecord &x = a.record, &y = b.record;
  int order = 0;
  switch (column) {
    case EntryColumn::layer: order = compare(std::int64_t(x.layer), std::int64_t(y.layer), descending); break;
    case EntryColumn::key: order = compare(x.key, y.key, descending); break;
    case EntryColumn::file: order = compare(x.path, y.path, descending); break;
    case EntryColumn::state: order = compare(std::int64_t(x.state), std::int64_t(y.state), descending); break;
    case EntryColumn::size: order = compare(x.size, y.size, descending); break;
    case EntryColumn::modified: order = compare(x.modified, y.modified, descending); break;
    case EntryColumn::cost: order = compare(x.cost, y.cost, descending); break;
    case EntryColumn::direction: order = compare(std::int64_t(x.direction), std::int64_t(y.direction), descending); break;
    case EntryColumn::guard: order = compare(x.guard, y.guard, descending); break;
  }
  return order != 0 ? order < 0 : descending ? a.id > b.id : a.id < b.id;
}

}  // namespace keyhole::inspector
