// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QAbstractScrollArea>
#include <optional>

#include "inspector/core/timeline.h"

namespace keyhole::inspector {

/// Lookups over time, a lane a run, process and layer.
///
/// Wheel: zooms at the pointer; with Shift, or sideways: moves; with Ctrl: scrolls the lanes. Drag: moves. Shift and
/// drag: marks a range. Keys: Left and Right step through the events of a lane, Up and Down change lanes, + and - zoom,
/// A and D move, 0 or Home shows all, Return explains, Escape drops the range.
class TimelineView : public QAbstractScrollArea {
  Q_OBJECT
 public:
  explicit TimelineView(QWidget* parent = nullptr);

  /// Keeps what is visible where the former timeline had the same alignment.
  void set_timeline(TimelinePtr timeline);
  [[nodiscard]] const TimelinePtr& timeline() const { return timeline_; }
  void set_selected(RowId lookup);  ///< brings it into view
  [[nodiscard]] RowId selected() const { return selected_; }
  void set_empty_text(const QString& text);

  void show_all();
  [[nodiscard]] bool shows_all() const;
  void zoom(double factor, double at_x);
  void set_range(Nanoseconds begin, Nanoseconds end);  ///< what is visible
  [[nodiscard]] Nanoseconds visible_begin() const { return view_begin_; }
  [[nodiscard]] Nanoseconds visible_end() const { return view_end_; }
  /// The range marked by dragging; empty where there is none.
  [[nodiscard]] std::optional<std::pair<Nanoseconds, Nanoseconds>> marked() const { return marked_; }
  /// Where an event is drawn, in the viewport; a null point where it is not in view.
  [[nodiscard]] QPoint point_of(RowId lookup) const;

  QSize sizeHint() const override { return {600, 180}; }

 Q_SIGNALS:
  void selected_changed(keyhole::RowId lookup);
  void explain_requested(keyhole::RowId lookup);
  void range_marked(qint64 begin, qint64 end);
  void window_changed();  ///< the user looks at another part of time

 protected:
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void wheelEvent(QWheelEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  void mouseDoubleClickEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  bool viewportEvent(QEvent* event) override;

 private:
  [[nodiscard]] int gutter() const;
  [[nodiscard]] int lane_top(int lane) const;
  [[nodiscard]] int lane_at(int y) const;  ///< -1: none
  [[nodiscard]] TimelineWindow window() const;
  void place_scroll_bar();
  void reveal();  // the selected lookup, where the timeline has it
  void select(RowId lookup);
  void move_by(double pixels);

  TimelinePtr timeline_;
  RowId selected_ = 0, revealed_ = 0;
  QString empty_text_;
  Nanoseconds view_begin_ = 0, view_end_ = 1;
  std::optional<std::pair<Nanoseconds, Nanoseconds>> marked_;
  int hover_x_ = -1, hover_y_ = -1;
  QPoint press_;
  Nanoseconds press_begin_ = 0;
  enum class Drag { none, maybe, move, mark } drag_ = Drag::none;
};

}  // namespace keyhole::inspector
