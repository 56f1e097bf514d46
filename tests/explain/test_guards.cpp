// SPDX-License-Identifier: Apache-2.0
#include <QtTest>

#include "cases.h"
#include "sympy_text.h"

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
  /// 32 elements, then 8: `x.shape[0] // 4 > 3` failed, and the line above it was named, where the size is used first.
  void the_line_that_asked_and_not_the_one_that_used_the_size_first() {
    Case c = guarded("16 <= L['t0'] and 2 <= L['t1']");
    LookupRow maker = c.subject;
    maker.process = 77;
    maker.record.outcome = Outcome::miss;
    c.same_key = {maker};
    c.texts = [](const LookupRow& row, TextKind kind) -> std::vector<TextRecord> {
      if (kind != TextKind::dynamo_guards || row.process != 77) return {};
      const auto guard = [](const char* line, const char* condition) {
        return TextRecord{{}, TextKind::dynamo_guards, line, condition};
      };
      return {guard("train.py:18: if x.shape[0]%3==0:", "Eq(Mod(s77, 3), 0)"),
              guard("train.py:19: if x.shape[0]//4>3:", "((s77//4)) > 3"),
              guard("train.py:20: if max(x.shape[0], y)<2:", "Max(s27, s77) < 2")};
    };
    const Explanation e = explain(c);
    QCOMPARE(e.guards[0].user_line, std::string("train.py:19: if x.shape[0]//4>3:"));
    QVERIFY2(
        e.summary.find("16 <= L['t0'] fails for t0 = 6 (L['x'].size()[0]), asked by train.py:19") != std::string::npos,
        e.summary.c_str());
    // None of the program's own conditions fails: no line is better than a wrong one.
    c.texts = [](const LookupRow&, TextKind kind) -> std::vector<TextRecord> {
      if (kind != TextKind::dynamo_guards) return {};
      return {{{}, kind, "train.py:18: if x.shape[0]%3==0:", "Eq(Mod(s77, 3), 0)"}};
    };
    QCOMPARE(explain(c).guards[0].user_line, std::string());
  }
  void conditions_of_sympy_data() {
    QTest::addColumn<QString>("sympy");
    QTest::addColumn<QString>("python");
    QTest::newRow("mod") << "Eq(Mod(s77, 8), 0)"
                         << "((((s77) % (8))) == (0))";
    QTest::newRow("max") << "Max(s17, s77) < 200"
                         << "max((s17), (s77)) < 200";
    QTest::newRow("division") << "((s77//4)) > 3"
                              << "((s77//4)) > 3";
    QTest::newRow("floor") << "FloorDiv(s0 + 1, 2) >= 4"
                           << "((s0 + 1) // (2)) >= 4";
    QTest::newRow("unknown") << "TruncToInt(s0)"
                             << "TruncToInt(s0)";
    QTest::newRow("cut") << "Eq(s0, 1"
                         << "Eq(s0, 1";
  }
  void conditions_of_sympy() {
    QFETCH(QString, sympy);
    QFETCH(QString, python);
    QCOMPARE(QString::fromStdString(explain_detail::python_of_sympy(sympy.toStdString())), python);
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
