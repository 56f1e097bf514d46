// SPDX-License-Identifier: Apache-2.0
#include "includes.h"

#include <algorithm>
#include <cstring>
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
  name = {text.substr(1, end - 1), close == '"'};
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

bool is_condition(std::string_view name) {
  return name == "if" || name == "elif";
}

}  // namespace

Asked questions_of(std::string_view text) {
  Asked asked;
  const auto has = [&](std::string_view word) {
    return memmem(text.data(), text.size(), word.data(), word.size()) != nullptr;
  };
  asked.time = has("__TIME__") || has("__DATE__");
  asked.timestamp = has("__TIMESTAMP__");
  asked.incbin = has(".incbin");
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
      asked.wrappers.push_back(word_at(d.body, skip_blank(d.body, 0)));
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

void read_line_markers(std::string_view text, std::vector<Entered>& entered) {
  std::vector<std::string> stack;
  for (std::size_t at = 0; at < text.size();) {
    const char* newline = static_cast<const char*>(std::memchr(text.data() + at, '\n', text.size() - at));
    const std::size_t end = newline != nullptr ? static_cast<std::size_t>(newline - text.data()) : text.size();
    const std::string_view line = text.substr(at, end - at);
    at = end + 1;
    if (line.size() < 5 || line[0] != '#' || line[1] != ' ' || line[2] < '0' || line[2] > '9') continue;
    const auto open = line.find('"'), close = line.rfind('"');
    if (open == std::string_view::npos || close <= open) continue;
    std::string file;
    for (std::size_t i = open + 1; i < close; ++i) {
      if (line[i] == '\\' && i + 1 < close) ++i;
      file += line[i];
    }
    const bool special = file.empty() || file.front() == '<' || file.ends_with("//");  // <built-in>, the working folder
    const std::string_view flags = line.substr(close + 1);
    const auto flag = [&](char c) { return flags.size() > 1 && flags[1] == c; };
    if (flag('2')) {
      if (stack.size() > 1) stack.pop_back();
      continue;
    }
    if (special) continue;
    if (stack.empty()) {  // the first is the source
      entered.push_back({file, {}});
      stack.push_back(std::move(file));
    } else if (flag('1')) {
      entered.push_back({file, stack.back()});
      stack.push_back(std::move(file));
    }  // else the same file goes on, or a #line says so
  }
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
