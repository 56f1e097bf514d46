// SPDX-License-Identifier: Apache-2.0
#include "log_line.h"

#include <algorithm>
#include <charconv>

namespace keyhole {
namespace {

constexpr std::size_t kMaxJunk = 64;

bool digit(char c) {
  return c >= '0' && c <= '9';
}

/// "V1121 09:59:15.043000 " at the start of `text`.
bool begins_header(std::string_view text) {
  static constexpr std::string_view kShape = "L0000 00:00:00.000000 ";
  if (text.size() < kShape.size()) return false;
  if (std::string_view("VIWEC").find(text[0]) == std::string_view::npos) return false;
  for (std::size_t i = 1; i < kShape.size(); ++i) {
    if (kShape[i] == '0' ? !digit(text[i]) : text[i] != kShape[i]) return false;
  }
  return true;
}

int number(std::string_view text, std::size_t at, std::size_t count) {
  int value = 0;
  for (std::size_t i = at; i < at + count; ++i) value = value * 10 + (text[i] - '0');
  return value;
}

std::optional<int> rank_in(std::string_view junk) {
  const auto at = junk.rfind("rank");
  if (at == std::string_view::npos) return std::nullopt;
  int rank = 0;
  const auto [stop, error] = std::from_chars(junk.data() + at + 4, junk.data() + junk.size(), rank);
  if (error != std::errc{} || stop == junk.data() + junk.size() || *stop != ']') return std::nullopt;
  return rank;
}

/// "0/0", "0/0_1", "!1/0/0"; nothing where it is none: a message may begin with a bracket itself.
std::optional<CompileId> compile_in(std::string_view id) {
  std::int64_t attempt = 0;
  if (const auto at = id.find('_'); at != std::string_view::npos) {
    const auto digits = id.substr(at + 1);
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), attempt);
    if (error != std::errc{} || stop != digits.data() + digits.size()) return std::nullopt;
    id = id.substr(0, at);
  }
  auto compile = CompileId::parse(id);
  if (compile) compile->attempt = attempt;
  return compile;
}

}  // namespace

std::optional<LogLine> LogLine::parse(std::string_view line) {
  std::size_t start = 0;
  const std::size_t last = std::min(kMaxJunk, line.size());
  while (start < last && !begins_header(line.substr(start))) ++start;
  if (start == last) {
    // A progress bar rewrites its line with carriage returns, however long it gets.
    const auto cr = line.rfind('\r', line.size());
    if (cr == std::string_view::npos || !begins_header(line.substr(cr + 1))) return std::nullopt;
    start = cr + 1;
  }
  LogLine out;
  out.rank = rank_in(line.substr(0, start));
  line.remove_prefix(start);
  out.level = line[0];
  out.time.month = number(line, 1, 2);
  out.time.day = number(line, 3, 2);
  const std::int64_t seconds = (number(line, 6, 2) * 60LL + number(line, 9, 2)) * 60 + number(line, 12, 2);
  out.time.within_day = seconds * 1'000'000'000 + number(line, 15, 6) * 1000LL;
  if (out.time.month < 1 || out.time.month > 12 || out.time.day < 1 || out.time.day > 31) return std::nullopt;
  std::size_t at = 22;
  while (at < line.size() && line[at] == ' ') ++at;
  const auto [stop, error] = std::from_chars(line.data() + at, line.data() + line.size(), out.pid);
  if (error != std::errc{} || stop == line.data() + line.size() || *stop != ' ') return std::nullopt;
  at = static_cast<std::size_t>(stop - line.data()) + 1;

  // The path ends at ":<line number>]"; it may hold brackets and colons itself.
  std::size_t close = at;
  std::size_t colon = at;
  for (;;) {
    close = line.find(']', close);
    if (close == std::string_view::npos) return std::nullopt;
    colon = close;
    while (colon > at && digit(line[colon - 1])) --colon;
    if (colon < close && colon > at && line[colon - 1] == ':') break;
    ++close;
  }
  out.path = line.substr(at, colon - 1 - at);
  at = close + 1;
  if (line.substr(at).starts_with(" [")) {
    const auto end = line.find(']', at);
    if (end != std::string_view::npos) {
      if (const auto compile = compile_in(line.substr(at + 2, end - at - 2))) {
        out.compile = *compile;
        at = end + 1;
      }
    }
  }
  if (line.substr(at).starts_with(" [__")) {
    const auto end = line.find(']', at);
    if (end != std::string_view::npos) at = end + 1;
  }
  out.prefix = line.substr(0, at);
  if (at < line.size() && line[at] == ' ') ++at;
  out.text = line.substr(at);
  return out;
}

namespace {

constexpr std::size_t kMaxPrefix = 200;
constexpr std::string_view kGraphs = "torch/_inductor/codecache.py";
constexpr std::string_view kAutograd = "torch/_functorch/_aot_autograd/autograd_cache.py";
constexpr std::string_view kArtifacts = "torch/compiler/_cache.py";

struct Start {
  std::string_view words, path;
};
constexpr Start kStarts[] = {{"FX graph cache hash details", kGraphs},
                             {"fx graph cache ", kGraphs},
                             {"fx graph unable", kGraphs},
                             {"Bypassing FX Graph Cache", kGraphs},
                             {"Bypassing autograd cache", kAutograd},
                             {"Bypassing ", kGraphs},
                             {"Autograd graph cache hash details", kAutograd},
                             {"AOTAutograd cache ", kAutograd},
                             {"AOTAutogradCache unable", kGraphs},
                             {"FxGraphCache unable", kGraphs},
                             {"Writing AOTAutograd", kAutograd},
                             {"Recompiling function ", "torch/_dynamo/guards.py"},
                             {"Recording ", kArtifacts},
                             {"Unable to create cache", "torch/_inductor/remote_cache.py"},
                             {"FXGraphCache cache miss", kGraphs}};

/// A level as logging names it, anywhere in what stands before a message.
char level_in(std::string_view prefix) {
  if (prefix.find("WARNING") != std::string_view::npos) return 'W';
  if (prefix.find("ERROR") != std::string_view::npos) return 'E';
  if (prefix.find("CRITICAL") != std::string_view::npos) return 'C';
  return prefix.find("INFO") != std::string_view::npos ? 'I' : 'V';
}

bool begins_entry(std::string_view line) {
  for (const std::string_view level : {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}) {
    if (line.starts_with(level) && line.size() > level.size() &&
        (line[level.size()] == ':' || line[level.size()] == ' '))
      return true;
  }
  static constexpr std::string_view kDate = "0000-00-00 ";
  if (line.size() < kDate.size()) return false;
  for (std::size_t i = 0; i < kDate.size(); ++i) {
    if (kDate[i] == '0' ? !digit(line[i]) : line[i] != kDate[i]) return false;
  }
  return true;
}

}  // namespace

bool begins_message(std::string_view text) {
  return std::any_of(std::begin(kStarts), std::end(kStarts), [&](const Start& s) { return text.starts_with(s.words); });
}

std::optional<PlainLine> PlainLine::parse(std::string_view line) {
  // A line of a key's details may hold such words in a value.
  if (!line.starts_with('[')) {
    std::size_t best = std::string_view::npos;
    const Start* start = nullptr;
    for (const Start& s : kStarts) {
      const std::size_t at = line.substr(0, kMaxPrefix + s.words.size()).find(s.words);
      if (at >= best || (at > 0 && std::string_view(": ]|\t").find(line[at - 1]) == std::string_view::npos)) continue;
      best = at;
      start = &s;
    }
    if (start != nullptr) return PlainLine{level_in(line.substr(0, best)), start->path, line.substr(best)};
  }
  if (begins_entry(line)) return PlainLine{};
  return std::nullopt;
}

}  // namespace keyhole
