// SPDX-License-Identifier: Apache-2.0
// Text to postfix code, by Python's grammar: conditional < or < and < not < comparison < | < ^ < & < + < * < unary <
// **.
#include <algorithm>
#include <cstdlib>
#include <limits>
#include <optional>

#include "lexer.h"
#include "program.h"

namespace keyhole {
namespace {

using Op = Instruction::Op;
constexpr int kMaxDepth = 200;
constexpr std::size_t kMaxText = 256 * 1024;
constexpr std::size_t kMaxNames = 4096;

struct Level {
  std::string_view symbol;
  Operator operation;
  int strength;
};
constexpr Level kBinary[] = {
    {"|", Operator::bit_or, 1}, {"^", Operator::bit_xor, 2},       {"&", Operator::bit_and, 3},
    {"+", Operator::add, 4},    {"-", Operator::subtract, 4},      {"*", Operator::multiply, 5},
    {"/", Operator::divide, 5}, {"//", Operator::floor_divide, 5}, {"%", Operator::modulo, 5}};
constexpr Level kComparisons[] = {{"==", Operator::equal, 0},  {"!=", Operator::unequal, 0},
                                  {"<", Operator::less, 0},    {"<=", Operator::less_equal, 0},
                                  {">", Operator::greater, 0}, {">=", Operator::greater_equal, 0}};

class Parser {
 public:
  Parser(GuardExpression::Program& program, std::vector<Token> tokens)
      : program_(program), tokens_(std::move(tokens)) {}

  /// The reason why it is no expression; absent: all is well.
  std::optional<Error> run() {
    conditional(true);
    if (!error_ && token().kind != Token::Kind::end) refuse("an operator is missing");
    return error_;
  }

 private:
  using Kind = Token::Kind;

  [[nodiscard]] const Token& token(std::size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  [[nodiscard]] bool is(std::string_view text) const { return is(token(), text); }
  static bool is(const Token& t, std::string_view text) {
    return (t.kind == Kind::symbol || t.kind == Kind::name) && t.text == text;
  }
  bool take(std::string_view text) {
    if (error_ || !is(text)) return false;
    ++at_;
    return true;
  }
  void expect(std::string_view text) {
    if (!take(text)) refuse("'" + std::string(text) + "' is missing");
  }
  void refuse(std::string what) {
    if (!error_)
      error_ =
          Error{ErrorKind::bad_input, std::move(what), "byte " + std::to_string(token().begin) + " of the guard", {}};
  }
  bool deeper() {
    if (++depth_ > kMaxDepth) refuse("nested more than " + std::to_string(kMaxDepth) + " deep");
    return !error_;
  }

  // Code.
  std::vector<Instruction>& code() { return program_.code; }
  std::size_t emit(Op op, std::int32_t argument = 0, Operator operation = Operator::add, std::int32_t count = 0) {
    code().push_back({op, operation, argument, count});
    return code().size() - 1;
  }
  void land_here(const std::vector<std::size_t>& jumps) {
    for (const std::size_t jump : jumps) code()[jump].argument = static_cast<std::int32_t>(code().size() - jump - 1);
  }
  std::int32_t name_index(std::string_view name) {
    const auto known = std::find(program_.names.begin(), program_.names.end(), name) - program_.names.begin();
    if (static_cast<std::size_t>(known) == program_.names.size()) program_.names.emplace_back(name);
    if (program_.names.size() > kMaxNames) refuse("more than " + std::to_string(kMaxNames) + " names");
    return static_cast<std::int32_t>(known);
  }
  void constant(Value value) {
    program_.constants.push_back(std::move(value));
    emit(Op::constant, static_cast<std::int32_t>(program_.constants.size() - 1));
  }

  // Everything since these marks becomes one clause.
  void one_clause(bool top, std::size_t clauses, std::size_t first_token, std::size_t first_code) {
    if (!top || error_) return;
    program_.clauses.resize(clauses);
    program_.clauses.push_back({tokens_[first_token].begin, tokens_[at_ - 1].end, first_code, code().size()});
  }

  // `top`: what is parsed is a conjunct of the whole expression, so its own conjuncts are clauses of the whole.
  void conditional(bool top) {
    if (!deeper()) return;
    const std::size_t clauses = program_.clauses.size(), first_token = at_, value = code().size();
    disjunction(top);
    if (take("if")) {
      const std::size_t test = code().size();
      disjunction(false);
      const auto at = [&](std::size_t i) { return code().begin() + static_cast<std::ptrdiff_t>(i); };
      const std::size_t test_size = code().size() - test, value_size = test - value;
      std::rotate(at(value), at(test), code().end());  // the test runs first
      code().insert(at(value + test_size),
                    {Op::branch_if_false, Operator::add, static_cast<std::int32_t>(value_size + 1), 0});
      const std::size_t jump = emit(Op::jump);
      expect("else");
      conditional(false);
      land_here({jump});
      one_clause(top, clauses, first_token, value);
    }
    --depth_;
  }

  void disjunction(bool top) {
    const std::size_t clauses = program_.clauses.size(), first_token = at_, first_code = code().size();
    std::vector<std::size_t> jumps;
    conjunction(top);
    while (take("or")) {
      jumps.push_back(emit(Op::jump_if_true));
      conjunction(false);
    }
    land_here(jumps);
    if (!jumps.empty()) one_clause(top, clauses, first_token, first_code);
  }

  void conjunction(bool top) {
    std::vector<std::size_t> jumps;
    conjunct(top);
    while (take("and")) {
      jumps.push_back(emit(Op::jump_if_false));
      conjunct(top);
    }
    land_here(jumps);
  }

  void conjunct(bool top) {
    const std::size_t clauses = program_.clauses.size(), first_token = at_, first_code = code().size();
    if (top && is("(") && token().kind == Kind::symbol && ends_conjunct(tokens_[token().match + 1])) {
      expect("(");
      conditional(true);
      expect(")");
      if (program_.clauses.size() > clauses + 1) return;  // "(a and b)": both are clauses
    } else {
      negation();
    }
    one_clause(top, clauses, first_token, first_code);
  }
  static bool ends_conjunct(const Token& t) {
    return t.kind == Kind::end || is(t, "and") || is(t, "or") || is(t, ")") || is(t, "if");
  }

  void negation() {
    if (!deeper()) return;
    if (take("not")) {
      negation();
      emit(Op::logical_not);
    } else {
      comparison();
    }
    --depth_;
  }

  static const Level* find(std::span<const Level> levels, const Token& t) {
    if (t.kind != Kind::symbol) return nullptr;
    for (const Level& level : levels)
      if (level.symbol == t.text) return &level;
    return nullptr;
  }

  void comparison() {
    binary(1);
    std::vector<std::size_t> jumps;
    const Level* level = error_ ? nullptr : find(kComparisons, token());
    while (level != nullptr) {
      ++at_;
      binary(1);
      const Level* next = error_ ? nullptr : find(kComparisons, token());
      if (next != nullptr)
        jumps.push_back(emit(Op::chain, 0, level->operation));
      else
        emit(Op::binary, 0, level->operation);
      level = next;
    }
    land_here(jumps);
  }

  void binary(int strength) {
    unary();
    while (!error_) {
      const Level* level = find(kBinary, token());
      if (level == nullptr || level->strength < strength) return;
      ++at_;
      binary(level->strength + 1);
      emit(Op::binary, 0, level->operation);
    }
  }

  void unary() {
    if (!deeper()) return;
    if (take("-")) {
      unary();
      emit(Op::negate);
    } else if (take("+")) {
      unary();
      emit(Op::plus);
    } else if (take("~")) {
      unary();
      emit(Op::invert);
    } else {
      atom();
      if (take("**")) {
        unary();
        emit(Op::binary, 0, Operator::power);
      }
    }
    --depth_;
  }

  void atom() {
    if (error_) return;
    const Token t = token();
    switch (t.kind) {
      case Kind::integer:
        ++at_;
        return integer(t);
      case Kind::real:
        ++at_;
        return constant(Value::of(std::strtod(std::string(t.text).c_str(), nullptr)));
      case Kind::name:
        ++at_;
        return name(t);
      case Kind::symbol:
        if (t.text != "(") break;
        ++at_;
        conditional(false);
        return expect(")");
      default:
        break;
    }
    refuse("a value is missing");
  }

  void integer(const Token& t) {
    Integer value;
    if (t.text.size() > 1 && t.text[0] == '0' && t.text.find_first_not_of('0') != std::string_view::npos)
      return refuse("a number begins with 0");
    if (!Integer::parse_decimal(t.text, value)) return refuse("an integer of more than 2048 bits");
    constant(Value::of(std::move(value)));
  }

  void name(const Token& t) {
    for (const std::string_view word :
         {"and", "or", "not", "if", "else", "is", "in", "lambda", "for", "await", "yield", "None"})
      if (t.text == word) return --at_, refuse("'" + std::string(word) + "' where a value should stand");
    if (t.text == "True" || t.text == "False") return constant(Value::of(t.text == "True"));
    if (t.text == "math.inf") return constant(Value::of(std::numeric_limits<double>::infinity()));
    if (t.text == "math.nan") return constant(Value::of(std::numeric_limits<double>::quiet_NaN()));
    if (t.text == "math.pi") return constant(Value::of(3.141592653589793));
    if (t.text == "math.e") return constant(Value::of(2.718281828459045));
    if (t.text == "L" && take("[")) {
      const Token key = token();
      if (key.kind != Kind::string) return refuse("L[…] holds no name");
      ++at_;
      expect("]");
      emit(Op::hint, name_index(key.text));
    } else if (take("(")) {
      call(t.text);
    } else {
      emit(Op::hint, name_index(t.text));
    }
  }

  void call(std::string_view function) {
    std::int32_t count = 0;
    while (!error_ && !is(")")) {
      conditional(false);
      ++count;
      if (!take(",")) break;
    }
    expect(")");
    const int index = function_named(function);
    if (index >= 0)
      emit(Op::call, index, Operator::add, count);
    else
      emit(Op::unknown, name_index(function));
  }

  GuardExpression::Program& program_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
  std::optional<Error> error_;
};

}  // namespace

Result<std::shared_ptr<const GuardExpression::Program>> GuardExpression::Program::compile(std::string_view text) {
  if (text.size() > kMaxText) return fail(ErrorKind::bad_input, "the guard is longer than 256 KiB");
  auto program = std::make_shared<Program>();
  program->text = text;
  auto tokens = tokenize(program->text);
  if (!tokens) return tl::make_unexpected(tokens.error());
  if (auto error = Parser(*program, std::move(*tokens)).run()) return tl::make_unexpected(*error);
  return program;
}

}  // namespace keyhole
