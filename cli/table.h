// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "terminal.h"

namespace keyhole::cli {

/// Columns of text. A column without a single value is left out; on a terminal that is too narrow the last column is
/// cut, on a pipe nothing is.
class Table {
 public:
  struct Column {
    std::string title;
    bool right = false;  ///< numbers stand right
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void add(std::vector<std::string> cells, std::map<std::size_t, Style> styles = {});
  /// A line each, the titles first; empty where there are no rows.
  [[nodiscard]] std::string text(const Terminal& terminal) const;

 private:
  struct Row {
    std::vector<std::string> cells;
    std::map<std::size_t, Style> styles;
  };
  std::vector<Column> columns_;
  std::vector<Row> rows_;
};

}  // namespace keyhole::cli
