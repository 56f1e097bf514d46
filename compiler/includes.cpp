// SPDX-License-Identifier: Apache-2.0
#include "includes.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace keyhole {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r';
}
bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// Whether `at` begins a directive: nothing but white space or the end of a comment stands before it on its line.
bool begins_line(std::string_view text, std::size_t at) {
  while (at > 0 && is_blank(text[at - 1])) --at;
  return at == 0 || text[at - 1] == '\n' || (at > 1 && text[at - 1] == '/' && text[at - 2] == '*');
}

std::string_view word_at(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && is_word(text[end])) ++end;
  return text.substr(at, end - at);
}

std::size_t skip_blank(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    if (is_blank(text[at])) {
      ++at;
    } else if (text[at] == '\\' && at + 1 < text.size() && (text[at + 1] == '\n' || text[at + 1] == '\r')) {
      at += text[at + 1] == '\r' ? 3 : 2;
    } else if (text.substr(at, 2) == "/*") {
      const auto end = text.find("*/", at + 2);
      at = end == std::string_view::npos ? text.size() : end + 2;
    } else {
      break;
    }
  }
  return std::min(at, text.size());
}

/// Behind the end of the directive's line, over continued lines.
std::size_t end_of_directive(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    at = text.find('\n', at);
    if (at == std::string_view::npos) return text.size();
    std::size_t before = at;
    if (before > 0 && text[before - 1] == '\r') --before;
    if (before == 0 || text[before - 1] != '\\') return at;
    ++at;
  }
  return text.size();
}

struct Directive {
  std::string_view name, body;
};

template <class Use>
void each_directive(std::string_view text, Use use) {
  for (std::size_t at = text.find('#'); at != std::string_view::npos; at = text.find('#', at)) {
    if (!begins_line(text, at)) {
      ++at;
      continue;
    }
    const std::size_t begin = skip_blank(text, at + 1);
    const auto name = word_at(text, begin);
    const std::size_t end = end_of_directive(text, begin);
    if (!name.empty()) use(Directive{name, text.substr(begin + name.size(), end - begin - name.size())});
    at = std::max(end, at + 1);
  }
}

/// The literal that `text` begins with: "x" or <x>; false where it is none.
bool literal(std::string_view text, Asked::Name& name) {
  if (text.empty() || (text.front() != '"' && text.front() != '<')) return false;
  const char close = text.front() == '"' ? '"' : '>';
  const auto end = text.find_first_of(close == '"' ? std::string_view("\"\n") : std::string_view(">\n"), 1);
  if (end == std::string_view::npos || text[end] != close || end == 1) return false;
  name = {std::string(text.substr(1, end - 1)), close == '"'};
  return true;
}

/// Calls `use` with what stands behind each "word (" in `body`.
template <class Use>
void each_call(std::string_view body, std::string_view word, Use use) {
  for (auto at = body.find(word); at != std::string_view::npos; at = body.find(word, at + 1)) {
    if ((at > 0 && is_word(body[at - 1])) || (at + word.size() < body.size() && is_word(body[at + word.size()])))
      continue;
    const std::size_t open = skip_blank(body, at + word.size());
    if (open < body.size() && body[open] == '(') use(body.substr(skip_blank(body, open + 1)));
  }
}

constexpr std::array<std::string_view, 5> kTelling = {"__TIME__", "__DATE__", "__TIMESTAMP__", ".incbin", ".include"};
constexpr std::size_t kWindow = 7;  // no word is shorter

/// How far a window may move whose last character is this one: Horspool, for all words at once.
constexpr auto kShift = [] {
  std::array<std::uint8_t, 256> shift{};
  shift.fill(kWindow);
  for (const auto word : kTelling)
    for (std::size_t i = 0; i + 1 < kWindow; ++i) {
      auto& s = shift[static_cast<unsigned char>(word[i])];
      s = std::min(s, static_cast<std::uint8_t>(kWindow - 1 - i));
    }
  return shift;
}();

/// Calls `use` with each of these words and what stands behind it. One pass over texts of megabytes.
template <class Use>
void each_telling_word(std::string_view text, Use use) {
  for (std::size_t last = kWindow - 1; last < text.size(); last += kShift[static_cast<unsigned char>(text[last])])
    for (const auto word : kTelling)
      if (text[last] == word[kWindow - 1] && text.substr(last - (kWindow - 1)).starts_with(word))
        use(word, text.substr(last - (kWindow - 1) + word.size()));
}

/// What `.include` of the assembler begins with; not `set.include(x)`.
bool begins_quoted(std::string_view text) {
  const auto at = text.find_first_not_of(" \t");
  return at != std::string_view::npos && (text[at] == '"' || text[at] == '\\');
}

bool is_condition(std::string_view name) {
  return name == "if" || name == "elif";
}

}  // namespace

Asked questions_of(std::string_view text) {
  Asked asked;
  each_telling_word(text, [&](std::string_view word, std::string_view rest) {
    if (word == ".incbin" || (word == ".include" && begins_quoted(rest)))
      asked.unseen = true;
    else if (word == "__TIMESTAMP__")
      asked.timestamp = true;
    else if (word != ".include")
      asked.time = true;
  });
  for (const std::string_view hash : {"%:", "\?\?="})
    for (auto at = text.find(hash); at != std::string_view::npos && !asked.digraphs; at = text.find(hash, at + 1))
      asked.digraphs = begins_line(text, at);
  each_directive(text, [&](const Directive& d) {
    Asked::Name name{};
    if (d.name == "include" || d.name == "include_next" || d.name == "import") {
      if (literal(d.body.substr(skip_blank(d.body, 0)), name)) asked.names.push_back(name);
    } else if (is_condition(d.name)) {
      for (std::size_t at = d.body.find_first_of("\"<"); at != std::string_view::npos;
           at = d.body.find_first_of("\"<", at + 1)) {
        if (!literal(d.body.substr(at), name) || name.text.find(' ') != std::string_view::npos) continue;
        asked.names.push_back(name);
        at += name.text.size();
      }
      for (const std::string_view question : {"__has_include", "__has_include_next"})
        each_call(d.body, question, [&](std::string_view argument) {
          if (!literal(argument, name)) asked.hidden_question = true;
        });
    } else if (d.name == "define" && d.body.find("__has_include") != std::string_view::npos) {
      // "#define HAS __has_include(<x>)" asks for x wherever HAS stands; one without a literal asks for what it is
      // given.
      bool literals = false, others = false;
      for (const std::string_view question : {"__has_include", "__has_include_next"})
        each_call(d.body, question, [&](std::string_view argument) {
          const bool is = literal(argument, name);
          if (is) asked.names.push_back(name);
          (is ? literals : others) = true;
        });
      if (others || !literals) asked.wrappers.emplace_back(word_at(d.body, skip_blank(d.body, 0)));
    } else if (d.name == "line" || (d.name.front() >= '0' && d.name.front() <= '9')) {
      if (const auto quote = d.body.find('"'); quote != std::string_view::npos && literal(d.body.substr(quote), name))
        asked.shown.push_back(name.text);
    } else if (d.name == "embed") {
      asked.unseen = true;
    } else if (d.name == "pragma" && d.body.find("dependency") != std::string_view::npos) {
      asked.file_time = true;
    }
  });
  return asked;
}

bool asks_hidden(std::string_view text, std::vector<std::string>& wrappers) {
  if (std::none_of(wrappers.begin(), wrappers.end(),
                   [&](const std::string& w) { return text.find(w) != std::string_view::npos; }))
    return false;
  bool hidden = false;
  each_directive(text, [&](const Directive& d) {
    if (d.name == "define") {
      const auto name = word_at(d.body, skip_blank(d.body, 0));
      const auto body = d.body.substr(d.body.find(name) + name.size());
      const auto called = [&](const std::string& w) { return w != name && body.find(w) != std::string_view::npos; };
      if (!name.empty() && std::find(wrappers.begin(), wrappers.end(), name) == wrappers.end() &&
          std::any_of(wrappers.begin(), wrappers.end(), called))
        wrappers.emplace_back(name);
      return;
    }
    if (!is_condition(d.name) || hidden) return;
    for (const auto& wrapper : wrappers) {
      Asked::Name name{};
      each_call(d.body, wrapper, [&](std::string_view argument) { hidden = hidden || !literal(argument, name); });
    }
  });
  return hidden;
}

std::size_t LineMarkers::read(std::string_view text) {
  // There is no '#' but in markers and pragmas: that is faster than going from line to line.
  for (std::size_t at = text.find('#'); at != std::string_view::npos; at = text.find('#', at + 1)) {
    if (at > 0 && text[at - 1] != '\n') continue;
    const auto end = text.find('\n', at);
    if (end == std::string_view::npos) return at;
    line(text.substr(at, end - at));
    at = end;
  }
  return text.rfind('\n') + 1;
}

void LineMarkers::line(std::string_view text) {
  if (text.size() < 5 || text[1] != ' ' || text[2] < '0' || text[2] > '9') return;
  const auto open = text.find('"'), close = text.rfind('"');
  if (open == std::string_view::npos || close <= open) return;
  const std::string_view flags = text.substr(close + 1);
  const auto flag = [&](char c) { return flags.size() > 1 && flags[1] == c; };
  if (flag('2')) {
    if (stack_.size() > 1) stack_.pop_back();
    return;
  }
  if (!stack_.empty() && !flag('1')) return;  // the same file goes on, or a #line says so
  std::string file;
  for (std::size_t i = open + 1; i < close; ++i) {
    if (text[i] == '\\' && i + 1 < close) ++i;
    file += text[i];
  }
  if (file.empty() || file.front() == '<' || file.ends_with("//")) return;     // <built-in>, the working folder
  entered_.push_back({file, stack_.empty() ? std::string() : stack_.back()});  // the first is the source
  stack_.push_back(std::move(file));
}

bool take_header_lines(std::string& error_text, const std::string& source, std::vector<Entered>& entered) {
  std::string rest;
  std::vector<std::string> stack{source};
  bool plain = true, in_advice = false;
  for (std::size_t at = 0; at < error_text.size();) {
    const std::size_t end = std::min(error_text.find('\n', at), error_text.size() - 1) + 1;
    const std::string_view line = std::string_view(error_text).substr(at, end - at);
    at = end;
    const std::string_view bare = line.substr(0, line.find_last_not_of("\r\n") + 1);
    std::size_t dots = 0;
    while (dots < bare.size() && bare[dots] == '.') ++dots;
    if (dots > 0 && dots + 1 < bare.size() && bare[dots] == ' ') {
      stack.resize(std::min(dots, stack.size()));
      std::string file(bare.substr(dots + 1));
      entered.push_back({file, stack.back()});
      stack.push_back(std::move(file));
      in_advice = false;
    } else if (bare.starts_with("! ") || (bare.starts_with("x ") && bare.ends_with(".gch"))) {
      plain = false;
    } else if (bare == "Multiple include guards may be useful for:") {
      in_advice = true;  // gcc lists headers without guards behind the tree
    } else if (!in_advice || bare.find(": ") != std::string_view::npos) {
      rest += line;
      in_advice = false;
    }
  }
  error_text = std::move(rest);
  return plain;
}

void read_link_inputs(std::string_view text, std::vector<std::string>& files) {
  const auto colon = text.find(": ");
  if (colon == std::string_view::npos) return;
  std::string word;
  for (std::size_t i = colon + 2; i <= text.size(); ++i) {
    const char c = i < text.size() ? text[i] : '\n';
    const char next = i + 1 < text.size() ? text[i + 1] : '\n';
    if (c == '\\' && next == '\n') {
      ++i;  // the line goes on
    } else if ((c == '\\' && (next == ' ' || next == '#')) || (c == '$' && next == '$')) {
      word += next;
      ++i;
      continue;
    } else if (c != ' ' && c != '\n') {
      word += c;
      continue;
    }
    if (!word.empty()) files.push_back(std::exchange(word, {}));
    if (c == '\n') return;
  }
}

}  // namespace keyhole
