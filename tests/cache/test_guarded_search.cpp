// SPDX-License-Identifier: Apache-2.0
#include "keyhole/cache/guarded_search.h"

#include <QtTest>

using namespace keyhole;

class TestGuardedSearch : public QObject {
  Q_OBJECT
 private slots:
  void nothing_offered_is_a_full_miss() {
    const Hints hints;
    GuardedSearch search(hints, false, false);
    QCOMPARE(search.status(), "full_miss");
    QCOMPARE(search.outcome(), Outcome::miss);
  }
  void the_text_of_a_failed_guard_stays_only_as_a_quirk() {
    const Hints hints({5});
    for (const bool compat : {false, true}) {
      GuardedSearch search(hints, false, compat);
      QVERIFY(!search.offer("L['t0'] == 3"));
      QVERIFY(search.offer(""));
      QCOMPARE(search.status(), "hit");
      QCOMPARE(search.guard(), std::string(compat ? "L['t0'] == 3" : ""));
    }
  }
  void an_unreadable_candidate_leaves_no_trace() {
    const Hints hints({5});
    GuardedSearch search(hints, false, false);
    QVERIFY(search.offer("L['t0'] == 5"));
    search.withdraw();
    QCOMPARE(search.status(), "full_miss");
    QVERIFY(search.guard().empty());
  }
  void a_refused_candidate_is_a_guard_miss() {
    const Hints hints({5});
    GuardedSearch search(hints, false, false);
    QVERIFY(search.offer("L['t0'] == 5"));
    search.refuse();
    QCOMPARE(search.status(), "guard_miss");
  }
};

QTEST_APPLESS_MAIN(TestGuardedSearch)
#include "test_guarded_search.moc"
