// SPDX-License-Identifier: Apache-2.0
#include <QtTest>

#include "cases.h"

using namespace keyhole;
using namespace keyhole::testing;

namespace {

Case guarded(const std::string& guard) {
  World w;
  Case c;
  c.subject = w.lookup("B", {{"gm", "g"},
                             {"example_inputs[0]", "('s77',)"},
                             {"example_inputs[1]", "('s27',)"},
                             {"example_inputs[2]", tensor("[s77, s27]", "(s27, 1)")}});
  c.subject.record.components.clear();  // the pool is gone with the world
  static ComponentPool pool;
  c.subject.record.components = {pool.intern("example_inputs[0]", digest_of("a"), "('s77',)"),
                                 pool.intern("example_inputs[1]", digest_of("b"), "('s27',)")};
  c.subject.record.outcome = Outcome::guard_miss;
  c.subject.record.status = "guard_miss";
  c.subject.record.guard = guard;
  c.compile = {c.subject};
  c.compile[0].record.components.clear();
  c.symbols = {{{}, "s27", "4", "L['x'].size()[1]", "", -1, ""},
               {{}, "s77", "6", "L['x'].size()[0]", "/src/train.py", 12, "if x.shape[0] > 10:"}};
  return c;
}

}  // namespace

class TestGuards : public QObject {
  Q_OBJECT
 private slots:
  void the_failing_clause_its_hint_and_the_users_line() {
    const Explanation e = explain(guarded("11 <= L['t0'] and 2 <= L['t1']"));
    QCOMPARE(e.verdict, Verdict::guard_failed);
    QCOMPARE(e.guards.size(), std::size_t{1});
    QCOMPARE(e.guards[0].failing_clause, std::string("11 <= L['t0']"));
    QCOMPARE(e.guards[0].hints, std::string("{\"t0\": 6}"));
    QCOMPARE(e.guards[0].user_line, std::string("train.py:12: if x.shape[0] > 10:"));
    QVERIFY2(e.summary.find("11 <= L['t0'] fails for t0 = 6") != std::string::npos, e.summary.c_str());
  }
  void symbols_are_taken_in_the_order_of_the_inputs() {
    const Explanation e =
        explain(guarded("L['t0'] <= 8 and 5 <= L['t1']"));  // t1 is s27 = 4, though it was created first
    QCOMPARE(e.guards[0].failing_clause, std::string("5 <= L['t1']"));
    QCOMPARE(e.guards[0].hints, std::string("{\"t1\": 4}"));
  }
  void a_missing_value_is_no_failing_clause() {
    Case c = guarded("11 <= L['t0']");
    c.symbols.clear();
    const Explanation e = explain(c);
    QCOMPARE(e.verdict, Verdict::guard_failed);
    QVERIFY(e.guards[0].failing_clause.empty());
    QVERIFY2(e.summary.find("11 <= L['t0']") != std::string::npos, e.summary.c_str());
  }
  void guards_that_hold_point_to_the_libraries() {
    const Explanation e = explain(guarded("2 <= L['t0'] and 2 <= L['t1']"));
    QCOMPARE(e.verdict, Verdict::env_validation);
  }
  void every_stored_candidate_is_evaluated() {
    Case c = guarded("11 <= L['t0']");
    SeenEntry other;
    other.entry.id = 4;
    other.entry.record.guard = "L['t0'] <= 5";
    other.snapshot.record.location = "/cache";
    SeenEntry elsewhere = other;
    elsewhere.entry.record.guard = "L['t0'] == 99";
    elsewhere.snapshot.record.location = "/other";
    c.entries = {other, elsewhere};
    const Explanation e = explain(c);
    QCOMPARE(e.guards.size(), std::size_t{2});
    QCOMPARE(e.guards[1].entry, RowId{4});
    QVERIFY2(e.summary.find("1 more") != std::string::npos, e.summary.c_str());
  }
  void an_outer_lookup_takes_the_symbols_of_the_inner_one() {
    Case inner = guarded("");
    Case c = guarded("11 <= L['t0']");
    c.subject.record.layer = Layer::aot_autograd;
    c.subject.record.components.clear();
    c.inner = {inner};
    QCOMPARE(explain(c).guards[0].hints, std::string("{\"t0\": 6}"));
  }
  void text_that_is_no_expression_is_kept_with_the_error() {
    const Explanation e = explain(guarded("L['t0'] <=> __import__('os')"));
    QCOMPARE(e.verdict, Verdict::guard_failed);
    QVERIFY(!e.guards[0].error.empty());
  }
};

QTEST_APPLESS_MAIN(TestGuards)
#include "test_guards.moc"
