// SPDX-License-Identifier: Apache-2.0
// The words of a line of graph code. Used by graph_text.cpp and graph_compare.cpp alone.
#pragma once

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <string_view>
#include <vector>

namespace keyhole::explain_detail {

inline constexpr std::uint64_t kSeed = 0xcbf29ce484222325ULL;
inline std::uint64_t mix(std::uint64_t h, std::string_view s) {  // FNV-1a, with a mark between tokens
  for (const char c : s) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return (h ^ 0xffU) * 0x100000001b3ULL;
}

inline bool word_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}
inline bool digit(char c) {
  return c >= '0' && c <= '9';
}

enum class Kind { word, number, string, other };
struct Token {
  Kind kind;
  std::string_view text;
  bool member = false;  ///< follows a dot
};

/// Splits a line. A dotted name is several words; "1e-05" and "0.5" are one number each.
template <class F>
void tokens(std::string_view s, F&& each) {
  std::size_t i = 0;
  bool dot = false;
  while (i < s.size()) {
    const char c = s[i];
    if (c == ' ' || c == '\t' || c == '\r') {
      ++i;
      continue;
    }
    const std::size_t begin = i;
    if (digit(c)) {
      while (i < s.size() && (word_char(s[i]) || (s[i] == '.' && i + 1 < s.size() && digit(s[i + 1])) ||
                              (s[i] == '.' && (i + 1 == s.size() || !word_char(s[i + 1]))) ||
                              ((s[i] == '-' || s[i] == '+') && (s[i - 1] == 'e' || s[i - 1] == 'E')))) {
        ++i;
      }
      each(Token{Kind::number, s.substr(begin, i - begin), dot});
      dot = false;
    } else if (word_char(c)) {
      while (i < s.size() && word_char(s[i])) ++i;
      each(Token{Kind::word, s.substr(begin, i - begin), dot});
      dot = false;
    } else if (c == '\'' || c == '"') {
      ++i;
      while (i < s.size() && s[i] != c) i += s[i] == '\\' ? 2 : 1;
      i = std::min(i + 1, s.size());
      each(Token{Kind::string, s.substr(begin, i - begin), dot});
      dot = false;
    } else {
      ++i;
      dot = c == '.';
      if (!dot) each(Token{Kind::other, s.substr(begin, 1), false});
    }
  }
}

/// "mul_3" is "mul"; "primals_12" is "primals"; "arg0_1" is "arg". The number only tells which.
inline std::string_view stem(std::string_view name) {
  std::size_t end = name.size();
  for (;;) {
    std::size_t e = end;
    while (e > 0 && digit(name[e - 1])) --e;
    if (e > 0 && e < end && name[e - 1] == '_') --e;
    if (e == end || e == 0) break;
    end = e;
  }
  return name.substr(0, end);
}

/// Arguments are called by the kind of the graph: arg0_1 in inference, primals_1 in training, p_0 before AOTAutograd.
inline std::string_view value_name(std::string_view name) {
  const std::string_view s = stem(name);
  return s == "arg" || s == "primals" || s == "p" ? std::string_view("primals") : s;
}

inline std::string_view trim(std::string_view s) {
  while (!s.empty() && std::isspace(static_cast<unsigned char>(s.front())) != 0) s.remove_prefix(1);
  while (!s.empty() && std::isspace(static_cast<unsigned char>(s.back())) != 0) s.remove_suffix(1);
  return s;
}

inline bool dtype_word(std::string_view w) {
  static constexpr std::array<std::string_view, 6> kStems = {"float", "bfloat", "int", "uint", "complex", "bool"};
  if (w == "bool" || w == "half" || w == "double") return true;
  return std::any_of(kStems.begin(), kStems.end(), [&](std::string_view k) {
    return w.size() > k.size() && w.substr(0, k.size()) == k && digit(w[k.size()]);
  });
}

/// A value of Python, no name of one.
inline bool constant_word(std::string_view w) {
  return w == "None" || w == "True" || w == "False";
}

/// A symbolic size: s77, u0.
inline bool symbol_word(std::string_view w) {
  return w.size() > 1 && (w[0] == 's' || w[0] == 'u') && std::all_of(w.begin() + 1, w.end(), digit);
}

inline bool reshape_word(std::string_view w) {
  static constexpr std::array<std::string_view, 31> kWords = {"view",
                                                              "_unsafe_view",
                                                              "reshape",
                                                              "_reshape_alias",
                                                              "permute",
                                                              "transpose",
                                                              "t",
                                                              "expand",
                                                              "clone",
                                                              "contiguous",
                                                              "slice",
                                                              "select",
                                                              "squeeze",
                                                              "unsqueeze",
                                                              "alias",
                                                              "as_strided",
                                                              "flatten",
                                                              "unflatten",
                                                              "convert_element_type",
                                                              "_to_copy",
                                                              "to",
                                                              "detach",
                                                              "copy",
                                                              "copy_",
                                                              "size",
                                                              "sym_size",
                                                              "constant_pad_nd",
                                                              "pad",
                                                              "lift_fresh_copy",
                                                              "getitem",
                                                              "tuple"};
  return std::find(kWords.begin(), kWords.end(), w) != kWords.end();
}

/// The last word of the dotted name that the line calls, overload names ("default", "Tensor", "int") skipped.
inline std::string_view called(std::string_view line) {
  std::vector<std::string_view> path;
  std::string_view found;
  bool assigned = line.find(" = ") == std::string_view::npos;
  tokens(line, [&](const Token& t) {
    if (!found.empty()) return;
    if (t.kind == Kind::word || (t.kind == Kind::number && t.member)) {
      if (!t.member) path.clear();
      path.push_back(t.text);
    } else if (t.kind == Kind::other && t.text == "=") {
      assigned = true;
      path.clear();
    } else if (t.kind == Kind::other && t.text == "(" && assigned && !path.empty()) {
      found = path.size() == 5 && path[1] == "ops" ? path[3] : path.back();  // torch.ops.aten.mul.Tensor
    } else {
      path.clear();
    }
  });
  return found;
}

}  // namespace keyhole::explain_detail
