// SPDX-License-Identifier: Apache-2.0
// A guard expression as a person reads it: clause by clause, as the guard room parses it (an "and" within brackets, or
// within an "or", is not cut at), each with its own state and the sizes that it reads.
#pragma once

#include <QString>
#include <vector>

#include "keyhole/explain/explain.h"

namespace keyhole::inspector {

struct ShownClause {
  enum class State { holds, fails, error, not_evaluated };
  QString text;
  State state = State::not_evaluated;
  QString hints;  ///< "s0 = 9, s1 = 3"; a size that nobody told is "s0 = ?"
  QString error;  ///< why it could not be evaluated
};

std::vector<ShownClause> clauses_of(const GuardFinding& finding);
/// Without sizes: every clause not_evaluated.
std::vector<ShownClause> clauses_of(const std::string& expression);

}  // namespace keyhole::inspector
