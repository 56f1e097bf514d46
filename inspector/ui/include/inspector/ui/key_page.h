// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "inspector/ui/page.h"

class QLabel;
class QLineEdit;
class QPlainTextEdit;
class QTabWidget;
class QTreeView;

namespace keyhole::inspector {

class NodeModel;

/// What the key of the selected lookup is made of: components by group, how many other keys share each value; and which
/// components change most often in all keys of its layer.
class KeyPage : public Page {
  Q_OBJECT
 public:
  explicit KeyPage(Workspace& workspace, QWidget* parent = nullptr);

 protected:
  void load() override;
  void clear() override;

 private:
  void show_components();
  void show_changing(const Changing& changing);

  KeyBreakdown breakdown_;
  QLabel* head_;
  QLineEdit* find_;
  NodeModel *model_, *changing_;
  QTreeView *view_, *changing_view_;
  QTabWidget* tabs_;
  QLabel* changing_note_;
  QPlainTextEdit* text_;
};

}  // namespace keyhole::inspector
