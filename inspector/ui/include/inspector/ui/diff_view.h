// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QAbstractScrollArea>

#include "inspector/core/text_diff.h"

namespace keyhole::inspector {

/// Two texts side by side with what differs marked by word. Equal stretches fold; a click on a fold opens all of them.
class DiffView : public QAbstractScrollArea {
  Q_OBJECT
 public:
  explicit DiffView(QWidget* parent = nullptr);
  void set_texts(const QString& left_title, const QString& left, const QString& right_title, const QString& right);
  void set_message(const QString& message);  ///< instead of texts
  [[nodiscard]] const std::vector<DiffLine>& lines() const { return lines_; }
  QSize sizeHint() const override { return {520, 220}; }

 protected:
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void contextMenuEvent(QContextMenuEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;

 private:
  void draw(QPainter& painter);
  void arrange();
  [[nodiscard]] int line_height() const;
  void set_context(int context);

  QString left_title_, right_title_, left_, right_, message_;
  std::vector<DiffLine> lines_;
  int longest_ = 0;
  int context_ = 3;
};

}  // namespace keyhole::inspector
