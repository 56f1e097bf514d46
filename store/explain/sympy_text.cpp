// SPDX-License-Identifier: Apache-2.0
#include "sympy_text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

namespace keyhole::explain_detail {
namespace {

constexpr int kMaxDepth = 50;

struct Spelling {
  std::string_view function, infix;  ///< infix empty: a function of Python, by `call`
  std::string_view call;
};
// torch/utils/_sympy/functions.py and sympy's relations, as str() prints them.
constexpr std::array<Spelling, 17> kSpellings = {{{"Eq", " == ", ""},
                                                  {"Ne", " != ", ""},
                                                  {"Lt", " < ", ""},
                                                  {"Le", " <= ", ""},
                                                  {"Gt", " > ", ""},
                                                  {"Ge", " >= ", ""},
                                                  {"Mod", " % ", ""},
                                                  {"PythonMod", " % ", ""},
                                                  {"FloorDiv", " // ", ""},
                                                  {"CleanDiv", " // ", ""},
                                                  {"And", " and ", ""},
                                                  {"Or", " or ", ""},
                                                  {"Not", "", "not "},
                                                  {"Max", "", "max"},
                                                  {"Min", "", "min"},
                                                  {"Abs", "", "abs"},
                                                  {"Identity", "", ""}}};

bool in_name(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.';
}

std::string translate(std::string_view text, int depth);

/// The arguments of a call whose opening parenthesis is at `open`; `close` is set behind it. Empty: not closed.
std::vector<std::string> arguments(std::string_view text, std::size_t open, std::size_t& close, int depth) {
  std::vector<std::string> out;
  int nested = 0;
  std::size_t begin = open + 1;
  for (std::size_t i = open; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '(' || c == '[') ++nested;
    if (c == ')' || c == ']') --nested;
    if ((c == ',' && nested == 1) || nested == 0) {
      while (begin < i && text[begin] == ' ') ++begin;
      out.push_back(translate(text.substr(begin, i - begin), depth + 1));
      begin = i + 1;
    }
    if (nested == 0) {
      close = i + 1;
      return out;
    }
  }
  return {};
}

std::string translate(std::string_view text, int depth) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    if (!in_name(text[i])) {
      out += text[i++];
      continue;
    }
    std::size_t end = i;
    while (end < text.size() && in_name(text[end])) ++end;
    const std::string_view name = text.substr(i, end - i);
    const auto* const known =
        std::find_if(kSpellings.begin(), kSpellings.end(), [&](const Spelling& s) { return s.function == name; });
    std::size_t close = 0;
    std::vector<std::string> args;
    if (known != kSpellings.end() && depth < kMaxDepth && end < text.size() && text[end] == '(')
      args = arguments(text, end, close, depth);
    if (args.empty()) {
      out += name;
      i = end;
      continue;
    }
    out += known->infix.empty() ? std::string(known->call) + "(" : "(";
    const std::string_view between = known->infix.empty() ? std::string_view(", ") : known->infix;
    for (std::size_t k = 0; k < args.size(); ++k) out += (k > 0 ? std::string(between) : "") + "(" + args[k] + ")";
    out += ')';
    i = close;
  }
  return out;
}

}  // namespace

std::string python_of_sympy(std::string_view text) {
  return translate(text, 0);
}

}  // namespace keyhole::explain_detail
