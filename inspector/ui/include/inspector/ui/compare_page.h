// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "inspector/ui/page.h"

class QComboBox;
class QLabel;
class QStackedWidget;
class QTreeView;

namespace keyhole::inspector {

class DiffView;
class NodeModel;

/// Two runs side by side: what each compile did in both, and what changed in the key of the chosen one.
class ComparePage : public Page {
  Q_OBJECT
 public:
  explicit ComparePage(Workspace& workspace, QWidget* parent = nullptr);

 protected:
  void load() override;
  void clear() override;

 private:
  /// The same place of two runs: layer, rank, compile, direction and ordinal agree.
  struct Pair {
    std::optional<LookupRow> before, after;
  };
  void show_runs(const std::vector<RunRow>& runs);
  void compare();
  void show_pairs(const std::vector<Pair>& pairs);
  void show_change(const QModelIndex& index);

  QComboBox *before_, *after_;
  QLabel *sentence_, *what_;
  NodeModel *pairs_, *changes_;
  QTreeView *pairs_view_, *changes_view_;
  DiffView* diff_;
  QStackedWidget* stack_;
};

}  // namespace keyhole::inspector
