// SPDX-License-Identifier: Apache-2.0
#include "inspector/ui/charts.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "inspector/core/format.h"
#include "inspector/ui/theme.h"

namespace keyhole::inspector {
namespace {

// From the bottom of a column up: what was served lies below.
constexpr Outcome kStack[] = {Outcome::hit, Outcome::bypass, Outcome::guard_miss, Outcome::miss, Outcome::error};

QFont small_font(const QWidget& widget) {
  QFont font = widget.font();
  font.setPointSizeF(font.pointSizeF() * 0.88);
  return font;
}

QString counts_text(const LayerCounts& counts) {
  QStringList parts;
  for (int o = 1; o <= kOutcomes; ++o)
    if (const auto n = counts[std::size_t(o) - 1]; n > 0)
      parts << QStringLiteral("%1 %2").arg(count_text(n), title_of(Outcome(o)));
  return parts.join(QStringLiteral(", "));
}

std::int64_t sum_of(const LayerCounts& counts) {
  std::int64_t sum = 0;
  for (const auto n : counts) sum += n;
  return sum;
}

// 1, 2 or 5 times a power of ten, not below `value`.
std::int64_t round_up(std::int64_t value) {
  std::int64_t power = 1;
  while (power * 10 <= value) power *= 10;
  for (const std::int64_t m : {1, 2, 5, 10})
    if (m * power >= value) return m * power;
  return value;
}

void draw_focus(QPainter& p, const QWidget& widget) {
  if (!widget.hasFocus()) return;
  p.setRenderHint(QPainter::Antialiasing, false);
  p.setBrush(Qt::NoBrush);
  p.setPen(Theme::of(widget).accent);
  p.drawRect(widget.rect().adjusted(0, 0, -1, -1));
}

}  // namespace

// --- OutcomeChart ----------------------------------------------------------------------------------------------------

OutcomeChart::OutcomeChart(QWidget* parent) : QWidget(parent) {
  setAccessibleName(QStringLiteral("Lookups over time by outcome"));
  setFocusPolicy(Qt::StrongFocus);
  setMouseTracking(true);
  setMinimumHeight(140);
}

void OutcomeChart::set(const Overview& overview, std::optional<Layer> layer) {
  columns_.clear();
  most_ = 0;
  width_ = overview.bucket_width;
  for (const Overview::Bucket& bucket : overview.buckets) {
    Column column{bucket.begin, {}};
    for (std::size_t l = 0; l < bucket.counts.size(); ++l)
      if (!layer || std::size_t(*layer) == l)
        for (std::size_t o = 0; o < column.counts.size(); ++o) column.counts[o] += bucket.counts[l][o];
    most_ = std::max(most_, sum_of(column.counts));
    columns_.push_back(column);
  }
  hover_ = -1;
  update();
}

QRectF OutcomeChart::plot() const {
  return QRectF(rect()).adjusted(44, 8, -8, -22);
}

int OutcomeChart::column_at(double x) const {
  const QRectF area = plot();
  if (columns_.empty() || x < area.left() || x > area.right()) return -1;
  return std::min(int(columns_.size()) - 1, int((x - area.left()) / area.width() * double(columns_.size())));
}

void OutcomeChart::paintEvent(QPaintEvent*) {
  const Theme& theme = Theme::of(*this);
  QPainter p(this);
  p.setFont(small_font(*this));
  if (columns_.empty()) {
    p.setPen(theme.faint);
    p.drawText(rect(), Qt::AlignCenter, QStringLiteral("No lookup with a known time"));
    return draw_focus(p, *this);
  }
  const QRectF area = plot();
  const std::int64_t top = round_up(std::max<std::int64_t>(1, most_));
  for (const double part : {0.0, 0.5, 1.0}) {
    if (part == 0.5 && top % 2 != 0) continue;
    const double y = area.bottom() - area.height() * part;
    p.setPen(part == 0 ? theme.border : theme.grid);
    p.drawLine(QPointF(area.left(), y), QPointF(area.right(), y));
    p.setPen(theme.muted);
    p.drawText(QRectF(0, y - 9, area.left() - 6, 18), Qt::AlignRight | Qt::AlignVCenter,
               short_count(std::int64_t(double(top) * part)));
  }
  const double step = area.width() / double(columns_.size());
  const double bar = std::clamp(step * 0.72, 1.0, 44.0);
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const double x = area.left() + step * (double(i) + 0.5) - bar / 2;
    if (int(i) == hover_)
      p.fillRect(QRectF(area.left() + step * double(i), area.top(), step, area.height()), theme.accent_soft);
    double y = area.bottom();
    for (const Outcome o : kStack) {
      const auto n = columns_[i].counts[index_of(o)];
      if (n == 0) continue;
      const double height = std::max(1.5, area.height() * double(n) / double(top));
      p.fillRect(QRectF(x, y - height, bar, height), theme.of(o));
      if (bar >= 9 && height >= 14) draw_outcome(p, {x + bar / 2, y - height / 2}, 7, o, theme.surface);
      y -= height;
    }
  }
  // Times under the axis where there is room; a date where the bucket begins another day than the one before it shown.
  p.setPen(theme.muted);
  const auto every = std::size_t(std::max(1.0, std::ceil(96 / step)));
  QString last_day;
  for (std::size_t i = 0; i < columns_.size(); i += every) {
    const QString text = date_clock_text(columns_[i].begin);
    const bool new_day = text.left(10) != last_day;
    last_day = text.left(10);
    const double x = area.left() + step * double(i);
    if (x + p.fontMetrics().horizontalAdvance(new_day ? text.mid(5, 11) : text.mid(11, 8)) > width()) break;
    p.drawText(QRectF(x, area.bottom() + 3, 110, 18), Qt::AlignLeft,
               new_day ? text.mid(5, 11) : text.mid(11, width_ < 60'000'000'000 ? 8 : 5));
  }
  draw_focus(p, *this);
}

void OutcomeChart::mouseMoveEvent(QMouseEvent* event) {
  const int column = column_at(event->pos().x());
  if (column == hover_) return;
  hover_ = column;
  if (column >= 0) {
    const Column& c = columns_[std::size_t(column)];
    QToolTip::showText(event->globalPosition().toPoint(), date_clock_text(c.begin) + u'\n' + counts_text(c.counts),
                       this);
  }
  update();
}

void OutcomeChart::mousePressEvent(QMouseEvent* event) {
  if (const int column = column_at(event->pos().x()); column >= 0) {
    const Nanoseconds begin = columns_[std::size_t(column)].begin;
    Q_EMIT bucket_clicked(begin, begin + width_);
  }
}

void OutcomeChart::keyPressEvent(QKeyEvent* event) {
  const int last = int(columns_.size()) - 1;
  if (last >= 0 && (event->key() == Qt::Key_Left || event->key() == Qt::Key_Right)) {
    hover_ = std::clamp(hover_ + (event->key() == Qt::Key_Left ? -1 : 1), 0, last);
    setAccessibleDescription(date_clock_text(columns_[std::size_t(hover_)].begin) + QStringLiteral(": ") +
                             counts_text(columns_[std::size_t(hover_)].counts));
    update();
  } else if (event->key() == Qt::Key_Return && hover_ >= 0) {
    const Nanoseconds begin = columns_[std::size_t(hover_)].begin;
    Q_EMIT bucket_clicked(begin, begin + width_);
  } else {
    QWidget::keyPressEvent(event);
  }
}

void OutcomeChart::leaveEvent(QEvent*) {
  hover_ = -1;
  update();
}

// --- LayerChart ------------------------------------------------------------------------------------------------------

namespace {
constexpr int kLayerRow = 30;
constexpr int kLayerName = 110;
constexpr int kLayerRate = 120;
}  // namespace

LayerChart::LayerChart(QWidget* parent) : QWidget(parent) {
  setAccessibleName(QStringLiteral("Lookups by layer"));
  setFocusPolicy(Qt::StrongFocus);
  setMouseTracking(true);
}

void LayerChart::set(std::vector<Overview::LayerRow> rows) {
  rows_ = std::move(rows);
  current_ = 0;
  updateGeometry();
  update();
}

QSize LayerChart::sizeHint() const {
  return {420, std::max(1, int(rows_.size())) * kLayerRow + 4};
}

std::vector<LayerChart::Part> LayerChart::parts() const {
  std::vector<Part> parts;
  std::int64_t most = 1;
  for (const auto& row : rows_) most = std::max(most, sum_of(row.counts));
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const auto& row = rows_[i];
    const double top = double(i) * kLayerRow + 2;
    parts.push_back({QRectF(4, top, kLayerName, kLayerRow), row.layer, {}});
    const double room = width() - kLayerName - kLayerRate - 12;
    double x = kLayerName + 8;
    for (const Outcome o : kStack) {
      const auto n = row.counts[index_of(o)];
      if (n == 0) continue;
      const double w = std::max(3.0, room * double(n) / double(most));
      parts.push_back({QRectF(x, top + 7, w, kLayerRow - 14), row.layer, o});
      x += w;
    }
  }
  return parts;
}

void LayerChart::paintEvent(QPaintEvent*) {
  const Theme& theme = Theme::of(*this);
  QPainter p(this);
  const auto all = parts();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Part& part = all[i];
    if (!part.outcome) {
      p.setPen(theme.text);
      p.drawText(part.box, Qt::AlignVCenter | Qt::AlignLeft, title_of(part.layer));
      continue;
    }
    p.fillRect(part.box, theme.of(*part.outcome));
    if (part.box.width() > 14) draw_outcome(p, part.box.center(), 8, *part.outcome, theme.surface);
    if (hasFocus() && int(i) == current_) {
      p.setPen(QPen(theme.accent, 2));
      p.drawRect(part.box.adjusted(-2, -2, 2, 2));
    }
  }
  p.setFont(small_font(*this));
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const auto& row = rows_[i];
    const double asked = double(row.counts[index_of(Outcome::hit)] + row.counts[index_of(Outcome::miss)] +
                                row.counts[index_of(Outcome::guard_miss)] + row.counts[index_of(Outcome::error)]);
    const QString rate = percent_text(double(row.counts[index_of(Outcome::hit)]), asked);
    const QString text = rate.isEmpty() ? count_text(sum_of(row.counts))
                                        : QStringLiteral("%1 hit of %2").arg(rate, count_text(std::int64_t(asked)));
    p.setPen(theme.muted);
    p.drawText(QRectF(width() - kLayerRate, double(i) * kLayerRow + 2, kLayerRate - 4, kLayerRow),
               Qt::AlignVCenter | Qt::AlignRight, text);
  }
  draw_focus(p, *this);
}

void LayerChart::mousePressEvent(QMouseEvent* event) {
  for (const Part& part : parts())
    if (part.box.contains(event->position())) return Q_EMIT clicked(part.layer, part.outcome);
}

void LayerChart::mouseMoveEvent(QMouseEvent* event) {
  bool over = false;
  for (const Part& part : parts()) over = over || part.box.contains(event->position());
  setCursor(over ? Qt::PointingHandCursor : Qt::ArrowCursor);
}

void LayerChart::keyPressEvent(QKeyEvent* event) {
  const auto all = parts();
  if (all.empty()) return QWidget::keyPressEvent(event);
  switch (event->key()) {
    case Qt::Key_Left:
    case Qt::Key_Up:
      current_ = std::max(0, current_ - 1);
      break;
    case Qt::Key_Right:
    case Qt::Key_Down:
      current_ = std::min(int(all.size()) - 1, current_ + 1);
      break;
    case Qt::Key_Return: {
      const Part& part = all[std::size_t(std::min(current_, int(all.size()) - 1))];
      Q_EMIT clicked(part.layer, part.outcome);
      break;
    }
    default:
      return QWidget::keyPressEvent(event);
  }
  update();
}

// --- OutcomeLegend ---------------------------------------------------------------------------------------------------

OutcomeLegend::OutcomeLegend(QWidget* parent) : QWidget(parent) {
  setAccessibleName(QStringLiteral("Legend: circle hit, triangle miss, diamond guard miss, bar bypass, cross error"));
}

QSize OutcomeLegend::sizeHint() const {
  const QFontMetrics metrics(small_font(*this));
  int width = 4;
  for (int o = 1; o <= kOutcomes; ++o) width += 18 + metrics.horizontalAdvance(title_of(Outcome(o))) + 14;
  return {width, 20};
}

void OutcomeLegend::paintEvent(QPaintEvent*) {
  const Theme& theme = Theme::of(*this);
  QPainter p(this);
  p.setFont(small_font(*this));
  int x = 4;
  for (int o = 1; o <= kOutcomes; ++o) {
    const auto outcome = Outcome(o);
    draw_outcome(p, QPointF(x + 6, height() / 2.0), 9, outcome, theme.of(outcome));
    p.setPen(theme.muted);
    const int width = p.fontMetrics().horizontalAdvance(title_of(outcome));
    p.drawText(QRect(x + 18, 0, width + 4, height()), Qt::AlignVCenter, title_of(outcome));
    x += 18 + width + 14;
  }
}

// --- ChainView -------------------------------------------------------------------------------------------------------

namespace {
constexpr int kChainHeight = 30;
}

ChainView::ChainView(QWidget* parent) : QWidget(parent) {
  setAccessibleName(QStringLiteral("The layers of this compile"));
  setFocusPolicy(Qt::StrongFocus);
}

void ChainView::set(std::vector<ChainLink> links, QStringList names, RowId current) {
  links_ = std::move(links);
  names_ = std::move(names);
  current_ = current;
  focus_ = 0;
  QStringList words;
  for (std::size_t i = 0; i < links_.size(); ++i) words << names_[qsizetype(i)] + u' ' + title_of(links_[i].outcome);
  setAccessibleDescription(words.join(QStringLiteral(", ")));
  updateGeometry();
  update();
}

std::vector<QRectF> ChainView::boxes() const {
  std::vector<QRectF> boxes;
  double x = 2, y = 2;
  for (const QString& name : names_) {
    const double w = fontMetrics().horizontalAdvance(name) + 38;
    if (x + w > width() && x > 2) x = 2, y += kChainHeight + 4;
    boxes.emplace_back(x, y, w, kChainHeight - 4);
    x += w + 22;
  }
  return boxes;
}

QSize ChainView::sizeHint() const {
  const auto all = boxes();
  return {300, all.empty() ? kChainHeight : int(all.back().bottom()) + 4};
}

void ChainView::paintEvent(QPaintEvent*) {
  const Theme& theme = Theme::of(*this);
  QPainter p(this);
  p.setRenderHint(QPainter::Antialiasing);
  const auto all = boxes();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const ChainLink& link = links_[i];
    const bool here = link.lookup != 0 && link.lookup == current_;
    p.setPen(QPen(here ? theme.accent : hasFocus() && int(i) == focus_ ? theme.text : theme.border, here ? 1.6 : 1));
    p.setBrush(here ? theme.accent_soft : theme.raised);
    p.drawRoundedRect(all[i].adjusted(0.5, 0.5, -0.5, -0.5), 4, 4);
    draw_outcome(p, {all[i].left() + 14, all[i].center().y()}, 10, link.outcome, theme.of(link.outcome));
    p.setPen(theme.text);
    p.drawText(all[i].adjusted(26, 0, -4, 0), Qt::AlignVCenter | Qt::AlignLeft, names_[qsizetype(i)]);
    if (i + 1 < all.size() && all[i + 1].top() == all[i].top()) {
      const double y = all[i].center().y(), x = all[i].right() + 4;
      p.setPen(QPen(theme.faint, 1.2));
      p.drawLine(QPointF(x, y), QPointF(x + 13, y));
      p.drawLine(QPointF(x + 9, y - 4), QPointF(x + 13, y));
      p.drawLine(QPointF(x + 9, y + 4), QPointF(x + 13, y));
    }
  }
}

void ChainView::mousePressEvent(QMouseEvent* event) {
  const auto all = boxes();
  for (std::size_t i = 0; i < all.size(); ++i)
    if (all[i].contains(event->position()) && links_[i].lookup != 0) return Q_EMIT clicked(links_[i].lookup);
}

void ChainView::keyPressEvent(QKeyEvent* event) {
  const int last = int(links_.size()) - 1;
  if (last < 0) return QWidget::keyPressEvent(event);
  if (event->key() == Qt::Key_Left || event->key() == Qt::Key_Right) {
    focus_ = std::clamp(focus_ + (event->key() == Qt::Key_Left ? -1 : 1), 0, last);
    update();
  } else if (event->key() == Qt::Key_Return && links_[std::size_t(focus_)].lookup != 0) {
    Q_EMIT clicked(links_[std::size_t(focus_)].lookup);
  } else {
    QWidget::keyPressEvent(event);
  }
}

// --- BarList ---------------------------------------------------------------------------------------------------------

namespace {
constexpr int kBarRow = 22;
}

BarList::BarList(const QString& accessible_name, QWidget* parent) : QWidget(parent) {
  setAccessibleName(accessible_name);
}

void BarList::set(std::vector<Bar> bars) {
  bars_ = std::move(bars);
  updateGeometry();
  update();
}

QSize BarList::sizeHint() const {
  return {300, int(bars_.size()) * kBarRow + 4};
}

void BarList::paintEvent(QPaintEvent*) {
  const Theme& theme = Theme::of(*this);
  QPainter p(this);
  double most = 0;
  for (const Bar& bar : bars_) most = std::max(most, bar.value);
  const int name = width() / 2, figure = 80;
  for (std::size_t i = 0; i < bars_.size(); ++i) {
    const double top = double(i) * kBarRow + 2;
    p.setPen(theme.text);
    p.drawText(QRectF(2, top, name - 8, kBarRow), Qt::AlignVCenter | Qt::AlignLeft,
               p.fontMetrics().elidedText(bars_[i].name, Qt::ElideMiddle, name - 8));
    const double room = width() - name - figure;
    if (most > 0)
      p.fillRect(QRectF(name, top + 5, std::max(1.0, room * bars_[i].value / most), kBarRow - 10), theme.series[0]);
    p.setPen(theme.muted);
    p.drawText(QRectF(width() - figure, top, figure - 4, kBarRow), Qt::AlignVCenter | Qt::AlignRight, bars_[i].text);
  }
}

bool BarList::event(QEvent* event) {
  if (event->type() == QEvent::ToolTip) {
    auto* help = static_cast<QHelpEvent*>(event);
    const auto row = std::size_t(std::max(0, help->pos().y() - 2) / kBarRow);
    if (row < bars_.size()) QToolTip::showText(help->globalPos(), bars_[row].name + u'\n' + bars_[row].tip, this);
    return true;
  }
  return QWidget::event(event);
}

}  // namespace keyhole::inspector
