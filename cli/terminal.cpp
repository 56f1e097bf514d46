// SPDX-License-Identifier: Apache-2.0
#include "terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "format.h"

namespace keyhole::cli {
namespace {

bool set_and_not_empty(const char* variable) {
  const char* value = std::getenv(variable);
  return value && *value;
}

const char* code_of(Style style) {
  switch (style) {
    case Style::bold:
      return "1";
    case Style::dim:
      return "2";
    case Style::good:
      return "32";
    case Style::bad:
      return "31";
    case Style::warning:
      return "33";
    case Style::plain:
      break;
  }
  return nullptr;
}

}  // namespace

Terminal Terminal::of(std::FILE* stream) {
  Terminal t;
  const int fd = fileno(stream);
  t.is_terminal = isatty(fd) == 1;
  const char* term = std::getenv("TERM");
  t.colour = t.is_terminal && !set_and_not_empty("NO_COLOR") && term && std::string_view(term) != "dumb";
  winsize size{};
  if (t.is_terminal && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    t.width = size.ws_col;
  else if (const char* columns = std::getenv("COLUMNS"))
    t.width = static_cast<std::size_t>(std::max(0L, std::strtol(columns, nullptr, 10)));
  else if (t.is_terminal)
    t.width = 80;
  return t;
}

std::string Terminal::paint(std::string_view text, Style style) const {
  const char* code = code_of(style);
  if (!colour || !code) return std::string(text);
  return fmt::format("\033[{}m{}\033[0m", code, text);
}

Progress::Progress(std::string label) : label_(std::move(label)), terminal_(Terminal::of(stderr)) {}

void Progress::update(std::int64_t done, std::int64_t total) {
  if (!terminal_.is_terminal) return;
  using namespace std::chrono;
  const std::int64_t now = duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
  if (drawn_ && now - drawn_at_ < 100) return;
  drawn_at_ = now;
  drawn_ = true;
  std::string line;
  if (total > 0) {
    constexpr std::size_t kBar = 24;
    const double part = std::clamp(static_cast<double>(done) / static_cast<double>(total), 0.0, 1.0);
    const auto full = static_cast<std::size_t>(part * kBar);
    line = fmt::format("[{}{}] {:3.0f}%  {} of {}  {}", std::string(full, '='), std::string(kBar - full, ' '),
                       part * 100, size_text(done), size_text(total), label_);
  } else {
    line = fmt::format("{}  {}", size_text(done), label_);
  }
  fmt::print(stderr, "\r\033[K{}", shorten(line, terminal_.width > 1 ? terminal_.width - 1 : 79));
  std::fflush(stderr);
}

Progress::~Progress() {
  if (drawn_) {
    fmt::print(stderr, "\r\033[K");
    std::fflush(stderr);
  }
}

}  // namespace keyhole::cli
