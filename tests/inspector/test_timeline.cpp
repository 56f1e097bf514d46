// SPDX-License-Identifier: Apache-2.0
#include "inspector/core/timeline.h"

#include <QtTest>
#include <random>

using namespace keyhole;
using namespace keyhole::inspector;

class TestTimeline : public QObject {
  Q_OBJECT
  static std::vector<TimelineEvent> random_events(std::size_t n, Nanoseconds span, unsigned seed) {
    std::mt19937_64 random(seed);
    std::vector<TimelineEvent> events;
    for (std::size_t i = 0; i < n; ++i)
      events.push_back(
          {RowId(i + 1), Nanoseconds(random() % std::uint64_t(span)), -1, 0, Outcome(1 + random() % 5), {}});
    return events;
  }

 private slots:
  void every_event_in_view_is_counted_once() {
    const auto events = random_events(5000, 1'000'000, 1);
    const Timeline t({LaneInfo{}}, events, false);
    for (const TimelineWindow w :
         {TimelineWindow{0, 1'000'000, 300}, {250'000, 500'000, 1000}, {999'000, 1'000'000, 50}}) {
      OutcomeCounts expected{}, counted{};
      RowId before_view = 0;
      Nanoseconds latest = -1;
      for (const TimelineEvent& e : events) {
        if (e.time >= w.begin && e.time <= w.end) ++expected[index_of(e.outcome)];
        if (e.time < w.begin && e.time > latest) latest = e.time, before_view = e.id;
      }
      for (const TimelineMark& m : t.marks(0, w)) {
        if (m.first == before_view && m.count == 1) continue;
        for (std::size_t i = 0; i < counted.size(); ++i) counted[i] += m.outcomes[i];
        std::uint32_t sum = 0;
        for (const auto n : m.outcomes) sum += n;
        QCOMPARE(sum, m.count);
      }
      // The mark at the left edge may hold the event just before the view and those that follow it within the fold.
      std::uint32_t a = 0, b = 0;
      for (std::size_t i = 0; i < counted.size(); ++i) a += expected[i], b += counted[i];
      QVERIFY2(b >= a - 1 && b <= a + 3, qPrintable(QStringLiteral("%1 %2").arg(a).arg(b)));
    }
  }

  void marks_closer_than_three_pixels_fold() {
    std::vector<TimelineEvent> events;
    for (int i = 0; i < 10; ++i) events.push_back({i + 1, i * 100, -1, 0, i == 4 ? Outcome::error : Outcome::hit, {}});
    const Timeline t({LaneInfo{}}, events, false);
    const auto far = t.marks(0, {0, 1000, 100});  // 10 pixels apart
    QCOMPARE(far.size(), std::size_t{10});
    const auto near = t.marks(0, {0, 100'000, 100});  // all within a pixel
    QCOMPARE(near.size(), std::size_t{1});
    QCOMPARE(near[0].count, 10U);
    QCOMPARE(near[0].worst(), Outcome::error);
    QCOMPARE(near[0].first, RowId{1});
    for (std::size_t i = 1; i < far.size(); ++i) QVERIFY(far[i].x - far[i - 1].x >= Timeline::kFoldPixels);
  }

  void counts_agree_with_a_scan() {
    const auto events = random_events(3000, 100'000, 2);
    const Timeline t({LaneInfo{}}, events, false);
    for (const auto& [from, to] :
         {std::pair<Nanoseconds, Nanoseconds>{0, 100'000}, {1234, 56'789}, {99'990, 100'000}, {5, 5}}) {
      OutcomeCounts expected{};
      for (const TimelineEvent& e : events)
        if (e.time >= from && e.time < to) ++expected[index_of(e.outcome)];
      QCOMPARE(t.count_between(0, from, to), expected);
    }
  }

  void runs_align_at_their_start() {
    std::vector<LaneInfo> lanes(2);
    lanes[0].run_start = 1000, lanes[1].run_start = 50'000;
    const Timeline t(lanes,
                     {{1, 1010, -1, 0, Outcome::miss, {}},
                      {2, 50'010, -1, 1, Outcome::hit, {}},
                      {3, kUnknownTime, -1, 1, Outcome::hit, {}}},
                     true);
    QCOMPARE(t.place_of(1).time, Nanoseconds{10});
    QCOMPARE(t.place_of(2).time, Nanoseconds{10});
    QCOMPARE(t.place_of(3).lane, -1);
    QCOMPARE(t.without_time(), std::int64_t{1});
  }

  void steps_and_nearest() {
    const Timeline t(
        {LaneInfo{}},
        {{5, 300, -1, 0, Outcome::hit, {}}, {6, 100, -1, 0, Outcome::hit, {}}, {7, 200, -1, 0, Outcome::hit, {}}},
        false);
    QCOMPARE(t.neighbour(6, 1), RowId{7});
    QCOMPARE(t.neighbour(6, -1), RowId{6});
    QCOMPARE(t.neighbour(5, -1), RowId{7});
    QCOMPARE(t.neighbour(99, 1), RowId{0});
    QCOMPARE(t.nearest(0, 190, 20), RowId{7});
    QCOMPARE(t.nearest(0, 150, 20), RowId{0});
  }

  void empty() {
    const Timeline t({}, {}, true);
    QCOMPARE(t.lane_count(), 0);
    QVERIFY(t.end() > t.begin());
    const Timeline lane({LaneInfo{}}, {}, false);
    QVERIFY(lane.marks(0, {0, 100, 100}).empty());
    QCOMPARE(lane.nearest(0, 5, 1000), RowId{0});
  }

  void a_million_events_are_folded_into_what_can_be_seen() {
    const Timeline t({LaneInfo{}}, random_events(1'000'000, 3'600'000'000'000, 3), false);
    const TimelineWindow w{t.begin(), t.end(), 1900};
    const auto marks = t.marks(0, w);
    QVERIFY(marks.size() <= 1900 / 3 + 1);
    std::int64_t events = 0;
    for (const auto& mark : marks) events += mark.count;
    QCOMPARE(events, 1'000'000);
  }
};

QTEST_APPLESS_MAIN(TestTimeline)
#include "test_timeline.moc"
