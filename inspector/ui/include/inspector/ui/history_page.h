// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "inspector/ui/page.h"

class QCheckBox;
class QLabel;
class QPushButton;
class QSplitter;
class QStackedWidget;
class QTableView;
class QTimer;
class QToolButton;

namespace keyhole::inspector {

class EmptyState;
class LookupModel;
class TimelineView;

/// A table of lookups that follows the filter and the selection of the workspace. Used by the pages below.
class LookupTable : public Page {
  Q_OBJECT
 public:
  /// `compact`: only the columns that tell lookups apart.
  LookupTable(Workspace& workspace, bool compact, QWidget* parent = nullptr);
  [[nodiscard]] QTableView* view() const { return view_; }
  [[nodiscard]] LookupModel* model() const { return model_; }

 protected:
  void load() override;
  void clear() override;

 private:
  void follow_selection();
  void show_row(int row);
  void scroll_to(int row);
  void show_count();

  QString filter_;    // of what is shown
  RowId sought_ = 0;  // the selected lookup that the table was scrolled to, or asked for
  LookupModel* model_;
  QTableView* view_;
  QLabel* count_;
  QToolButton *earlier_, *later_;  // stretches of a result that is too long for one scroll bar
  EmptyState* empty_;
  QPushButton* clear_filter_;
  QStackedWidget* stack_;
};

/// The timeline of the workspace's filter, with its switch for aligned runs.
class TimelinePanel : public Page {
  Q_OBJECT
 public:
  explicit TimelinePanel(Workspace& workspace, QWidget* parent = nullptr);
  [[nodiscard]] TimelineView* view() const { return view_; }

 protected:
  void load() override;
  void clear() override;

 private:
  TimelineView* view_;
  QCheckBox* aligned_;
  QLabel* note_;
  QTimer* moved_;  // runs while the user still moves through time
};

/// All lookups, as a table and over time; the selection of both is one.
class HistoryPage : public QWidget {
  Q_OBJECT
 public:
  explicit HistoryPage(Workspace& workspace, QWidget* parent = nullptr);
  [[nodiscard]] LookupTable* table() const { return table_; }
  [[nodiscard]] TimelinePanel* timeline() const { return timeline_; }

 private:
  LookupTable* table_;
  TimelinePanel* timeline_;
};

}  // namespace keyhole::inspector
