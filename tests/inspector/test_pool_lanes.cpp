// SPDX-License-Identifier: Apache-2.0
#include "inspector/core/pool_lanes.h"

#include <QtTest>

using namespace keyhole;
using namespace keyhole::inspector;

class TestPoolLanes : public QObject {
  Q_OBJECT
  static CompileJob job(RowId id, RowId run, Nanoseconds time, Nanoseconds cost, Outcome outcome = Outcome::miss) {
    CompileJob j;
    j.row.id = id;
    j.row.run = j.row.run_order = run;
    j.row.run_name = "build " + std::to_string(run);
    j.row.record.layer = Layer::cuda;
    j.row.record.time = time;
    j.row.record.cost = outcome == Outcome::miss ? cost : -1;
    j.row.record.duration = outcome == Outcome::miss ? 1 : cost;
    j.row.record.outcome = outcome;
    return j;
  }

 private slots:
  void a_lane_a_job_slot() {
    // 1 and 2 run at once, 3 begins when 2 has ended, 4 runs beside both 1 and 3.
    const auto t = pool_lanes({job(4, 1, 60, 10), job(3, 1, 50, 30), job(2, 1, 10, 40), job(1, 1, 0, 100)});
    QCOMPARE(t->lane_count(), 3);
    QCOMPARE(t->place_of(1).lane, 0);
    QCOMPARE(t->place_of(2).lane, 1);
    QCOMPARE(t->place_of(3).lane, 1);
    QCOMPARE(t->place_of(4).lane, 2);
    QCOMPARE(t->lane(2).label, QStringLiteral("slot 3"));
  }

  void each_run_has_lanes_of_its_own_from_its_start() {
    const auto t = pool_lanes({job(1, 1, 1000, 10), job(2, 2, 5000, 10), job(3, 2, 5020, 10)});
    QCOMPARE(t->lane_count(), 2);  // one job at a time in each
    QCOMPARE(t->lane(0).run_name, QStringLiteral("build 2"));
    QCOMPARE(t->lane(1).run_name, QStringLiteral("build 1"));
    QCOMPARE(t->place_of(2).time, Nanoseconds{0});
    QCOMPARE(t->place_of(3).time, Nanoseconds{20});
    QCOMPARE(t->place_of(1).time, Nanoseconds{0});
  }

  void a_hit_lasts_as_long_as_its_lookup() {
    const auto t = pool_lanes({job(1, 1, 0, 5, Outcome::hit), job(2, 1, 6, 5, Outcome::hit)});
    QCOMPARE(t->lane_count(), 1);
    QCOMPARE(t->events_in(0), std::size_t{2});
  }

  void jobs_without_a_time_are_counted() {
    const auto t = pool_lanes({job(1, 1, kUnknownTime, 5), job(2, 1, 10, 5)});
    QCOMPARE(t->without_time(), std::int64_t{1});
    QCOMPARE(t->place_of(2).time, Nanoseconds{0});
    QCOMPARE(pool_lanes({})->lane_count(), 0);
  }
};

QTEST_APPLESS_MAIN(TestPoolLanes)
#include "test_pool_lanes.moc"
