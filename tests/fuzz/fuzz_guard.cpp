// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <string_view>

#include "keyhole/guard/expression.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace keyhole;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Hints hints({0, 1, -7, 9223372036854775807});
  hints.append(0.5);
  hints.set("s0", true);
  (void)parse_hint(text);
  const auto expression = GuardExpression::parse(text);
  const GuardExplanation why = explain_guard(text, hints);
  if (!expression) {
    if (why.state != GuardState::error) std::abort();
    return 0;
  }
  // The whole and its clauses agree, and every clause is a piece of the text.
  const auto truth = expression->evaluate(hints);
  const GuardState whole = !truth ? GuardState::error : *truth ? GuardState::holds : GuardState::fails;
  if (why.state != whole || why.clauses.empty() || why.failing.empty() != (whole == GuardState::holds)) std::abort();
  for (const GuardClause& clause : why.clauses)
    if (clause.begin >= clause.end || clause.end > text.size()) std::abort();
  return 0;
}
