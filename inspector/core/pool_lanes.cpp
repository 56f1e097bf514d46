// SPDX-License-Identifier: Apache-2.0
#include "inspector/core/pool_lanes.h"

#include <algorithm>
#include <functional>
#include <map>

#include "inspector/core/format.h"

namespace keyhole::inspector {
namespace {

Nanoseconds length_of(const LookupRecord& r) {
  return r.outcome == Outcome::hit ? std::max<Nanoseconds>(r.duration, 0)
                                   : std::max<Nanoseconds>(std::max(r.cost, r.duration), 0);
}

}  // namespace

TimelinePtr pool_lanes(const std::vector<CompileJob>& jobs) {
  std::map<std::pair<std::int64_t, RowId>, std::vector<const CompileJob*>, std::greater<>> runs;
  for (const CompileJob& job : jobs) runs[{job.row.run_order, job.row.run}].push_back(&job);

  std::vector<LaneInfo> lanes;
  std::vector<TimelineEvent> events;
  for (auto& [order, of_run] : runs) {
    std::sort(of_run.begin(), of_run.end(), [](const CompileJob* a, const CompileJob* b) {
      return std::pair(a->row.record.time, a->row.id) < std::pair(b->row.record.time, b->row.id);
    });
    const auto first_lane = lanes.size();
    std::vector<Nanoseconds> free_from;  // of each slot of this run
    Nanoseconds start = 0;
    for (const CompileJob* job : of_run) {
      const LookupRecord& r = job->row.record;
      TimelineEvent event;
      event.id = job->row.id;
      event.time = r.time;
      event.duration = length_of(r);
      event.outcome = job->outcome();
      std::size_t slot = 0;
      if (r.time >= 0) {
        if (free_from.empty()) start = r.time;
        while (slot < free_from.size() && free_from[slot] > r.time) ++slot;
        if (slot == free_from.size()) free_from.push_back(0);
        free_from[slot] = r.time + event.duration;
      }
      if (first_lane + slot == lanes.size()) {
        LaneInfo lane;
        lane.run = order.second;
        lane.layer = r.layer;
        lane.run_name = text_of(job->row.run_name);
        lane.label = QStringLiteral("slot %1").arg(slot + 1);
        lanes.push_back(std::move(lane));
      }
      event.lane = std::uint32_t(first_lane + slot);
      events.push_back(event);
    }
    for (std::size_t lane = first_lane; lane < lanes.size(); ++lane) lanes[lane].run_start = start;
  }
  return std::make_shared<const Timeline>(std::move(lanes), std::move(events), true);
}

}  // namespace keyhole::inspector
