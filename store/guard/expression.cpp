// SPDX-License-Identifier: Apache-2.0
#include "keyhole/guard/expression.h"

#include <algorithm>
#include <charconv>

#include "keyhole/base/python_text.h"
#include "lexer.h"
#include "program.h"

namespace keyhole {
namespace {

using Op = Instruction::Op;
using Program = GuardExpression::Program;

Value value_of(const HintValue& hint) {
  if (const auto* number = std::get_if<std::int64_t>(&hint)) return Value::of(Integer(*number));
  if (const auto* real = std::get_if<double>(&hint)) return Value::of(*real);
  return Value::of(std::get<bool>(hint));
}

// Runs a range of the code on an empty stack. The reason why it cannot be evaluated; empty: `truth` is the answer.
std::string run(const Program& program, std::size_t begin, std::size_t end, const Hints& hints, bool& truth) {
  static thread_local std::vector<Value> stack;  // kept for its memory
  stack.clear();
  const auto pop = [] {
    Value value = std::move(stack.back());
    stack.pop_back();
    return value;
  };
  for (std::size_t at = begin; at < end; ++at) {
    const Instruction& i = program.code[at];
    const auto jump = [&] { at += static_cast<std::size_t>(i.argument); };
    Failure why = nullptr;
    switch (i.op) {
      case Op::constant:
        stack.push_back(program.constants[static_cast<std::size_t>(i.argument)]);
        break;
      case Op::hint: {
        const std::string& name = program.names[static_cast<std::size_t>(i.argument)];
        const HintValue* hint = hints.find(name);
        if (hint == nullptr) return "no hint for " + name;
        stack.push_back(value_of(*hint));
        break;
      }
      case Op::binary: {
        Value& a = stack[stack.size() - 2];
        why = apply(i.operation, a, stack.back(), a);
        stack.pop_back();
        break;
      }
      case Op::negate:
        why = negate(stack.back(), stack.back());
        break;
      case Op::invert:
        why = invert(stack.back(), stack.back());
        break;
      case Op::plus:
        if (stack.back().kind == Value::Kind::boolean) stack.back().kind = Value::Kind::integer;
        break;
      case Op::logical_not:
        stack.back() = Value::of(!stack.back().truth());
        break;
      case Op::chain: {
        Value b = pop();
        if (compare(i.operation, stack.back(), b)) {
          stack.back() = std::move(b);
        } else {
          stack.back() = Value::of(false);
          jump();
        }
        break;
      }
      case Op::jump_if_false:
      case Op::jump_if_true:
        if (stack.back().truth() == (i.op == Op::jump_if_true))
          jump();
        else
          stack.pop_back();
        break;
      case Op::branch_if_false:
        if (!pop().truth()) jump();
        break;
      case Op::jump:
        jump();
        break;
      case Op::call: {
        const auto count = static_cast<std::size_t>(i.count);
        Value result;
        why = call(i.argument, std::span(stack).last(count), result);
        stack.resize(stack.size() - count);
        stack.push_back(std::move(result));
        break;
      }
      case Op::unknown:
        return "unknown function " + program.names[static_cast<std::size_t>(i.argument)];
    }
    if (why != nullptr) return why;
  }
  truth = stack.back().truth();
  return {};
}

void evaluate_clause(const Program& program, const Program::Clause& source, const Hints& hints, GuardClause& clause) {
  bool truth = false;
  clause.error = run(program, source.code_begin, source.code_end, hints, truth);
  clause.state = !clause.error.empty() ? GuardState::error : truth ? GuardState::holds : GuardState::fails;
}

std::vector<GuardHint> hints_of(const Program& program, std::size_t begin, std::size_t end, const Hints& hints) {
  std::vector<GuardHint> out;
  std::vector<bool> seen(program.names.size());
  for (std::size_t at = begin; at < end; ++at) {
    const Instruction& i = program.code[at];
    if (i.op != Op::hint) continue;
    const auto index = static_cast<std::size_t>(i.argument);
    if (seen[index]) continue;
    seen[index] = true;
    const std::string& name = program.names[index];
    const HintValue* value = hints.find(name);
    out.push_back({name, value != nullptr ? hint_text(*value) : std::string()});
  }
  return out;
}

// False for what holds an `or` or a conditional somewhere, or is no guard at all.
bool binds_tighter_than_and(const std::string& clause) {
  const auto tokens = tokenize(clause);
  return tokens && std::none_of(tokens->begin(), tokens->end(), [](const Token& t) {
           return t.kind == Token::Kind::name && (t.text == "or" || t.text == "if");
         });
}

}  // namespace

std::string hint_text(const HintValue& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
  if (const auto* real = std::get_if<double>(&value)) return python_text(*real);
  return std::get<bool>(value) ? "True" : "False";
}

Result<HintValue> parse_hint(std::string_view text) {
  if (text == "True" || text == "False") return HintValue(text == "True");
  const char* const end = text.data() + text.size();
  std::int64_t number = 0;
  if (const auto [last, error] = std::from_chars(text.data(), end, number); error == std::errc{} && last == end)
    return HintValue(number);
  double real = 0;
  if (const auto [last, error] = std::from_chars(text.data(), end, real);
      error == std::errc{} && last == end && !text.empty())
    return HintValue(real);
  return fail(ErrorKind::bad_input, "a hint is a number, True or False, not '" + std::string(text.substr(0, 80)) + "'");
}

Hints::Hints(std::vector<std::int64_t> in_input_order) : positions_(in_input_order.begin(), in_input_order.end()) {}

void Hints::set(std::string name, HintValue value) {
  for (auto& [known, old] : names_)
    if (known == name) {
      old = value;
      return;
    }
  names_.emplace_back(std::move(name), value);
}

const HintValue* Hints::find(std::string_view name) const {
  for (const auto& [known, value] : names_)
    if (known == name) return &value;
  std::size_t position = 0;
  if (!name.starts_with('t') || name.size() < 2) return nullptr;
  const auto [end, error] = std::from_chars(name.data() + 1, name.data() + name.size(), position);
  const bool canonical = name[1] != '0' || name.size() == 2;
  if (error != std::errc{} || end != name.data() + name.size() || !canonical || position >= positions_.size())
    return nullptr;
  return &positions_[position];
}

const char* name_of(GuardState state) {
  switch (state) {
    case GuardState::holds:
      return "holds";
    case GuardState::fails:
      return "fails";
    case GuardState::error:
      return "error";
    case GuardState::not_evaluated:
      return "not_evaluated";
  }
  return "error";
}

Result<GuardExpression> GuardExpression::parse(std::string_view text) {
  auto program = Program::compile(text);
  if (!program) return tl::make_unexpected(program.error());
  return GuardExpression(std::move(*program));
}

Result<bool> GuardExpression::evaluate(const Hints& hints) const {
  bool truth = false;
  std::string error = run(*program_, 0, program_->code.size(), hints, truth);
  if (!error.empty()) return fail(ErrorKind::bad_input, std::move(error), program_->text);
  return truth;
}

GuardExplanation GuardExpression::explain(const Hints& hints) const {
  GuardExplanation out;
  out.state = GuardState::holds;
  for (const Program::Clause& source : program_->clauses) {
    GuardClause clause;
    clause.begin = source.begin;
    clause.end = source.end;
    clause.text = program_->text.substr(source.begin, source.end - source.begin);
    clause.hints = hints_of(*program_, source.code_begin, source.code_end, hints);
    evaluate_clause(*program_, source, hints, clause);
    const bool decided = out.state != GuardState::holds;
    if (decided && clause.state == GuardState::error) {
      clause.state = GuardState::not_evaluated;
      clause.error.clear();
    }
    if (clause.state == GuardState::fails || clause.state == GuardState::error) {
      if (!decided) {
        out.state = clause.state;
        out.error = clause.error;
      }
      out.failing.push_back(out.clauses.size());
    }
    out.clauses.push_back(std::move(clause));
  }
  return out;
}

const std::string& GuardExpression::text() const {
  return program_->text;
}

std::vector<std::string> GuardExpression::names() const {
  std::vector<std::string> out;
  for (GuardHint& hint : hints_of(*program_, 0, program_->code.size(), {})) out.push_back(std::move(hint.name));
  return out;
}

GuardExplanation explain_guard(std::string_view text, const Hints& hints) {
  if (auto expression = GuardExpression::parse(text)) {
    return expression->explain(hints);
  } else {
    GuardExplanation out;
    out.state = GuardState::error;
    out.error = expression.error().line();
    out.clauses.push_back({0, text.size(), std::string(text), GuardState::error, out.error, {}});
    out.failing.push_back(0);
    return out;
  }
}

std::string join_guard_clauses(const std::vector<std::string>& clauses) {
  std::string out;
  for (const std::string& clause : clauses) {
    if (!out.empty()) out += " and ";
    out += clauses.size() > 1 && !binds_tighter_than_and(clause) ? "(" + clause + ")" : clause;
  }
  return out;
}

}  // namespace keyhole
