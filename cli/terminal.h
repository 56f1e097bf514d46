// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace keyhole::cli {

enum class Style { plain, bold, dim, good, bad, warning };

/// Where output goes, and what may be done there. Colour only on a terminal that knows it, and never under NO_COLOR.
struct Terminal {
  bool is_terminal = false;
  bool colour = false;
  /// Columns: of the terminal, else of $COLUMNS, else 0: unlimited (a pipe or a file gets whole lines).
  std::size_t width = 0;

  static Terminal of(std::FILE* stream);

  [[nodiscard]] std::string paint(std::string_view text, Style style) const;
};

/// A bar on a terminal's stderr that is gone when it is done; nothing at all elsewhere.
class Progress {
 public:
  explicit Progress(std::string label);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// At most about ten times a second reaches the screen. total 0: not known.
  void update(std::int64_t done, std::int64_t total);

 private:
  std::string label_;
  Terminal terminal_;
  std::int64_t drawn_at_ = 0;  ///< milliseconds of the steady clock
  bool drawn_ = false;
};

}  // namespace keyhole::cli
