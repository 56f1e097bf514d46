// SPDX-License-Identifier: Apache-2.0
#include "inspector/core/guard_clauses.h"

#include <QtTest>

using namespace keyhole;
using namespace keyhole::inspector;

class TestGuardClauses : public QObject {
  Q_OBJECT
  static GuardFinding finding(const char* expression, const char* hints) {
    GuardFinding f;
    f.expression = expression;
    f.hints = hints;
    return f;
  }

 private slots:
  void each_clause_has_its_own_state() {
    const auto clauses = clauses_of(finding("L['t0'] <= 8 and 2 <= L['t1'] and 3 < L['t2']", R"({"t0": 9, "t1": 4})"));
    QCOMPARE(clauses.size(), std::size_t{3});
    QCOMPARE(clauses[0].text, QStringLiteral("L['t0'] <= 8"));
    QCOMPARE(clauses[0].state, ShownClause::State::fails);
    QCOMPARE(clauses[0].hints, QStringLiteral("t0 = 9"));
    QCOMPARE(clauses[1].state, ShownClause::State::holds);
    QCOMPARE(clauses[2].state, ShownClause::State::not_evaluated);
    QCOMPARE(clauses[2].hints, QStringLiteral("t2 = ?"));
  }
  void an_and_within_brackets_is_not_cut_at() {
    const auto clauses = clauses_of(std::string("(L['s0'] < 4 and L['s1'] < 4) or L['s2'] == 1"));
    QCOMPARE(clauses.size(), std::size_t{1});
    QVERIFY(clauses[0].text.contains(QStringLiteral(" and ")));
    QCOMPARE(clauses[0].state, ShownClause::State::not_evaluated);
  }
  void what_is_no_guard_is_one_clause_in_error() {
    const auto clauses = clauses_of(finding("__import__('os')", "{}"));
    QCOMPARE(clauses.size(), std::size_t{1});
    QCOMPARE(clauses[0].state, ShownClause::State::error);
    QVERIFY(!clauses[0].error.isEmpty());
  }
};

QTEST_APPLESS_MAIN(TestGuardClauses)
#include "test_guard_clauses.moc"
