// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keyhole/guard/expression.h"
#include "value.h"

namespace keyhole {

/// One step of the postfix form: a stack machine runs it, so that evaluation needs no recursion whatever the depth.
struct Instruction {
  enum class Op : std::uint8_t {
    constant,  // push constants[argument]
    hint,      // push the hint names[argument]
    binary,    // pop b, a; push a `operation` b
    negate,
    invert,
    plus,
    logical_not,
    chain,            // pop b, a; compare: true: push b, false: push False and jump (a < b < c)
    jump_if_false,    // keep the top and jump where it is false, else pop it (and)
    jump_if_true,     // the same where it is true (or)
    branch_if_false,  // pop; jump where it was false (a if b else c)
    jump,
    call,     // pop `count` arguments, push functions[argument](...)
    unknown,  // fail: names[argument] is no known function
  };
  Op op = Op::constant;
  Operator operation = Operator::add;
  std::int32_t argument = 0;  // index, or how many instructions a jump skips
  std::int32_t count = 0;
};

struct GuardExpression::Program {
  struct Clause {
    std::size_t begin, end;            // bytes of the text
    std::size_t code_begin, code_end;  // instructions
  };
  std::string text;
  std::vector<Instruction> code;
  std::vector<Value> constants;
  std::vector<std::string> names;  // of hints ("t0") and of unknown functions
  std::vector<Clause> clauses;     // the conjunction at the top

  [[nodiscard]] static Result<std::shared_ptr<const Program>> compile(std::string_view text);
};

}  // namespace keyhole
