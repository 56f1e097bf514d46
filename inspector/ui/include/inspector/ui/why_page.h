// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "inspector/ui/page.h"

class QFrame;
class QLabel;
class QPushButton;
class QSplitter;
class QStackedWidget;
class QTreeView;

namespace keyhole::inspector {

class ChainView;
class DiffView;
class EmptyState;
class NodeModel;

/// Why the selected lookup went as it did: the sentence, its cost and the fix first; then the baseline, the causes,
/// what changed side by side, the layers of the compile, the guards.
class WhyPage : public Page {
  Q_OBJECT
 public:
  explicit WhyPage(Workspace& workspace, QWidget* parent = nullptr);

 protected:
  void load() override;
  void clear() override;

 private:
  struct Answer {
    LookupRow subject;
    Explanation explanation;
    std::vector<LookupRow> candidates;      ///< beside explanation.candidates
    std::map<RowId, Direction> directions;  ///< of the lookups of explanation.chain
    std::optional<KeyDifference> difference;
  };
  void show_answer(Answer answer);
  void show_causes();
  void show_candidates();
  void show_guards();
  void show_change(const QModelIndex& index);
  void compare_with(RowId baseline);

  Answer answer_;
  QStackedWidget* stack_;
  EmptyState* empty_;
  QLabel *icon_, *subject_, *sentence_, *fix_, *baseline_, *where_;
  QPushButton *change_, *reset_;
  NodeModel *causes_, *candidates_, *guards_;
  QTreeView *causes_view_, *candidates_view_, *guards_view_;
  QFrame *candidates_card_, *guards_card_;
  QSplitter* middle_;
  DiffView* diff_;
  ChainView* chain_;
  QLabel* chain_label_;
};

}  // namespace keyhole::inspector
