// SPDX-License-Identifier: Apache-2.0
#include "lookup_pager.h"

#include <QtTest>
#include <random>

#include "inspector/core/statistics.h"
#include "made_store.h"

using namespace keyhole;

class TestPager : public QObject {
  Q_OBJECT
  made::Store store_;
  std::vector<LookupRow> all_;

  // The ids of a query, by filtering and sorting everything in memory.
  std::vector<RowId> expected(const inspector::LookupQuery& query) const {
    std::vector<const LookupRow*> rows;
    for (const LookupRow& row : all_)
      if (inspector::matches(query.filter, row)) rows.push_back(&row);
    std::sort(rows.begin(), rows.end(), [&](const LookupRow* a, const LookupRow* b) {
      const auto x = a->record.time, y = b->record.time;
      if (x != y) return query.descending ? x > y : x < y;  // -1: no time, first when ascending
      return query.descending ? a->id > b->id : a->id < b->id;
    });
    std::vector<RowId> ids;
    for (const LookupRow* row : rows) ids.push_back(row->id);
    return ids;
  }

 private slots:
  void initTestCase() {
    std::mt19937 random(7);
    auto p = store_.begin("many", made::kMorning);
    for (int i = 0; i < 600; ++i) {
      // Ties, gaps, rows without a time, and times that do not follow the order of recording.
      const Nanoseconds time = i % 17 == 0 ? kUnknownTime
                                           : made::kMorning + Nanoseconds(random() % 40) * made::kSecond +
                                                 (i % 3 == 0 ? 100'000 * made::kSecond : 0);
      store_.lookup(p, Layer::code, std::to_string(i) + "/0", made::key_of('c', std::to_string(i)),
                    i % 4 == 0 ? Outcome::miss : Outcome::hit, time, i);
    }
    store_.commit();
    auto reader = Reader::open(store_.path());
    QVERIFY(reader);
    all_ = reader->lookups_of_run(1).value();
    QCOMPARE(all_.size(), std::size_t{600});
  }

  void every_position_in_both_orders_data() {
    QTest::addColumn<bool>("descending");
    QTest::addColumn<QString>("filter");
    for (const bool descending : {false, true})
      for (const char* filter : {"", "outcome:miss", "-outcome:miss saved>=0s"})
        QTest::addRow("%s %s", descending ? "descending" : "ascending", filter)
            << descending << QString::fromLatin1(filter);
  }
  void every_position_in_both_orders() {
    QFETCH(bool, descending);
    QFETCH(QString, filter);
    inspector::LookupQuery query;
    query.filter = inspector::parse_filter(filter).root;
    query.descending = descending;
    const auto ids = expected(query);
    auto reader = Reader::open(store_.path());
    bool exact = true;
    const keyhole::Filter asked = inspector::store_filter(query.filter, exact);
    QVERIFY(exact);
    std::mt19937 random(3);
    inspector::LookupPager pager(10);
    for (int i = 0; i < 200; ++i) {
      const auto first = std::int64_t(random() % ids.size());
      auto rows = pager.rows(*reader, asked, query, 1, first, 20);
      QVERIFY(rows);
      std::vector<RowId> got;
      for (const LookupRow& row : *rows) got.push_back(row.id);
      const std::vector<RowId> want(ids.begin() + first,
                                    ids.begin() + std::min<std::int64_t>(first + 20, std::int64_t(ids.size())));
      QVERIFY2(got == want, qPrintable(QStringLiteral("at %1").arg(first)));
    }
  }

  void other_orders_come_in_blocks() {
    auto reader = Reader::open(store_.path());
    for (const auto column : {inspector::LookupColumn::saved, inspector::LookupColumn::key,
                              inspector::LookupColumn::outcome, inspector::LookupColumn::compile}) {
      for (const bool descending : {false, true}) {
        inspector::LookupQuery query;
        query.sort = column;
        query.descending = descending;
        inspector::LookupPager pager(10, 64), whole(10, 100'000);
        const auto all = whole.rows(*reader, {}, query, 1, 0, 1'000).value();
        QCOMPARE(all.size(), std::size_t{600});
        for (const std::int64_t first : {0, 50, 60, 64, 127, 590, 599, 300, 0}) {
          const auto rows = pager.rows(*reader, {}, query, 1, first, 40).value();
          QCOMPARE(rows.size(), std::min<std::size_t>(40, 600 - std::size_t(first)));
          for (std::size_t i = 0; i < rows.size(); ++i) QCOMPARE(rows[i].id, all[std::size_t(first) + i].id);
        }
      }
    }
  }

  void filters_mean_the_same_in_the_store_and_in_memory_data() {
    QTest::addColumn<QString>("filter");
    for (const char* filter :
         {"outcome:miss", "-outcome:miss", "cost!=0s", "saved>100ns", "compile=8/0", "compile:8", "run:MAN", "run=MAN",
          "key:cab", "forward", "rank=0", "rank!=0", "direction:forward", "layer:code OR layer:triton",
          "NOT (outcome:hit OR cost>5us)", "time>2000-01-01", "size>3", "reason!=x"})
      QTest::newRow(filter) << QString::fromLatin1(filter);
  }
  void filters_mean_the_same_in_the_store_and_in_memory() {
    QFETCH(QString, filter);
    inspector::LookupQuery query;
    const inspector::Filter parsed = inspector::parse_filter(filter);
    QVERIFY(!parsed.error);
    query.filter = parsed.root;
    auto reader = Reader::open(store_.path());
    bool exact = true;
    QCOMPARE(reader->count(inspector::store_filter(query.filter, exact)).value(), std::int64_t(expected(query).size()));
    QVERIFY(exact);
  }

  void regular_expressions_let_more_pass() {
    bool exact = true;
    inspector::store_filter(inspector::parse_filter(QStringLiteral("outcome:miss -key:/^c/")).root, exact);
    QVERIFY(!exact);
    auto source = inspector::open_store(store_.path());
    inspector::LookupQuery query;
    query.filter = inspector::parse_filter(QStringLiteral("key:/^ca/ OR compile:/^5.\\/0/")).root;
    const auto ids = expected(query);
    QVERIFY(ids.size() >= 10);
    QCOMPARE((*source)->count(query, {}).value().rows, std::int64_t(ids.size()));
    const auto rows = (*source)->rows(query, 3, 4).value();
    QCOMPARE(rows.size(), std::size_t{4});
    QCOMPARE(rows[0].id, ids[3]);
  }
};

QTEST_APPLESS_MAIN(TestPager)
#include "test_pager.moc"
