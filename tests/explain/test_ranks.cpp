// SPDX-License-Identifier: Apache-2.0
#include "keyhole/explain/ranks.h"

#include <QtTest>

#include "cases.h"

using namespace keyhole;
using namespace keyhole::testing;

class TestRanks : public QObject {
  Q_OBJECT
 private slots:
  void the_component_that_splits_ranks_is_named() {
    World w;
    std::vector<LookupRow> all;
    for (int rank = 0; rank < 4; ++rank) {
      LookupRow row = w.lookup("r", usual(graph(1, kMlp), {tensor(rank == 3 ? "[7, 16]" : "[8, 16]", "(16, 1)")}));
      row.rank = rank;
      row.process = rank + 1;
      row.record.outcome = rank == 3 ? Outcome::miss : Outcome::hit;
      all.push_back(row);
    }
    LookupRow only = all[0];
    only.id = 99;
    only.record.compile.frame = 1;
    all.push_back(only);
    const RankMatrix m = rank_matrix(all);
    QCOMPARE(m.ranks, (std::vector<int>{0, 1, 2, 3}));
    QCOMPARE(m.rows.size(), std::size_t{2});
    QVERIFY(m.rows[0].keys_differ);
    QCOMPARE(m.rows[0].split.size(), std::size_t{1});
    QCOMPARE(m.rows[0].split[0].after, std::string("[7, 16]"));
    QCOMPARE(m.rows[0].cells[3]->outcome, Outcome::miss);
    QVERIFY(!m.rows[1].keys_differ);
    QVERIFY(m.rows[1].split.empty());
    QVERIFY(m.rows[1].cells[0].has_value() && !m.rows[1].cells[1].has_value());
  }
  void a_second_try_of_the_same_key_is_the_same_graph() {
    World w;
    LookupRow first = w.lookup("r", usual(graph(1, kMlp), {tensor("[8, 16]", "(16, 1)")}));
    first.rank = 0;
    LookupRow again = first;
    again.id = 50;
    again.record.outcome = Outcome::hit;
    const RankMatrix m = rank_matrix({first, again});
    QCOMPARE(m.rows.size(), std::size_t{1});
    QCOMPARE(m.rows[0].cells[0]->lookup, RowId{50});
  }
  void processes_without_a_rank_are_left_out() {
    World w;
    QVERIFY(rank_matrix({w.lookup("r", usual(graph(1, kMlp), {}))}).rows.empty());
  }
};

QTEST_APPLESS_MAIN(TestRanks)
#include "test_ranks.moc"
