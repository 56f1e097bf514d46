// SPDX-License-Identifier: Apache-2.0
#include "table.h"

#include <algorithm>

#include "format.h"

namespace keyhole::cli {

void Table::add(std::vector<std::string> cells, std::map<std::size_t, Style> styles) {
  for (std::string& cell : cells) cell = shorten(cell, std::string::npos);
  rows_.push_back({std::move(cells), std::move(styles)});
}

std::string Table::text(const Terminal& terminal) const {
  if (rows_.empty()) return {};
  std::vector<std::size_t> widths(columns_.size(), 0);
  for (const Row& row : rows_)
    for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], columns(row.cells[i]));
  std::size_t last = 0;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    if (widths[i] == 0) continue;
    widths[i] = std::max(widths[i], columns(columns_[i].title));
    last = i;
  }

  std::string out;
  const auto line = [&](const auto& cell_of, const auto& style_of) {
    std::size_t used = 0;
    std::string text;
    for (std::size_t i = 0; i <= last; ++i) {
      if (widths[i] == 0) continue;
      if (used > 0) {
        text += "  ";
        used += 2;
      }
      std::string cell = cell_of(i);
      const std::size_t size = columns(cell);
      const std::string gap(widths[i] - size, ' ');
      if (i == last) {
        if (terminal.width > 0 && used + size > terminal.width && used + 8 < terminal.width)
          cell = shorten(cell, terminal.width - used);
        text += columns_[i].right ? gap + terminal.paint(cell, style_of(i)) : terminal.paint(cell, style_of(i));
      } else {
        const std::string painted = terminal.paint(cell, style_of(i));
        text += columns_[i].right ? gap + painted : painted + gap;
      }
      used += widths[i];
    }
    out += text + "\n";
  };
  line([&](std::size_t i) { return columns_[i].title; }, [](std::size_t) { return Style::dim; });
  for (const Row& row : rows_)
    line([&](std::size_t i) { return row.cells[i]; },
         [&](std::size_t i) {
           const auto style = row.styles.find(i);
           return style == row.styles.end() ? Style::plain : style->second;
         });
  return out;
}

}  // namespace keyhole::cli
