// SPDX-License-Identifier: Apache-2.0
// Two texts side by side: lines aligned, and within a changed pair of lines the words that differ.
#pragma once

#include <QString>
#include <vector>

namespace keyhole::inspector {

struct Span {
  int begin = 0, length = 0;  ///< in characters of the line
};

struct DiffLine {
  enum class Kind { same, changed, removed, added, folded };
  Kind kind = Kind::same;
  int left_number = 0, right_number = 0;  ///< from 1; 0: nothing on that side
  QString left, right;
  std::vector<Span> left_marks, right_marks;  ///< what differs; empty for same lines
  int folded = 0;                             ///< of folded: how many equal lines are left out
};

/// `context`: how many equal lines stay around a change; the rest folds. Negative: all stay.
/// Texts over 20,000 lines are compared line by line, without alignment: the window stays quick on hostile input.
std::vector<DiffLine> diff_texts(const QString& left, const QString& right, int context = 3);

/// The words of two lines that differ.
void mark_words(const QString& left, const QString& right, std::vector<Span>& left_marks,
                std::vector<Span>& right_marks);

}  // namespace keyhole::inspector
