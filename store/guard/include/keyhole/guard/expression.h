// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "keyhole/base/error.h"

namespace keyhole {

/// The value of a hint: Python's int, float or bool.
using HintValue = std::variant<std::int64_t, double, bool>;
[[nodiscard]] std::string hint_text(const HintValue& value);  ///< "8", "0.5", "True"
/// Reads "8", "0.5", "inf", "True". Fails (bad_input) for all else.
[[nodiscard]] Result<HintValue> parse_hint(std::string_view text);

/// The concrete sizes against which guards are evaluated: by input position (`L['t0']` is the first of them), or by
/// name
/// (`s0`, `L['s0']`). A name that is set goes before a position.
class Hints {
 public:
  Hints() = default;
  Hints(std::vector<std::int64_t> in_input_order);  // NOLINT(google-explicit-constructor): a list of sizes is hints

  void append(HintValue value) { positions_.push_back(value); }
  void set(std::string name, HintValue value);  ///< "s0" or "t0"; replaces an earlier value
  /// The value of `t0`, `s0` …; null where none was given.
  [[nodiscard]] const HintValue* find(std::string_view name) const;

 private:
  std::vector<HintValue> positions_;
  std::vector<std::pair<std::string, HintValue>> names_;
};

enum class GuardState : std::uint8_t { holds, fails, error, not_evaluated };
[[nodiscard]] const char* name_of(GuardState state);  ///< "holds", "fails", "error", "not_evaluated"

/// A hint as a clause uses it.
struct GuardHint {
  std::string name;   ///< "t0", "s0"
  std::string value;  ///< "8"; empty: no hint was given
};

/// One operand of the conjunction at the top of an expression (the whole expression where its top is an `or`).
struct GuardClause {
  std::size_t begin = 0, end = 0;  ///< byte range in the expression's text
  std::string text;                ///< that range, outer parentheses kept
  GuardState state = GuardState::not_evaluated;
  std::string error;             ///< "division by zero"; empty unless state is error
  std::vector<GuardHint> hints;  ///< in order of first appearance
};

/// Why an expression holds or does not.
struct GuardExplanation {
  GuardState state = GuardState::error;  ///< as Python evaluates the whole: the first clause that does not hold decides
  std::string error;                     ///< of the deciding clause
  /// All clauses, each with its own value. A clause behind the deciding one is evaluated too, so that every reason is
  /// named; where that raises an error it stays not_evaluated (an earlier clause may have kept it from harm).
  std::vector<GuardClause> clauses;
  std::vector<std::size_t> failing;  ///< clauses that fail or are in error, in order; the first one decides
};

/// A guard expression: the subset of Python expressions that PyTorch prints as guards, with Python's precedence over
/// the whole text, integers of any size, and short circuit. Parsing never executes anything; text of at most 1 MiB,
/// nested at most 200 deep. Immutable, cheap to copy.
class GuardExpression {
 public:
  /// Fails (bad_input, `where` is the byte) for what is not such an expression. Empty text fails too: no guard is not a
  /// guard.
  [[nodiscard]] static Result<GuardExpression> parse(std::string_view text);

  /// Python's truth of the expression. Fails (bad_input) where Python would raise: division by zero, unknown name, no
  /// hint, overflow of a float.
  [[nodiscard]] Result<bool> evaluate(const Hints& hints) const;
  [[nodiscard]] GuardExplanation explain(const Hints& hints) const;

  [[nodiscard]] const std::string& text() const;
  /// The hints that it reads, each once, in order of first appearance.
  [[nodiscard]] std::vector<std::string> names() const;

  struct Program;

 private:
  explicit GuardExpression(std::shared_ptr<const Program> program) : program_(std::move(program)) {}
  std::shared_ptr<const Program> program_;
};

/// parse() and explain() in one; an expression that does not parse is one clause in error.
[[nodiscard]] GuardExplanation explain_guard(std::string_view text, const Hints& hints);

/// Joins clauses so that each keeps its meaning: one that holds an `or` (or cannot be parsed) is parenthesised.
[[nodiscard]] std::string join_guard_clauses(const std::vector<std::string>& clauses);

}  // namespace keyhole
