// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "inspector/ui/page.h"

class QLabel;
class QLineEdit;
class QPlainTextEdit;
class QTreeView;

namespace keyhole::inspector {

class NodeModel;

/// What the key of the selected lookup is made of: components by group, how many other keys share each value, how often
/// each changes.
class KeyPage : public Page {
  Q_OBJECT
 public:
  explicit KeyPage(Workspace& workspace, QWidget* parent = nullptr);

 protected:
  void load() override;
  void clear() override;

 private:
  void show_components();

  KeyBreakdown breakdown_;
  QLabel* head_;
  QLineEdit* find_;
  NodeModel* model_;
  QTreeView* view_;
  QPlainTextEdit* text_;
};

}  // namespace keyhole::inspector
