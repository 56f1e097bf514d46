// SPDX-License-Identifier: Apache-2.0
#include "inspector/ui/page.h"

namespace keyhole::inspector {

Page::Page(Workspace& workspace, QWidget* parent) : QWidget(parent), workspace_(workspace) {
  connect(&workspace_, &Workspace::store_changed, this, [this] {
    clear();
    touch();
  });
  connect(&workspace_, &Workspace::rows_changed, this, &Page::touch);
}

void Page::touch() {
  dirty_ = true;
  if (!isVisible() || !workspace_.session()) return;
  dirty_ = false;
  load();
}

void Page::showEvent(QShowEvent*) {
  if (dirty_) touch();
}

}  // namespace keyhole::inspector
