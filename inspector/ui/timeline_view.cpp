// SPDX-License-Identifier: Apache-2.0
#include "inspector/ui/timeline_view.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QPainter>
#include <QScrollBar>
#include <QToolTip>
#include <cmath>

#include "inspector/core/format.h"
#include "inspector/ui/theme.h"

namespace keyhole::inspector {
namespace {

constexpr int kLaneHeight = 24;
constexpr int kAxisHeight = 22;
constexpr int kGutter = 280;
constexpr double kRunShare = 0.56;          // of the gutter, for the run's name
constexpr double kMark = 10;                // width of a single event's shape
constexpr int kCountWidth = 20;             // a fold at least this wide, and this lonely, shows its count
constexpr Nanoseconds kNarrowest = 10'000;  // what is visible is never shorter than 10 µs

// 1, 2 or 5 times a power of ten, in nanoseconds; above a second, steps that clocks have.
Nanoseconds tick_step(double wanted) {
  static const double clock[] = {1e9,   2e9,   5e9,    10e9,   15e9,   30e9,    60e9,    120e9,   300e9,
                                 600e9, 900e9, 1800e9, 3600e9, 7200e9, 10800e9, 21600e9, 43200e9, 86400e9};
  if (wanted > 1e9) {
    for (const double step : clock)
      if (step >= wanted) return Nanoseconds(step);
    return Nanoseconds(std::ceil(wanted / 86400e9) * 86400e9);
  }
  const double power = std::pow(10, std::floor(std::log10(std::max(wanted, 1.0))));
  for (const double m : {1.0, 2.0, 5.0, 10.0})
    if (m * power >= wanted) return Nanoseconds(m * power);
  return Nanoseconds(10 * power);
}

QString tick_text(Nanoseconds time, Nanoseconds step, bool aligned) {
  if (aligned && time % 1'000'000'000 == 0 && time > 0 && time < 60'000'000'000)
    return QStringLiteral("+%1 s").arg(time / 1'000'000'000);
  if (aligned) return time == 0 ? QStringLiteral("start") : u'+' + seconds_text(double(time) * 1e-9);
  if (step >= 86'400'000'000'000) return date_clock_text(time).left(10);
  if (step >= 1'000'000'000) return clock_text(time);
  const QString exact = exact_time(time);  // "yyyy-MM-dd HH:mm:ss.zzz zone"
  return exact.mid(17, 6) + QStringLiteral(" s");
}

}  // namespace

TimelineView::TimelineView(QWidget* parent) : QAbstractScrollArea(parent) {
  setAccessibleName(QStringLiteral("Timeline of lookups"));
  setFocusPolicy(Qt::StrongFocus);
  setFrameShape(QFrame::NoFrame);
  setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  viewport()->setMouseTracking(true);
  setMinimumHeight(kAxisHeight + kLaneHeight);
}

void TimelineView::set_timeline(TimelinePtr timeline) {
  const bool keep = timeline_ && timeline && timeline_->aligned() == timeline->aligned() &&
                    !(view_begin_ == timeline_->begin() && view_end_ == timeline_->end());
  const bool whole = timeline_ == nullptr || !keep;
  timeline_ = std::move(timeline);
  marked_.reset();
  if (timeline_ && whole) {
    view_begin_ = timeline_->begin();
    view_end_ = timeline_->end();
  }
  place_scroll_bar();
  if (selected_ != revealed_) reveal();
  viewport()->update();
}

void TimelineView::set_empty_text(const QString& text) {
  empty_text_ = text;
  viewport()->update();
}

int TimelineView::gutter() const {
  return std::min(kGutter, viewport()->width() / 3);
}

TimelineWindow TimelineView::window() const {
  return {view_begin_, view_end_, std::max(1, viewport()->width() - gutter() - 12)};
}

int TimelineView::lane_top(int lane) const {
  return kAxisHeight + lane * kLaneHeight - verticalScrollBar()->value();
}

int TimelineView::lane_at(int y) const {
  if (!timeline_ || y < kAxisHeight) return -1;
  const int lane = (y - kAxisHeight + verticalScrollBar()->value()) / kLaneHeight;
  return lane < timeline_->lane_count() ? lane : -1;
}

void TimelineView::place_scroll_bar() {
  const int height = timeline_ ? timeline_->lane_count() * kLaneHeight : 0;
  const int room = viewport()->height() - kAxisHeight;
  verticalScrollBar()->setRange(0, std::max(0, height - room));
  verticalScrollBar()->setPageStep(room);
  verticalScrollBar()->setSingleStep(kLaneHeight);
}

void TimelineView::show_all() {
  if (timeline_) set_range(timeline_->begin(), timeline_->end());
}

bool TimelineView::shows_all() const {
  return timeline_ && view_begin_ == timeline_->begin() && view_end_ == timeline_->end();
}

void TimelineView::set_range(Nanoseconds begin, Nanoseconds end) {
  if (!timeline_) return;
  const Nanoseconds whole = timeline_->end() - timeline_->begin();
  Nanoseconds length = std::clamp(end - begin, std::min(kNarrowest, whole), whole);
  begin = std::clamp(begin, timeline_->begin(), timeline_->end() - length);
  if (begin == view_begin_ && begin + length == view_end_) return;
  view_begin_ = begin;
  view_end_ = begin + length;
  viewport()->update();
  Q_EMIT window_changed();
}

void TimelineView::zoom(double factor, double at_x) {
  const TimelineWindow w = window();
  const Nanoseconds pivot = w.time_at(at_x);
  const auto scaled = [&](Nanoseconds t) { return pivot + Nanoseconds(double(t - pivot) * factor); };
  set_range(scaled(view_begin_), scaled(view_end_));
}

void TimelineView::move_by(double pixels) {
  const auto step = Nanoseconds(window().per_pixel() * pixels);
  set_range(view_begin_ + step, view_end_ + step);
}

void TimelineView::set_selected(RowId lookup) {
  if (lookup == selected_) return;
  selected_ = lookup;
  reveal();
  viewport()->update();
}

void TimelineView::reveal() {
  const Timeline::Place place = timeline_ ? timeline_->place_of(selected_) : Timeline::Place{};
  if (place.lane < 0) return;
  revealed_ = selected_;
  if (place.time < view_begin_ || place.time > view_end_) {
    const Nanoseconds half = (view_end_ - view_begin_) / 2;
    set_range(place.time - half, place.time + half);
  }
  if (lane_top(place.lane) < kAxisHeight || lane_top(place.lane) + kLaneHeight > viewport()->height())
    verticalScrollBar()->setValue((place.lane - 1) * kLaneHeight);
}

QPoint TimelineView::point_of(RowId lookup) const {
  if (!timeline_) return {};
  const Timeline::Place place = timeline_->place_of(lookup);
  if (place.lane < 0 || place.time < view_begin_ || place.time > view_end_) return {};
  return {gutter() + int(window().x_of(place.time)), lane_top(place.lane) + kLaneHeight / 2};
}

void TimelineView::select(RowId lookup) {
  if (lookup == 0) return;
  if (lookup != selected_) {
    set_selected(lookup);
    Q_EMIT selected_changed(lookup);
  }
}

void TimelineView::resizeEvent(QResizeEvent*) {
  place_scroll_bar();
}

void TimelineView::paintEvent(QPaintEvent*) {
  const Theme& theme = Theme::of(*this);
  QPainter p(viewport());
  const QRect area = viewport()->rect();
  p.fillRect(area, theme.surface);
  if (!timeline_ || timeline_->lane_count() == 0) {
    p.setPen(theme.faint);
    p.drawText(area, Qt::AlignCenter, empty_text_);
    return;
  }
  const TimelineWindow w = window();
  const int left = gutter(), label = int(left * kRunShare);
  QFont small = font();
  small.setPointSizeF(small.pointSizeF() * 0.88);

  // Ticks.
  p.setFont(small);
  const Nanoseconds step = tick_step(w.per_pixel() * 110);
  for (Nanoseconds t = (view_begin_ + step - 1) / step * step; t <= view_end_; t += step) {
    const int x = left + int(w.x_of(t));
    p.setPen(theme.grid);
    p.drawLine(x, kAxisHeight - 4, x, area.bottom());
    const QString text = tick_text(t, step, timeline_->aligned());
    if (x + 4 + p.fontMetrics().horizontalAdvance(text) > area.right()) continue;
    p.setPen(theme.muted);
    p.drawText(QRect(x + 4, 0, 110, kAxisHeight), Qt::AlignVCenter | Qt::AlignLeft, text);
  }

  p.setClipRect(QRect(0, kAxisHeight, area.width(), area.height() - kAxisHeight));
  const QString* last_run = nullptr;
  for (int lane = 0; lane < timeline_->lane_count(); ++lane) {
    const int top = lane_top(lane);
    const LaneInfo& info = timeline_->lane(lane);
    const bool new_run = !last_run || *last_run != info.run_name;
    last_run = &info.run_name;
    if (top + kLaneHeight < kAxisHeight || top > area.height()) continue;
    const int middle = top + kLaneHeight / 2;
    if (new_run) {
      p.setPen(theme.border);
      p.drawLine(0, top, area.right(), top);
    }
    p.setPen(theme.grid);
    p.drawLine(left, middle, area.right(), middle);
    if (new_run || top <= kAxisHeight) {
      QFont strong = small;
      strong.setWeight(QFont::DemiBold);
      p.setFont(strong);
      p.setPen(theme.text);
      const QFontMetrics metrics(strong);
      p.drawText(QRect(8, top, label - 12, kLaneHeight), Qt::AlignVCenter,
                 metrics.elidedText(info.run_name, Qt::ElideMiddle, label - 14));
    }
    p.setFont(small);
    p.setPen(theme.muted);
    const QFontMetrics metrics(small);
    p.drawText(QRect(label, top, left - label - 10, kLaneHeight), Qt::AlignVCenter,
               metrics.elidedText(info.label, Qt::ElideRight, left - label - 10));

    const auto marks = timeline_->marks(lane, w);
    for (std::size_t i = 0; i < marks.size(); ++i) {
      const TimelineMark& m = marks[i];
      const int x = left + m.x;
      const QColor colour = theme.of(m.worst());
      if (m.width > 2 && m.count == 1) {
        QColor tail = colour;
        tail.setAlphaF(0.22F);
        p.fillRect(QRect(std::max(x, left), middle - 4, m.width - std::max(0, left - x), 8), tail);
      }
      if (x < left - int(kMark)) continue;
      const int room = i + 1 < marks.size() ? marks[i + 1].x - m.x : area.width() - x;
      if (m.count == 1) {
        draw_outcome(p, QPointF(x, middle), room >= 6 ? kMark : kMark * 0.7, m.worst(), colour);
        continue;
      }
      // A fold: a bar cut by its outcomes from the bottom up, and the count where there is room for it.
      int y = middle + 8;
      const int width = m.first != 0
                            ? Timeline::kFoldPixels
                            : std::clamp(m.width, Timeline::kFoldPixels, std::max(Timeline::kFoldPixels, room - 1));
      for (const Outcome o : {Outcome::hit, Outcome::bypass, Outcome::guard_miss, Outcome::miss, Outcome::error}) {
        const std::uint32_t n = m.outcomes[index_of(o)];
        if (n == 0) continue;
        const int height = std::max(2, int(std::lround(16.0 * n / m.count)));
        p.fillRect(QRect(x - 1, std::max(middle - 8, y - height), width, std::min(height, y - (middle - 8))),
                   theme.of(o));
        y -= height;
        if (y <= middle - 8) break;
      }
      if (room > kCountWidth + 14 && width < 8) {
        draw_outcome(p, QPointF(x + 9, middle), kMark * 0.8, m.worst(), colour);
        p.setPen(theme.muted);
        p.drawText(QRect(x + 16, top, room - 16, kLaneHeight), Qt::AlignVCenter | Qt::AlignLeft, short_count(m.count));
      }
    }
  }

  if (marked_) {
    const int from = left + int(w.x_of(marked_->first)), to = left + int(w.x_of(marked_->second));
    QColor soft = theme.accent;
    soft.setAlphaF(0.15F);
    p.fillRect(QRect(from, kAxisHeight, to - from, area.height()), soft);
    p.setPen(theme.accent);
    p.drawLine(from, kAxisHeight, from, area.bottom());
    p.drawLine(to, kAxisHeight, to, area.bottom());
  }
  if (const QPoint at = point_of(selected_); !at.isNull()) {
    p.setRenderHint(QPainter::Antialiasing);
    p.setPen(QPen(theme.accent, 2));
    p.setBrush(Qt::NoBrush);
    p.drawEllipse(at, 9, 9);
  }
  p.setClipping(false);
  if (hover_x_ >= left) {
    p.setRenderHint(QPainter::Antialiasing, false);
    p.setPen(QPen(theme.faint, 1, Qt::DotLine));
    p.drawLine(hover_x_, kAxisHeight, hover_x_, area.bottom());
    const Nanoseconds t = w.time_at(hover_x_ - left);
    const QString text = timeline_->aligned() ? u'+' + seconds_text(double(t) * 1e-9) : exact_time(t).mid(11, 12);
    const QRect box(std::min(hover_x_ + 1, area.right() - 92), 2, 92, kAxisHeight - 4);
    p.fillRect(box, theme.raised);
    p.setPen(theme.text);
    p.drawText(box, Qt::AlignCenter, text);
  }
  if (hasFocus()) {
    p.setPen(theme.accent);
    p.setBrush(Qt::NoBrush);
    p.drawRect(area.adjusted(0, 0, -1, -1));
  }
}

void TimelineView::wheelEvent(QWheelEvent* event) {
  const QPoint delta = event->angleDelta();
  if (event->modifiers() & Qt::ControlModifier) {
    verticalScrollBar()->setValue(verticalScrollBar()->value() - delta.y() / 2);
  } else if ((event->modifiers() & Qt::ShiftModifier) || std::abs(delta.x()) > std::abs(delta.y())) {
    move_by(-(delta.x() != 0 ? delta.x() : delta.y()));
  } else {
    zoom(std::pow(0.999, delta.y()), event->position().x() - gutter());
  }
  event->accept();
}

void TimelineView::mousePressEvent(QMouseEvent* event) {
  if (event->button() != Qt::LeftButton) return;
  press_ = event->pos();
  press_begin_ = view_begin_;
  drag_ = event->modifiers() & Qt::ShiftModifier ? Drag::mark : Drag::maybe;
}

void TimelineView::mouseMoveEvent(QMouseEvent* event) {
  hover_x_ = event->pos().x();
  hover_y_ = event->pos().y();
  const TimelineWindow w = window();
  if (drag_ == Drag::maybe && std::abs(event->pos().x() - press_.x()) > 4) drag_ = Drag::move;
  if (drag_ == Drag::move) {
    const auto shift = Nanoseconds(w.per_pixel() * (press_.x() - event->pos().x()));
    set_range(press_begin_ + shift, press_begin_ + shift + (view_end_ - view_begin_));
  } else if (drag_ == Drag::mark && timeline_) {
    const Nanoseconds a = w.time_at(press_.x() - gutter()), b = w.time_at(event->pos().x() - gutter());
    marked_ = std::minmax(a, b);
  }
  viewport()->update();
}

void TimelineView::mouseReleaseEvent(QMouseEvent* event) {
  const Drag drag = drag_;
  drag_ = Drag::none;
  if (event->button() != Qt::LeftButton || !timeline_) return;
  if (drag == Drag::mark && marked_ && marked_->second > marked_->first) {
    Q_EMIT range_marked(marked_->first, marked_->second);
  } else if (drag == Drag::maybe) {
    const int lane = lane_at(event->pos().y());
    if (lane < 0) return;
    const TimelineWindow w = window();
    select(timeline_->nearest(lane, w.time_at(event->pos().x() - gutter()), Nanoseconds(w.per_pixel() * 8)));
  }
}

void TimelineView::mouseDoubleClickEvent(QMouseEvent* event) {
  const int lane = lane_at(event->pos().y());
  if (lane < 0) return;
  const TimelineWindow w = window();
  const RowId id = timeline_->nearest(lane, w.time_at(event->pos().x() - gutter()), Nanoseconds(w.per_pixel() * 8));
  if (id != 0)
    Q_EMIT explain_requested(id);
  else
    zoom(0.5, event->pos().x() - gutter());
}

void TimelineView::keyPressEvent(QKeyEvent* event) {
  if (!timeline_) return QAbstractScrollArea::keyPressEvent(event);
  const double middle = window().width / 2.0;
  const auto change_lane = [&](int step) {
    const Timeline::Place place = timeline_->place_of(selected_);
    const Nanoseconds time = place.lane < 0 ? view_begin_ : place.time;
    for (int lane = place.lane + step; lane >= 0 && lane < timeline_->lane_count(); lane += step)
      if (const RowId id = timeline_->nearest(lane, time, timeline_->end() - timeline_->begin()); id != 0)
        return select(id);
  };
  switch (event->key()) {
    case Qt::Key_Left:
    case Qt::Key_Right:
      if (timeline_->place_of(selected_).lane < 0)
        change_lane(1);
      else
        select(timeline_->neighbour(selected_, event->key() == Qt::Key_Left ? -1 : 1));
      break;
    case Qt::Key_Up:
      change_lane(-1);
      break;
    case Qt::Key_Down:
      change_lane(1);
      break;
    case Qt::Key_Plus:
    case Qt::Key_Equal:
    case Qt::Key_W:
      zoom(0.7, middle);
      break;
    case Qt::Key_Minus:
    case Qt::Key_S:
      zoom(1 / 0.7, middle);
      break;
    case Qt::Key_A:
      move_by(-window().width / 5.0);
      break;
    case Qt::Key_D:
      move_by(window().width / 5.0);
      break;
    case Qt::Key_Home:
    case Qt::Key_0:
      show_all();
      break;
    case Qt::Key_Escape:
      marked_.reset();
      viewport()->update();
      break;
    case Qt::Key_Return:
    case Qt::Key_Enter:
      if (selected_ != 0) Q_EMIT explain_requested(selected_);
      break;
    default:
      return QAbstractScrollArea::keyPressEvent(event);
  }
  event->accept();
}

bool TimelineView::viewportEvent(QEvent* event) {
  if (event->type() == QEvent::Leave) {
    hover_x_ = hover_y_ = -1;
    viewport()->update();
  }
  if (event->type() == QEvent::ToolTip && timeline_) {
    auto* help = static_cast<QHelpEvent*>(event);
    const int lane = lane_at(help->pos().y());
    const TimelineWindow w = window();
    QStringList lines;
    if (lane >= 0) {
      const double x = help->pos().x() - gutter();
      const OutcomeCounts counts = timeline_->count_between(lane, w.time_at(x - 5), w.time_at(x + 5));
      for (int o = 1; o <= kOutcomes; ++o)
        if (const auto n = counts[std::size_t(o) - 1]; n > 0)
          lines << QStringLiteral("%1 %2").arg(count_text(n), title_of(Outcome(o)));
      if (!lines.isEmpty())
        lines.prepend(timeline_->lane(lane).run_name + QStringLiteral(" · ") + timeline_->lane(lane).label);
    }
    if (lines.isEmpty())
      QToolTip::hideText();
    else
      QToolTip::showText(help->globalPos(), lines.join(u'\n'), viewport());
    return true;
  }
  return QAbstractScrollArea::viewportEvent(event);
}

}  // namespace keyhole::inspector
