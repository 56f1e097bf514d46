// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>

#include "inspector/core/statistics.h"
#include "store_source.h"

namespace keyhole::inspector {
namespace {

constexpr std::size_t kRunsShown = 300;
// A reading of all lookups goes in steps of this many ids (about 20 ms) and answers after this time with what it has.
constexpr RowId kIdsAtOnce = 20'000;
constexpr std::chrono::milliseconds kStep{120};
constexpr std::size_t kReadings = 2;
constexpr std::int64_t kReadAnew = 50'000;
// A timeline of more events is given in parts.
constexpr std::int64_t kEventsHeld = 60'000;
constexpr std::size_t kLanes = 600;

}  // namespace

Result<void> StoreSource::read_points(Reading& reading, RowId first, RowId last) {
  auto points = points_passing(reading, [&] { return reader_.points(reading.asked, first, last); });
  if (!points) return tl::unexpected(points.error());
  for (const LookupPoint& p : *points) reading.census.add(p);
  return {};
}

Result<void> StoreSource::bring_up_to_date(std::unique_ptr<Reading>& reading, const FilterNode& filter,
                                           std::int64_t version_now) {
  auto last = reader_.last_lookup();
  if (!last) return tl::unexpected(last.error());
  auto whole = reader_.count({});
  if (!whole) return tl::unexpected(whole.error());
  // A small store is read anew: rows that were there may have changed as well.
  if (!reading || *whole <= kReadAnew || *whole < reading->whole || *last < reading->top) {
    reading = std::make_unique<Reading>();
    reading->filter = filter;
    reading->asked = store_filter(filter, reading->exact);
    reading->top = reading->below = *last;
  }
  reading->whole = *whole;
  auto processes = reader_.process_places(reading->census.last_process());
  if (!processes) return tl::unexpected(processes.error());
  for (const ProcessPlace& place : *processes) reading->census.add(place);
  if (reading->top < *last)
    if (auto read = read_points(*reading, reading->top + 1, *last); !read) return read;
  reading->top = *last;
  reading->version = version_now;  // only now: what was interrupted is done again
  return {};
}

Result<StoreSource::Reading*> StoreSource::read_on(const FilterNode& filter, const Ticket& ticket) {
  const std::int64_t now = *version();
  const auto known =
      std::find_if(readings_.begin(), readings_.end(), [&](const auto& r) { return same_filter(r->filter, filter); });
  std::unique_ptr<Reading> reading;
  if (known != readings_.end()) {
    reading = std::move(*known);
    readings_.erase(known);
  }
  std::optional<Error> failed;
  if (!reading || reading->version != now) {
    auto brought = bring_up_to_date(reading, filter, now);
    if (!brought) failed = brought.error();
  }
  const auto began = std::chrono::steady_clock::now();
  while (!failed && reading->below > 0 && !ticket.stale() && std::chrono::steady_clock::now() - began < kStep) {
    const RowId first = std::max<RowId>(1, reading->below - kIdsAtOnce + 1);
    if (auto read = read_points(*reading, first, reading->below); read)
      reading->below = first - 1;
    else
      failed = read.error();
  }
  if (!reading) return tl::unexpected(*failed);
  Reading* result = reading.get();
  readings_.insert(readings_.begin(), std::move(reading));
  if (readings_.size() > kReadings) readings_.pop_back();
  if (failed) return tl::unexpected(*failed);
  return result;
}

Result<Overview> StoreSource::overview(const FilterNode& filter, const Ticket& ticket) {
  auto reading = read_on(filter, ticket);
  if (!reading) return tl::unexpected(reading.error());
  const Census& census = (*reading)->census;
  Overview overview = census.overview();
  overview.all_runs = census.runs();
  overview.whole = (*reading)->top;
  overview.read = (*reading)->top - (*reading)->below;
  const bool filtered = !filter.children.empty() || filter.kind != FilterNode::Kind::all;
  auto runs = filtered ? reader_.runs_by_id(census.latest_runs(kRunsShown)) : reader_.newest_runs(kRunsShown);
  if (!runs) return tl::unexpected(runs.error());
  std::reverse(runs->begin(), runs->end());
  for (const RunRow& run : *runs) overview.lost_by_run.push_back(census.of_run(run.id).lost);
  overview.runs = std::move(*runs);
  return overview;
}

Result<TimelinePtr> StoreSource::timeline(const FilterNode& filter, bool aligned, std::optional<TimeSpan> window,
                                          const Ticket& ticket) {
  auto reading = read_on(filter, ticket);
  if (!reading) return tl::unexpected(reading.error());
  const Census& census = (*reading)->census;
  const auto finish = [](TimelineBuilder&& builder, bool align) {
    return std::make_shared<Timeline>(std::move(builder).finish(align));
  };

  if (census.lookups() <= kEventsHeld && (*reading)->complete() && census.runs() <= std::int64_t(kLanes)) {
    auto runs = reader_.runs_by_id(census.latest_runs(kLanes));
    if (!runs) return tl::unexpected(runs.error());
    TimelineBuilder builder(*runs);
    for (RowId last = (*reading)->top; last > 0 && !ticket.stale(); last -= kIdsAtOnce) {
      auto points = points_passing(**reading, [&] {
        return reader_.points((*reading)->asked, std::max<RowId>(1, last - kIdsAtOnce + 1), last);
      });
      if (!points) return tl::unexpected(points.error());
      for (const LookupPoint& p : *points) builder.add(p, census.run_of(p.process), census.rank_of(p.process));
    }
    return finish(std::move(builder), aligned);
  }

  // The whole of time, and which runs have something in the window: the latest of them get lanes.
  Nanoseconds begin = INT64_MAX, end = 0, longest = 0;
  std::unordered_map<RowId, std::int64_t> in_window;  // by run
  std::int64_t events_in_window = 0;
  for (const Census::Cell& cell : census.cells()) {
    if (cell.second == Census::kNoTime) continue;
    const Nanoseconds from = Nanoseconds(cell.second) * kSecond, to = from + census.span() * kSecond;
    begin = std::min(begin, from), end = std::max(end, to);
    if (!aligned && window && (to <= window->begin || from >= window->end)) continue;
    const std::int64_t n = cell.sum();
    in_window[census.run_of(cell.process)] += n;
    events_in_window += n;
  }
  if (begin > end) begin = end = 0;
  std::vector<RowId> latest;
  for (const auto& [run, n] : in_window) latest.push_back(run);
  const auto later = [&](RowId a, RowId b) {
    const auto x = census.of_run(a).first, y = census.of_run(b).first;
    return x != y ? x > y : a > b;
  };
  const auto many = std::min(latest.size(), kLanes / 3);
  std::partial_sort(latest.begin(), latest.begin() + std::ptrdiff_t(many), latest.end(), later);
  const auto more = std::int64_t(latest.size() - many);
  latest.resize(many);
  auto runs = reader_.runs_by_id(latest);
  if (!runs) return tl::unexpected(runs.error());
  const std::unordered_set<RowId> chosen(latest.begin(), latest.end());
  TimelineBuilder builder(*runs);
  const auto add = [&](const LookupPoint& p) {
    const RowId run = census.run_of(p.process);
    if (chosen.contains(run)) builder.add(p, run, census.rank_of(p.process));
  };
  bool singles = false;
  if (aligned) {
    std::int64_t events = 0;
    for (const RowId run : latest)
      events += census.of_run(run).lookups,
          longest = std::max(longest, census.of_run(run).last - census.of_run(run).first);
    singles = events <= kEventsHeld;
    if (singles) {
      const Nanoseconds from = census.of_run(latest.empty() ? 0 : latest.back()).first;
      auto points = points_passing(
          **reading, [&] { return reader_.points_between((*reading)->asked, from, end, kEventsHeld * 4); });
      if (!points) return tl::unexpected(points.error());
      for (const LookupPoint& p : *points) add(p);
    }
  } else if (events_in_window <= kEventsHeld && window) {
    singles = true;
    auto points = points_passing(**reading, [&] {
      return reader_.points_between((*reading)->asked, window->begin, window->end, kEventsHeld * 4);
    });
    if (!points) return tl::unexpected(points.error());
    for (const LookupPoint& p : *points) {
      add(p);
      if (more > 0) builder.add_to_all(p);
    }
  }
  if (!singles || (!aligned && more > 0)) {
    for (const Census::Cell& cell : census.cells()) {
      if (cell.second == Census::kNoTime) continue;
      const Nanoseconds from = Nanoseconds(cell.second) * kSecond, to = from + census.span() * kSecond;
      const bool seen = !window || aligned || (to > window->begin && from < window->end);
      const RowId run = census.run_of(cell.process);
      if (!singles && chosen.contains(run)) builder.add(cell, census.span(), run, census.rank_of(cell.process));
      if (!aligned && more > 0 && (!singles || !seen)) builder.add_to_all(cell, census.span());
    }
  }
  auto timeline = finish(std::move(builder), aligned);
  if (aligned)
    timeline->set_part(0, longest + kSecond, more, (*reading)->complete());
  else
    timeline->set_part(begin, end, more, (*reading)->complete());
  return timeline;
}

}  // namespace keyhole::inspector
