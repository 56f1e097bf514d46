// SPDX-License-Identifier: Apache-2.0
#include "keyhole/guard/expression.h"

#include <QtTest>

#include "golden.h"

using namespace keyhole;

namespace {
Hints hints_of(const nlohmann::json& values) {
  return Hints(values.get<std::vector<std::int64_t>>());
}

bool truth(const std::string& text, const Hints& hints = {}) {
  const auto expression = GuardExpression::parse(text);
  if (!expression) throw std::runtime_error(text + ": " + expression.error().line());
  return expression->evaluate(hints).value();
}
}  // namespace

class TestExpression : public QObject {
  Q_OBJECT
 private slots:
  /// The 105 evaluations that PyTorch made: 19 environments and 11 real dynamic compiles.
  void golden_evaluations() {
    int evaluations = 0;
    for (const char* section : {"direct", "real"})
      for (const auto& vector : golden("guards")[section]) {
        const auto expression = GuardExpression::parse(vector["expr"].get<std::string>());
        QVERIFY2(expression, vector["expr"].dump().c_str());
        for (const auto& evaluation : vector["eval"]) {
          const Hints hints = hints_of(evaluation["hints"]);
          const bool expected = evaluation["result"];
          QCOMPARE(expression->evaluate(hints).value(), expected);
          QCOMPARE(expression->explain(hints).state, expected ? GuardState::holds : GuardState::fails);
          ++evaluations;
        }
      }
    QCOMPARE(evaluations, 105);
  }
  /// Python's own eval() is the judge (tests/data/make_guard_vectors.py).
  void agrees_with_python() {
    int seen = 0;
    for (const auto& vector : golden("guards_python")) {
      const std::string text = vector[0];
      const Hints hints = hints_of(vector[1]);
      const auto expression = GuardExpression::parse(text);
      QVERIFY2(expression, (text + ": " + (expression ? "" : expression.error().line())).c_str());
      const auto got = expression->evaluate(hints);
      const std::string answer = !got ? "\"error\"" : *got ? "true" : "false";
      QVERIFY2(answer == vector[2].dump(),
               (text + " " + vector[1].dump() + ": " + answer + " " + (got ? "" : got.error().what)).c_str());
      const GuardState state = expression->explain(hints).state;
      QCOMPARE(state, !got ? GuardState::error : *got ? GuardState::holds : GuardState::fails);
      ++seen;
    }
    QVERIFY(seen > 400);
  }
  void names_the_failing_clause() {
    const auto why = explain_guard("11 <= L['t0'] and 2 <= L['t1'] and L['t0'] <= 512", Hints({5, 7}));
    QCOMPARE(why.state, GuardState::fails);
    QCOMPARE(why.clauses.size(), 3u);
    QCOMPARE(why.failing, std::vector<std::size_t>{0});
    QCOMPARE(why.clauses[0].text, std::string("11 <= L['t0']"));
    QCOMPARE(why.clauses[0].hints.size(), 1u);
    QCOMPARE(why.clauses[0].hints[0].name, std::string("t0"));
    QCOMPARE(why.clauses[0].hints[0].value, std::string("5"));
    QCOMPARE(why.clauses[1].state, GuardState::holds);
    QCOMPARE(why.clauses[1].begin, 18u);
    QCOMPARE(why.clauses[2].end, 49u);
  }
  void a_disjunction_at_the_top_is_one_clause() {
    const std::string text = "L['t0'] == 8 or L['t1'] == 100 and 2 <= L['t0'] and 2 <= L['t1']";
    const auto why = explain_guard(text, Hints({1, 100}));
    QCOMPARE(why.clauses.size(), 1u);
    QCOMPARE(why.clauses[0].text, text);
    QCOMPARE(why.clauses[0].hints.size(), 2u);
    QCOMPARE(why.state, GuardState::fails);
    QCOMPARE(explain_guard(text, Hints({8, 1})).state, GuardState::holds);
  }
  void parentheses_are_seen_through() {
    const auto why =
        explain_guard("(L['t0'] == 8 or L['t1'] == 9) and (2 <= L['t0'] and (3 <= L['t1']))", Hints({1, 1}));
    QCOMPARE(why.clauses.size(), 3u);
    QCOMPARE(why.clauses[0].text, std::string("(L['t0'] == 8 or L['t1'] == 9)"));
    QCOMPARE(why.clauses[1].text, std::string("2 <= L['t0']"));
    QCOMPARE(why.clauses[2].text, std::string("(3 <= L['t1'])"));
    QCOMPARE(why.failing, (std::vector<std::size_t>{0, 1, 2}));
    // What only looks like a parenthesised conjunct.
    QCOMPARE(explain_guard("(L['t0'] % 4) == 0 and 2 <= L['t0']", Hints({8})).clauses.size(), 2u);
    QCOMPARE(explain_guard("(1 and 2) if L['t0'] else 0", Hints({8})).clauses.size(), 1u);
  }
  void an_error_behind_the_deciding_clause_is_no_error() {
    const auto why = explain_guard("L['t0'] != 0 and 8 % L['t0'] == 0", Hints({0}));
    QCOMPARE(why.state, GuardState::fails);
    QCOMPARE(why.failing, std::vector<std::size_t>{0});
    QCOMPARE(why.clauses[1].state, GuardState::not_evaluated);
    QVERIFY(why.clauses[1].error.empty());
    const auto error = explain_guard("8 % L['t0'] == 0 and 2 <= L['t0']", Hints({0}));
    QCOMPARE(error.state, GuardState::error);
    QCOMPARE(error.error, std::string("division by zero"));
    QCOMPARE(error.failing, (std::vector<std::size_t>{0, 1}));
  }
  void hints_by_name() {
    Hints hints;
    hints.set("s0", std::int64_t{9});
    QVERIFY(!truth("L['s0'] <= 8", hints));
    QVERIFY(truth("s0 == 9", hints));
    hints.set("s0", std::int64_t{8});
    QVERIFY(truth("L[\"s0\"] <= 8", hints));
    hints.append(0.5);
    QVERIFY(truth("not math.isnan(L['t0']) and torch.sym_float(L['t0']) < 1", hints));
    const auto missing = explain_guard("L['t1'] == 1", hints);
    QCOMPARE(missing.state, GuardState::error);
    QCOMPARE(missing.error, std::string("no hint for t1"));
    QVERIFY(missing.clauses[0].hints[0].value.empty());
    QCOMPARE(GuardExpression::parse("s1 < s0 and s1 > L['t2']")->names(), (std::vector<std::string>{"s1", "s0", "t2"}));
  }
  void hint_texts() {
    for (const char* text :
         {"8", "-9223372036854775808", "0.5", "1e+16", "inf", "nan", "True", "False", "1e-05", "100000.0"})
      QCOMPARE(hint_text(parse_hint(text).value()), std::string(text));
    for (const char* text : {"", "x", "8 ", "1,5", "--1"}) QVERIFY(!parse_hint(text));
  }
  void functions_of_torch() {
    QVERIFY(truth("torch._sym_sqrt(16) == 4.0"));
    QVERIFY(truth("torch.sym_max(3, 2.0) == 3"));
    QVERIFY(truth("torch.sym_not(False)"));
    QVERIFY(truth("IsNonOverlappingAndDenseIndicator(L['t0'], L['t1'], L['t1'], 1) == 1", Hints({8, 16})));
    QVERIFY(truth("IsNonOverlappingAndDenseIndicator(4, 4, 8, 1) == 0"));
    QVERIFY(truth("cast_symbool_to_symint_guardless(3 < 4) == 1"));
    const auto unknown = explain_guard("os.system('x') == 0", {});
    QCOMPARE(unknown.state, GuardState::error);
    QCOMPARE(explain_guard("__import__(1) and L['t0']", Hints({1})).error, std::string("unknown function __import__"));
  }
  void refuses_what_is_no_guard() {
    for (const char* text : {"",       " ",         "and",       "1 +",  "(1",
                             "1)",     "1 2",       "L['t0'",    "L[0]", "L['t0].x",
                             "f(",     "f(1,,2)",   "1 = 2",     "a b",  "not",
                             "1 if 2", "1 < not 2", "'text'",    "\xff", "\"",
                             "1x",     "00012",     "lambda: 1", "[1]",  "L['a'].size()[0] == 1",
                             "x ! y"}) {
      const auto expression = GuardExpression::parse(text);
      QVERIFY2(!expression, text);
      QCOMPARE(expression.error().kind, ErrorKind::bad_input);
      QCOMPARE(explain_guard(text, {}).state, GuardState::error);
    }
  }
  void hostile_depth_and_length() {
    const auto repeated = [](const std::string& part, std::size_t n) {
      std::string out;
      for (std::size_t i = 0; i < n; ++i) out += part;
      return out;
    };
    constexpr std::size_t kMany = 100'000;
    for (const char* part : {"(", "-", "not ", "2**", "f(", "1 if 1 else ", "max(1,"})
      QVERIFY(!GuardExpression::parse(repeated(part, kMany) + "1"));
    QVERIFY(!GuardExpression::parse(repeated("(", kMany) + "1" + repeated(")", kMany)));
    QVERIFY(!GuardExpression::parse(repeated("1+", 200'000) + "1"));  // too long
    // Long without being deep is fine, and neither parsing nor evaluating recurses.
    QVERIFY(truth("2 < " + repeated("1+", kMany) + "1"));
    QVERIFY(truth(repeated("1 and ", 30'000) + "1"));
    QVERIFY(truth(repeated("0 or ", 30'000) + "1"));
    QVERIFY(truth(repeated("1<=", 60'000) + "1"));
    const auto big =
        GuardExpression::parse(repeated("L['t0']*", 20'000) + "1 > 0")->evaluate(Hints({9223372036854775807}));
    QVERIFY(!big);
    QCOMPARE(big.error().what, std::string("integer of more than 2048 bits"));
  }
  void joining_keeps_each_clause() {
    QCOMPARE(join_guard_clauses({"a or b"}), std::string("a or b"));
    const std::string joined =
        join_guard_clauses({"L['t0'] == 8 or L['t1'] == 100", "2 <= L['t1']", "1 if L['t0'] else 0"});
    QCOMPARE(joined, std::string("(L['t0'] == 8 or L['t1'] == 100) and 2 <= L['t1'] and (1 if L['t0'] else 0)"));
    QVERIFY(!truth(joined, Hints({8, 1})));
    QCOMPARE(explain_guard(joined, Hints({8, 1})).failing, std::vector<std::size_t>{1});
  }
};

QTEST_APPLESS_MAIN(TestExpression)
#include "test_expression.moc"
