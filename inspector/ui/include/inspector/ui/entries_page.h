// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QSyntaxHighlighter>

#include "inspector/ui/page.h"

class QLabel;
class QPlainTextEdit;
class QStackedWidget;
class QTabWidget;
class QTableView;
class QTreeView;

namespace keyhole::inspector {

class BarList;
class EmptyState;
class EntryModel;
class NodeModel;

/// Colours Python and C++ source: keywords, literals, comments, numbers.
class SourceHighlighter : public QSyntaxHighlighter {
  Q_OBJECT
 public:
  SourceHighlighter(QTextDocument* document, const QWidget& widget);

 protected:
  void highlightBlock(const QString& text) override;

 private:
  const QWidget& widget_;
};

/// Everything that the snapshots and the store's own cache hold: a table with its own filter, and the details of one
/// entry.
class EntriesPage : public Page {
  Q_OBJECT
 public:
  explicit EntriesPage(Workspace& workspace, QWidget* parent = nullptr);
  [[nodiscard]] EntryModel* model() const { return model_; }

 protected:
  void load() override;
  void clear() override;

 private:
  void apply_filter();
  void show_timings(const EntryRecord& entry);
  void show_danger(const EntryDetails& details);
  void show_count();
  void show_entry(RowId id, RowId location);
  void show_details(const EntryDetails& details);

  EntryModel* model_;
  QTableView* view_;
  QLabel *count_, *head_, *timings_note_, *danger_note_;
  EmptyState* empty_;
  QStackedWidget* stack_;
  QTabWidget* tabs_;
  NodeModel *facts_, *users_, *texts_, *guard_, *files_, *calls_;
  BarList* timings_;
  QTreeView *facts_view_, *guard_view_;
  QTableView *users_view_, *texts_view_, *files_view_, *calls_view_;
  QPlainTextEdit *source_, *tree_;
  RowId shown_ = 0, shown_location_ = 0;
};

}  // namespace keyhole::inspector
