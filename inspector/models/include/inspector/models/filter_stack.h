// SPDX-License-Identifier: Apache-2.0
// The filter of a list as a person works on it: typed, wrong for a while, taken back.
#pragma once

#include <QElapsedTimer>
#include <QObject>
#include <vector>

#include "inspector/core/filter.h"

namespace keyhole::inspector {

class FilterStack : public QObject {
  Q_OBJECT
 public:
  /// `of_entries`: which fields there are.
  explicit FilterStack(bool of_entries, QObject* parent = nullptr) : QObject(parent), of_entries_(of_entries) {}
  [[nodiscard]] bool of_entries() const { return of_entries_; }

  [[nodiscard]] const Filter& filter() const { return filter_; }
  /// A filter with an error is kept for the eye and not applied: lists keep the last good one.
  [[nodiscard]] const Filter& good() const { return good_; }
  /// `typed`: one of many key strokes, which undo takes back together.
  void set(const QString& text, bool typed = false);
  void clear();  ///< also what could be undone
  void undo();
  void redo();
  [[nodiscard]] bool can_undo() const { return at_ > 0; }
  [[nodiscard]] bool can_redo() const { return at_ + 1 < texts_.size(); }

 Q_SIGNALS:
  void changed();
  void applied(const QString& text);  ///< set() took a filter without an error

 private:
  void apply(const QString& text);

  bool of_entries_;
  Filter filter_, good_;
  std::vector<QString> texts_{QString()};
  std::size_t at_ = 0;
  QElapsedTimer last_typed_;
};

}  // namespace keyhole::inspector
