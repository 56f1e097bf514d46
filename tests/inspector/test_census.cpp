// SPDX-License-Identifier: Apache-2.0
#include "inspector/core/census.h"

#include <QtTest>
#include <random>

using namespace keyhole;
using namespace keyhole::inspector;

class TestCensus : public QObject {
  Q_OBJECT
  static constexpr Nanoseconds kSecond = 1'000'000'000;
  static constexpr Nanoseconds kStart = 1'795'251'600 * kSecond;

  static LookupPoint point(RowId id, RowId process, Layer layer, Outcome outcome, Nanoseconds time,
                           Nanoseconds cost = -1, RowId compile = 0) {
    LookupPoint p;
    p.id = id, p.process = process, p.compile = compile, p.layer = layer, p.outcome = outcome, p.time = time,
    p.cost = cost;
    return p;
  }

 private slots:
  void cells_widen_and_lose_nothing_data() {
    QTest::addColumn<int>("most");
    for (const int most : {1'000'000, 400, 20}) QTest::addRow("at most %d cells", most) << most;
  }
  void cells_widen_and_lose_nothing() {
    QFETCH(int, most);
    Census census{std::size_t(most)};
    for (RowId p = 1; p <= 3; ++p) census.add(ProcessPlace{p, p, {}});
    std::mt19937_64 random(5);
    LayerCounts total{};
    std::array<std::int64_t, 9> by_layer{};
    std::int64_t with_time = 0;
    for (int i = 0; i < 20'000; ++i) {
      const auto layer = Layer(1 + random() % 8);
      const auto outcome = Outcome(1 + random() % 5);
      const bool timed = random() % 10 != 0;
      census.add(point(i + 1, 1 + RowId(random() % 3), layer, outcome,
                       timed ? kStart + Nanoseconds(random() % 90'000) * kSecond : kUnknownTime));
      ++total[index_of(outcome)];
      ++by_layer[std::size_t(layer)];
      with_time += timed;
    }
    QCOMPARE(census.lookups(), std::int64_t{20'000});
    QVERIFY(census.span() >= 1);
    if (most < 1000) QVERIFY(census.cells().size() < 2'000);
    const Overview o = census.overview();
    QCOMPARE(o.total, total);
    for (const auto& row : o.layers) {
      std::int64_t sum = 0;
      for (const auto n : row.counts) sum += n;
      QCOMPARE(sum, by_layer[std::size_t(row.layer)]);
    }
    std::int64_t in_buckets = 0;
    Nanoseconds before = -1;
    for (const auto& bucket : o.buckets) {
      QVERIFY(bucket.begin > before);
      before = bucket.begin;
      for (const auto& layer : bucket.counts)
        for (const auto n : layer) in_buckets += n;
    }
    QCOMPARE(in_buckets, with_time);
    QVERIFY(o.buckets.size() <= 49);
  }

  void a_miss_within_a_miss_is_lost_once() {
    Census census;
    census.add(ProcessPlace{1, 1, {}});
    census.add(ProcessPlace{2, 2, {}});
    // In any order: the inner layer first, the outer one first, without a compile, and a hit that costs nothing.
    census.add(point(1, 1, Layer::fx_graph, Outcome::miss, kStart, 3 * kSecond, 7));
    census.add(point(2, 1, Layer::aot_autograd, Outcome::miss, kStart, 5 * kSecond, 7));
    census.add(point(3, 1, Layer::aot_autograd, Outcome::miss, kStart, 4 * kSecond, 8));
    census.add(point(4, 1, Layer::fx_graph, Outcome::miss, kStart, 2 * kSecond, 8));
    census.add(point(5, 2, Layer::cuda, Outcome::miss, kStart, kSecond));
    census.add(point(6, 2, Layer::fx_graph, Outcome::hit, kStart, 9 * kSecond, 9));
    QCOMPARE(census.of_run(1).lost, 9.0);
    QCOMPARE(census.of_run(2).lost, 1.0);
    QCOMPARE(census.overview().lost, 10.0);
  }

  void runs_in_the_order_of_their_first_lookup() {
    Census census;
    for (RowId p = 1; p <= 4; ++p) census.add(ProcessPlace{p, p, p == 2 ? std::optional<int>(3) : std::nullopt});
    census.add(point(1, 3, Layer::code, Outcome::hit, kStart + 10));
    census.add(point(2, 1, Layer::code, Outcome::hit, kStart + 30));
    census.add(point(3, 2, Layer::code, Outcome::hit, kStart + 20));
    census.add(point(4, 3, Layer::code, Outcome::hit, kStart + 90));
    QCOMPARE(census.latest_runs(10), (std::vector<RowId>{1, 2, 3}));
    QCOMPARE(census.latest_runs(1), (std::vector<RowId>{1}));
    QCOMPARE(census.runs(), std::int64_t{3});
    QCOMPARE(census.of_run(3).last, kStart + 90);
    QCOMPARE(census.rank_of(2), std::optional<int>(3));
    QCOMPARE(census.run_of(99), RowId{0});
  }
};

QTEST_APPLESS_MAIN(TestCensus)
#include "test_census.moc"
