// SPDX-License-Identifier: Apache-2.0
#include "lexer.h"

namespace keyhole {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_name(char c) {
  return is_name_start(c) || is_digit(c);
}
bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

std::size_t skip_digits(std::string_view text, std::size_t at) {
  while (at < text.size() && is_digit(text[at])) ++at;
  return at;
}

// Sets kind, returns the end of the number that starts at `at`.
std::size_t number_end(std::string_view text, std::size_t at, Token::Kind& kind) {
  kind = Token::Kind::integer;
  at = skip_digits(text, at);
  if (at < text.size() && text[at] == '.') {
    kind = Token::Kind::real;
    at = skip_digits(text, at + 1);
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    std::size_t exponent = at + 1;
    if (exponent < text.size() && (text[exponent] == '+' || text[exponent] == '-')) ++exponent;
    if (exponent < text.size() && is_digit(text[exponent])) {
      kind = Token::Kind::real;
      at = skip_digits(text, exponent);
    }
  }
  return at;
}

std::size_t name_end(std::string_view text, std::size_t at) {
  while (at < text.size() &&
         (is_name(text[at]) || (text[at] == '.' && at + 1 < text.size() && is_name_start(text[at + 1]))))
    ++at;
  return at;
}

std::size_t symbol_length(std::string_view rest) {
  for (const std::string_view two : {"**", "//", "==", "!=", "<=", ">="})
    if (rest.starts_with(two)) return 2;
  return std::string_view("+-*/%&|^~<>()[],").find(rest[0]) != std::string_view::npos ? 1 : 0;
}

}  // namespace

Result<std::vector<Token>> tokenize(std::string_view text) {
  std::vector<Token> tokens;
  std::vector<std::size_t> open;
  const auto refuse = [](std::size_t at, std::string what) {
    return fail(ErrorKind::bad_input, std::move(what), "byte " + std::to_string(at) + " of the guard");
  };
  std::size_t at = 0;
  while (true) {
    while (at < text.size() && is_space(text[at])) ++at;
    Token token;
    token.begin = token.end = at;
    if (at == text.size()) {
      tokens.push_back(token);
      break;
    }
    const char c = text[at];
    if (is_digit(c) || (c == '.' && at + 1 < text.size() && is_digit(text[at + 1]))) {
      token.end = number_end(text, at, token.kind);
      if (token.end < text.size() && is_name(text[token.end])) return refuse(token.end, "a number ends in a letter");
    } else if (is_name_start(c)) {
      token.kind = Token::Kind::name;
      token.end = name_end(text, at);
    } else if (c == '\'' || c == '"') {
      token.kind = Token::Kind::string;
      const std::size_t close = text.find(c, at + 1);
      if (close == std::string_view::npos) return refuse(at, "a quote is not closed");
      token.end = close + 1;
    } else if (const std::size_t length = symbol_length(text.substr(at)); length > 0) {
      token.kind = Token::Kind::symbol;
      token.end = at + length;
      if (c == '(') open.push_back(tokens.size());
      if (c == ')') {
        if (open.empty()) return refuse(at, "a parenthesis was never opened");
        tokens[open.back()].match = tokens.size();
        open.pop_back();
      }
    } else {
      return refuse(at, "a character that no guard holds");
    }
    token.text = text.substr(token.begin, token.end - token.begin);
    if (token.kind == Token::Kind::string) token.text = token.text.substr(1, token.text.size() - 2);
    at = token.end;
    tokens.push_back(token);
  }
  if (!open.empty()) return refuse(tokens[open.back()].begin, "a parenthesis is not closed");
  return tokens;
}

}  // namespace keyhole
