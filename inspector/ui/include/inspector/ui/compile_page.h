// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "inspector/ui/page.h"

class QLabel;
class QPlainTextEdit;
class QPushButton;
class QStackedWidget;
class QTableView;
class QTabWidget;
class QTreeView;

namespace keyhole::inspector {

class EmptyState;
class NodeModel;
class TimelineView;

/// Runs of compilers through `keyhole cc`: the jobs, what the key of one was made of, the files that it read, what the
/// compiler said, and what ran beside it. Why a job missed stands on the Why page, as for every lookup.
class CompilePage : public Page {
  Q_OBJECT
 public:
  explicit CompilePage(Workspace& workspace, QWidget* parent = nullptr);

 protected:
  void load() override;
  void clear() override;

 private:
  void show_jobs(const std::vector<CompileJob>& jobs);
  void ask_details(RowId lookup);
  void show_details(const CompileJobDetails& details);

  NodeModel *jobs_, *parts_, *closure_;
  QTableView *jobs_view_, *closure_view_;
  QTreeView* parts_view_;
  QLabel *head_, *note_;
  QPlainTextEdit *command_, *output_;
  QPushButton* why_;
  QTabWidget* tabs_;
  TimelineView* pool_;
  EmptyState* empty_;
  QStackedWidget* stack_;
  RowId shown_ = 0;
};

}  // namespace keyhole::inspector
