// SPDX-License-Identifier: Apache-2.0
#include "inspector/core/census.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace keyhole::inspector {
namespace {

constexpr std::size_t kRecent = 1U << 12U;
constexpr std::size_t kColumns = 48;  // of the chart over time, at most
constexpr std::int64_t kSpans[] = {1,     2,     5,         10,        15,         30,         60,    120,
                                   300,   600,   900,       1800,      3600,       7200,       10800, 21600,
                                   43200, 86400, 2 * 86400, 7 * 86400, 30 * 86400, 365 * 86400};

double seconds(Nanoseconds n) {
  return n > 0 ? double(n) * 1e-9 : 0;
}

template <class T>
T& grown(std::vector<T>& items, std::size_t index) {
  if (index >= items.size()) items.resize(std::max(index + 1, items.size() + items.size() / 2));
  return items[index];
}

}  // namespace

std::int64_t Census::Cell::sum() const {
  std::int64_t n = 0;
  for (const auto c : counts) n += c;
  return n;
}

void Census::add(const ProcessPlace& place) {
  if (place.id < 0) return;
  if (std::size_t(place.id) >= places_.size()) places_.resize(std::size_t(place.id) + 1);
  places_[std::size_t(place.id)] = {std::uint32_t(place.run), std::int16_t(place.rank.value_or(-1))};
}

RowId Census::run_of(RowId process) const {
  return process >= 0 && std::size_t(process) < places_.size() ? places_[std::size_t(process)].run : 0;
}

std::optional<int> Census::rank_of(RowId process) const {
  if (process < 0 || std::size_t(process) >= places_.size() || places_[std::size_t(process)].rank < 0) return {};
  return places_[std::size_t(process)].rank;
}

void Census::add(const LookupPoint& p) {
  if (recent_.empty()) recent_.assign(kRecent, 0);
  ++lookups_;
  const auto second = p.time < 0 ? kNoTime : std::uint32_t(p.time / kSecond / span_ * span_);
  const auto process = std::uint32_t(p.process);
  const std::uint64_t hash = (std::uint64_t(process) * 0x9e3779b97f4a7c15ULL) ^
                             (std::uint64_t(second) * 0xc2b2ae3d27d4eb4fULL) ^
                             (std::uint64_t(p.layer) * 0x165667b19e3779f9ULL);
  std::uint32_t& at = recent_[std::size_t(hash >> 52U) % kRecent];
  if (at >= cells_.size() || cells_[at].process != process || cells_[at].second != second ||
      cells_[at].layer != p.layer) {
    at = std::uint32_t(cells_.size());
    cells_.push_back({process, second, p.layer, {}, 0, 0});
  }
  Cell& cell = cells_[at];
  ++cell.counts[index_of(p.outcome)];
  if (p.outcome == Outcome::hit)
    cell.saved += float(seconds(p.saved));
  else
    cell.cost += float(seconds(p.cost));

  RunSum& run = grown(runs_, std::size_t(run_of(p.process)));
  ++run.lookups;
  if (p.time >= 0) {
    if (run.first < 0 || p.time < run.first) run.first = p.time;
    run.last = std::max(run.last, p.time);
  }
  if (p.outcome != Outcome::hit && p.cost > 0) lose(p);
  if (cells_.size() > most_cells_) widen();
}

void Census::lose(const LookupPoint& p) {
  double lost = seconds(p.cost);
  if (p.compile > 0) {
    CompileCost& cost = grown(costs_, std::size_t(p.compile));
    const auto layer = std::uint8_t(p.layer);
    if (layer > cost.layer) return;
    if (layer < cost.layer) {
      lost -= double(cost.seconds);
      cost = {float(seconds(p.cost)), layer};
    } else {
      cost.seconds += float(seconds(p.cost));
    }
  }
  runs_[std::size_t(run_of(p.process))].lost += lost;
}

void Census::widen() {
  const auto order = [](const Cell& c) { return std::tuple(c.process, c.layer, c.second); };
  while (true) {
    std::sort(cells_.begin(), cells_.end(), [&](const Cell& a, const Cell& b) { return order(a) < order(b); });
    std::size_t kept = 0;
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      if (kept > 0 && order(cells_[kept - 1]) == order(cells_[i])) {
        Cell& to = cells_[kept - 1];
        for (std::size_t o = 0; o < to.counts.size(); ++o) to.counts[o] += cells_[i].counts[o];
        to.cost += cells_[i].cost, to.saved += cells_[i].saved;
      } else {
        cells_[kept++] = cells_[i];
      }
    }
    cells_.resize(kept);
    if (kept <= most_cells_ / 2) break;
    const auto* wider = std::upper_bound(std::begin(kSpans), std::end(kSpans), span_);
    if (wider == std::end(kSpans) || span_ >= 3600) {
      most_cells_ = std::max(most_cells_, kept * 2);  // so many processes: time is not what makes the cells many
      break;
    }
    span_ = *wider;
    for (Cell& c : cells_)
      if (c.second != kNoTime) c.second = std::uint32_t(std::int64_t(c.second) / span_ * span_);
  }
  recent_.assign(kRecent, 0xffffffff);
}

const Census::RunSum& Census::of_run(RowId run) const {
  static const RunSum none;
  return run >= 0 && std::size_t(run) < runs_.size() ? runs_[std::size_t(run)] : none;
}

std::int64_t Census::runs() const {
  return std::count_if(runs_.begin(), runs_.end(), [](const RunSum& r) { return r.lookups > 0; });
}

std::vector<RowId> Census::latest_runs(std::size_t limit) const {
  std::vector<RowId> runs;
  for (std::size_t i = 0; i < runs_.size(); ++i)
    if (runs_[i].lookups > 0) runs.push_back(RowId(i));
  const auto later = [&](RowId a, RowId b) {
    const auto x = of_run(a).first, y = of_run(b).first;
    return x != y ? x > y : a > b;
  };
  const auto middle = runs.begin() + std::ptrdiff_t(std::min(limit, runs.size()));
  std::partial_sort(runs.begin(), middle, runs.end(), later);
  runs.erase(middle, runs.end());
  return runs;
}

Overview Census::overview() const {
  Overview o;
  std::map<Layer, Overview::LayerRow> layers;
  std::unordered_map<std::uint32_t, std::array<LayerCounts, 9>> by_second;
  for (const Cell& c : cells_) {
    auto& layer = layers[c.layer];
    layer.layer = c.layer;
    for (std::size_t i = 0; i < c.counts.size(); ++i) {
      layer.counts[i] += c.counts[i];
      o.total[i] += c.counts[i];
    }
    layer.lost += double(c.cost);
    layer.saved += double(c.saved);
    o.saved += double(c.saved);
    if (c.second == kNoTime) continue;
    auto& column = by_second[c.second][std::size_t(c.layer)];
    for (std::size_t i = 0; i < c.counts.size(); ++i) column[i] += c.counts[i];
  }
  for (auto& [layer, row] : layers) o.layers.push_back(row);
  for (const RunSum& run : runs_) o.lost += run.lost;
  if (by_second.empty()) return o;

  // The narrowest clock step that gives at most kColumns columns with something in them.
  std::vector<std::uint32_t> times;
  times.reserve(by_second.size());
  for (const auto& [second, counts] : by_second) times.push_back(second);
  std::sort(times.begin(), times.end());
  std::int64_t step = span_;
  for (const std::int64_t candidate : kSpans) {
    if (candidate < span_) continue;
    step = candidate;
    std::size_t columns = 0;
    std::int64_t last = -1;
    for (const auto second : times) {
      if (second / step != last) ++columns, last = second / step;
      if (columns > kColumns) break;
    }
    if (columns <= kColumns) break;
  }
  o.bucket_width = step * kSecond;
  for (const auto second : times) {
    const Nanoseconds begin = std::int64_t(second) / step * o.bucket_width;
    if (o.buckets.empty() || o.buckets.back().begin != begin) {
      o.buckets.emplace_back();
      o.buckets.back().begin = begin;
    }
    const auto& from = by_second[second];
    for (std::size_t layer = 0; layer < from.size(); ++layer)
      for (std::size_t i = 0; i < from[layer].size(); ++i) o.buckets.back().counts[layer][i] += from[layer][i];
  }
  return o;
}

}  // namespace keyhole::inspector
