// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QWidget>

#include "inspector/models/workspace.h"

namespace keyhole::inspector {

/// A page of the window: loads when it is seen and out of date, and not before.
class Page : public QWidget {
  Q_OBJECT
 public:
  explicit Page(Workspace& workspace, QWidget* parent = nullptr);

  /// What it shows is out of date.
  void touch();

 protected:
  /// Asks for everything that the page shows. Only with a session.
  virtual void load() = 0;
  /// The store was replaced: nothing of the former may stay.
  virtual void clear() = 0;
  void showEvent(QShowEvent* event) override;

  Workspace& workspace_;

 private:
  bool dirty_ = true;
};

}  // namespace keyhole::inspector
