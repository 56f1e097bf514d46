// SPDX-License-Identifier: Apache-2.0
// Values that differ in every run although nothing was changed: how they look.
#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

#include "change.h"

namespace keyhole::explain_detail {
namespace {

bool digit(char c) {
  return c >= '0' && c <= '9';
}
bool hex(char c) {
  return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool alnum(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0;
}

std::size_t run(std::string_view s, std::size_t i, bool (*is)(char)) {
  std::size_t n = 0;
  while (i + n < s.size() && is(s[i + n])) ++n;
  return n;
}

std::size_t uuid_at(std::string_view s, std::size_t i) {
  static constexpr std::array<std::size_t, 5> kParts = {8, 4, 4, 4, 12};
  std::size_t at = i;
  for (std::size_t p = 0; p < kParts.size(); ++p) {
    if (run(s, at, hex) != kParts[p]) {
      // Without hyphens: 32 hexadecimal digits.
      return p == 0 && run(s, i, hex) == 32 && (i + 32 == s.size() || !alnum(s[i + 32])) ? 32 : 0;
    }
    at += kParts[p];
    if (p + 1 < kParts.size()) {
      // With underscores in an identifier of Python.
      if (at >= s.size() || (s[at] != '-' && s[at] != '_') || s[at] != s[i + kParts[0]]) return 0;
      ++at;
    }
  }
  return at - i;
}

/// 2026-11-21, 2026-11-21T10:45:31.123, 20261121_104531, 10:45:31, and seconds or nanoseconds since 1970 (2001 to
/// 2096).
std::size_t time_at(std::string_view s, std::size_t i) {
  const std::size_t n = run(s, i, digit);
  const auto at = [&](std::size_t k) { return k < s.size() ? s[k] : '\0'; };
  std::size_t end = 0;
  const bool year = n >= 4 && (s.substr(i, 2) == "19" || s.substr(i, 2) == "20");
  if (n == 4 && year && (at(i + 4) == '-' || at(i + 4) == '/') && run(s, i + 5, digit) == 2 && at(i + 7) == at(i + 4) &&
      run(s, i + 8, digit) == 2) {
    end = i + 10;
  } else if (n == 8 && year && s[i + 4] <= '1' && s[i + 6] <= '3') {
    end = i + 8;
  } else if (n == 14 && year && s[i + 4] <= '1') {
    return 14;
  } else if (n == 2 && at(i + 2) == ':' && run(s, i + 3, digit) == 2 && at(i + 5) == ':' && run(s, i + 6, digit) == 2) {
    end = i + 8;
    if (at(end) == '.') end += 1 + run(s, end + 1, digit);
    return end - i;
  } else if ((n == 10 || n == 13 || n == 16 || n == 19) && (s[i] == '1' || s[i] == '2' || s[i] == '3')) {
    end = i + n;
    if (at(end) == '.' && run(s, end + 1, digit) > 0) end += 1 + run(s, end + 1, digit);
    return end - i;
  }
  if (end == 0) return 0;
  const std::size_t gap = end;
  if (at(end) == 'T' || at(end) == ' ' || at(end) == '_' || at(end) == '-') ++end;
  std::size_t clock = end;
  while (digit(at(clock)) || at(clock) == ':' || at(clock) == '.' || at(clock) == '-') ++clock;
  return (clock - end >= 4 ? clock : gap) - i;
}

/// One thing in a text that may differ from run to run.
struct Mark {
  std::string_view kind;
  std::string_view text;
};

/// A part of a path whose name mktemp or tempfile made: letters and digits of both cases, or a process number, under a
/// folder for temporary things; or any part under /proc and /run/user.
bool volatile_path(std::string_view path) {
  for (const std::string_view root :
       {"/tmp/", "/var/tmp/", "/private/var/", "/dev/shm/", "/proc/", "/run/", "/scratch/", "/local/"}) {
    if (path.substr(0, root.size()) == root) return true;
  }
  return false;
}

/// Splits a text into its marks and the rest; two texts differ only by marks if the rests are equal.
std::string split(std::string_view name, std::string_view s, std::int64_t pid, int rank, std::vector<Mark>& marks) {
  std::string rest;
  std::string before;  // the letters just before a number, lower case
  const std::string pid_text = pid > 0 ? std::to_string(pid) : std::string();
  for (std::size_t i = 0; i < s.size();) {
    const bool begins = i == 0 || !alnum(s[i - 1]);
    const auto take = [&](std::string_view kind, std::size_t n) {
      marks.push_back({kind, s.substr(i, n)});
      rest += '\x01';
      i += n;
    };
    if (begins && s[i] == '/' && (i == 0 || s[i - 1] != '/')) {
      std::size_t n = 1;
      while (i + n < s.size() &&
             (alnum(s[i + n]) || std::string_view("/._-+~").find(s[i + n]) != std::string_view::npos))
        ++n;
      if (volatile_path(s.substr(i, n))) {
        take("path", n);
        continue;
      }
    }
    if (begins && s[i] == '0' && i + 1 < s.size() && s[i + 1] == 'x' && run(s, i + 2, hex) >= 6) {
      take("pointer", 2 + run(s, i + 2, hex));
      continue;
    }
    if (begins && hex(s[i])) {
      if (const std::size_t n = uuid_at(s, i); n > 0) {
        take("uuid", n);
        continue;
      }
    }
    if (digit(s[i]) && (i == 0 || !digit(s[i - 1]))) {
      if (const std::size_t n = time_at(s, i); n > 0) {
        take("time", n);
        continue;
      }
      const std::size_t n = run(s, i, digit);
      std::string word;
      for (std::size_t k = i; k > 0 && word.size() < 12;) {
        const char c = s[--k];
        if (std::isalpha(static_cast<unsigned char>(c)) != 0) {
          word.insert(word.begin(), static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
        } else if (!word.empty() || i - k > 3) {
          break;
        }
      }
      const auto ends = [&](std::string_view w) {
        return word.size() >= w.size() && word.substr(word.size() - w.size()) == w;
      };
      const bool whole = n == s.size();
      const auto named = [&](std::string_view w) {
        return ends(w) || (whole && name.find(w) != std::string_view::npos);
      };
      if ((!pid_text.empty() && s.substr(i, n) == pid_text) || named("pid") || named("process")) {
        take("pid", n);
        continue;
      }
      if (n <= 5 && n >= 4 && (named("port") || (i > 1 && s[i - 1] == ':' && (alnum(s[i - 2]) || s[i - 2] == ']')))) {
        take("port", n);
        continue;
      }
      if (n <= 5 && (named("rank") || (rank >= 0 && (named("cuda") || named("worker") || named("device")) &&
                                       s.substr(i, n) == std::to_string(rank)))) {
        take("rank", n);
        continue;
      }
      rest.append(s.substr(i, n));
      i += n;
      continue;
    }
    rest += s[i++];
  }
  return rest;
}

/// The same items in another order: of a list, a set or a dict as Python prints it.
bool reordered(std::string_view a, std::string_view b) {
  if (a.size() != b.size() || a.empty() || std::string_view("[({<f").find(a.front()) == std::string_view::npos)
    return false;
  const auto items = [](std::string_view s) {
    std::vector<std::string_view> v;
    int depth = 0;
    std::size_t begin = 0;
    for (std::size_t i = 0; i <= s.size(); ++i) {
      const char c = i < s.size() ? s[i] : ',';
      if (std::string_view("[({").find(c) != std::string_view::npos) {
        if (++depth == 1) begin = i + 1;
      } else if (std::string_view("])}").find(c) != std::string_view::npos) {
        if (--depth == 0) v.push_back(s.substr(begin, i - begin));
      } else if (c == ',' && depth == 1) {
        v.push_back(s.substr(begin, i - begin));
        begin = i + 1;
      }
    }
    for (std::string_view& x : v) {
      while (!x.empty() && x.front() == ' ') x.remove_prefix(1);
    }
    std::sort(v.begin(), v.end());
    return v;
  };
  const auto x = items(a);
  return x.size() > 1 && x == items(b);
}

}  // namespace

std::string_view instability(std::string_view name, std::string_view before, std::string_view after,
                             const Circumstances& where) {
  if (before.empty() || after.empty() || before == after || before.size() > 100'000 || after.size() > 100'000)
    return {};
  if (reordered(before, after)) return "order";
  std::vector<Mark> x;
  std::vector<Mark> y;
  if (split(name, before, where.pid_before, where.rank_before, x) !=
      split(name, after, where.pid_after, where.rank_after, y))
    return {};
  if (x.size() != y.size()) return {};
  std::string_view kind;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (x[i].text == y[i].text) continue;
    if (x[i].kind != y[i].kind) return {};
    if (kind.empty()) kind = x[i].kind;
  }
  return kind;
}

bool reordered_words(std::string_view before, std::string_view after) {
  const auto words = [](std::string_view s) {
    std::vector<std::string_view> out;
    for (std::size_t begin = 0; begin <= s.size();) {
      const std::size_t end = std::min(s.find(',', begin), s.size());
      out.push_back(s.substr(begin, end - begin));
      begin = end + 1;
    }
    std::sort(out.begin(), out.end());
    return out;
  };
  if (before == after || before.size() != after.size() || before.size() > 100'000) return false;
  const auto x = words(before);
  return x.size() > 2 && x == words(after);
}

}  // namespace keyhole::explain_detail
