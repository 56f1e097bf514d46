// SPDX-License-Identifier: Apache-2.0
#include "inspector/ui/diff_view.h"

#include <QApplication>
#include <QClipboard>
#include <QContextMenuEvent>
#include <QMenu>
#include <QPainter>
#include <QScrollBar>
#include <QStyle>
#include <algorithm>

#include "inspector/core/format.h"
#include "inspector/ui/theme.h"

namespace keyhole::inspector {
namespace {

constexpr int kHeader = 26;
constexpr int kLongestShown = 4000;  // characters of a line

QString visible(QString text) {
  text.truncate(kLongestShown);
  for (QChar& c : text)
    if (c.category() == QChar::Other_Control) c = c == u'\t' ? u' ' : QChar(0x00b7);
  return text;
}

}  // namespace

DiffView::DiffView(QWidget* parent) : QAbstractScrollArea(parent) {
  setAccessibleName(QStringLiteral("Difference: before and after"));
  setFocusPolicy(Qt::StrongFocus);
  setFrameShape(QFrame::NoFrame);
  setMinimumHeight(kHeader + 60);
}

void DiffView::set_texts(const QString& left_title, const QString& left, const QString& right_title,
                         const QString& right) {
  left_title_ = left_title, right_title_ = right_title;
  left_ = left, right_ = right;
  message_.clear();
  setAccessibleDescription(QStringLiteral("before: %1; after: %2").arg(one_line(left, 300), one_line(right, 300)));
  set_context(3);
  horizontalScrollBar()->setValue(0);
  // The first difference is what one wants to see.
  const auto first = std::find_if(lines_.begin(), lines_.end(), [](const DiffLine& l) {
    return l.kind != DiffLine::Kind::same && l.kind != DiffLine::Kind::folded;
  });
  const int line = first == lines_.end() ? 0 : int(first - lines_.begin());
  verticalScrollBar()->setValue(std::max(0, (line - 4) * line_height()));
  if (first != lines_.end() && !first->left_marks.empty()) {
    const int x = QFontMetrics(code_font()).horizontalAdvance(u'0') * first->left_marks.front().begin;
    if (x > viewport()->width() / 2 - 120) horizontalScrollBar()->setValue(x - 80);
  }
}

void DiffView::set_message(const QString& message) {
  left_.clear(), right_.clear(), left_title_.clear(), right_title_.clear();
  lines_.clear();
  message_ = message;
  arrange();
}

void DiffView::set_context(int context) {
  context_ = context;
  lines_ = diff_texts(left_, right_, context);
  longest_ = 0;
  for (const DiffLine& line : lines_)
    longest_ = int(std::max({qsizetype(longest_), line.left.size(), line.right.size()}));
  longest_ = std::min(longest_, kLongestShown);
  arrange();
}

int DiffView::line_height() const {
  return QFontMetrics(code_font()).height() + 3;
}

void DiffView::arrange() {
  const int height = int(lines_.size()) * line_height();
  verticalScrollBar()->setRange(0, std::max(0, height - (viewport()->height() - kHeader)));
  verticalScrollBar()->setPageStep(viewport()->height() - kHeader);
  verticalScrollBar()->setSingleStep(line_height());
  const int width = QFontMetrics(code_font()).horizontalAdvance(u'0') * (longest_ + 2);
  horizontalScrollBar()->setRange(0, std::max(0, width - (viewport()->width() / 2 - 48)));
  horizontalScrollBar()->setPageStep(viewport()->width() / 2);
  viewport()->update();
}

void DiffView::resizeEvent(QResizeEvent*) {
  arrange();
}

void DiffView::paintEvent(QPaintEvent*) {
  QPainter p(viewport());
  draw(p);
  if (!hasFocus()) return;
  p.setClipping(false);
  p.setBrush(Qt::NoBrush);
  p.setPen(Theme::of(*this).accent);
  p.drawRect(viewport()->rect().adjusted(0, 0, -1, -1));
}

void DiffView::draw(QPainter& p) {
  const Theme& theme = Theme::of(*this);
  p.fillRect(viewport()->rect(), theme.surface);
  if (!message_.isEmpty()) {
    p.setPen(theme.muted);
    p.drawText(viewport()->rect().adjusted(16, 8, -16, -8), Qt::AlignCenter | Qt::TextWordWrap, message_);
    return;
  }
  const QFont code = code_font();
  const QFontMetrics metrics(code);
  const int half = viewport()->width() / 2, number = metrics.horizontalAdvance(QStringLiteral("00000")),
            height = line_height();
  const int scroll = horizontalScrollBar()->value();
  const int first = std::max(0, verticalScrollBar()->value() / height);
  for (int i = first; i < int(lines_.size()); ++i) {
    const DiffLine& line = lines_[std::size_t(i)];
    const int top = kHeader + i * height - verticalScrollBar()->value();
    if (top > viewport()->height()) break;
    p.setClipping(false);
    if (line.kind == DiffLine::Kind::folded) {
      p.fillRect(QRect(0, top, viewport()->width(), height), theme.raised);
      p.setFont(font());
      p.setPen(theme.accent);
      p.drawText(QRect(0, top, viewport()->width(), height), Qt::AlignCenter,
                 QStringLiteral("%1, show")
                     .arg(plural(line.folded, QStringLiteral("equal line"), QStringLiteral("equal lines"))));
      continue;
    }
    const bool changed = line.kind != DiffLine::Kind::same;
    for (const bool right : {false, true}) {
      const int n = right ? line.right_number : line.left_number;
      const QRect cell(right ? half : 0, top, half, height);
      p.setClipRect(cell);
      if (n == 0) {
        p.fillRect(cell, theme.raised);
        continue;
      }
      if (changed) p.fillRect(cell, right ? theme.added : theme.removed);
      const QString text = visible(right ? line.right : line.left);
      p.setFont(code);
      p.setPen(theme.faint);
      p.drawText(QRect(cell.left(), top, number - 4, height), Qt::AlignRight | Qt::AlignVCenter, QString::number(n));
      const QRect room(cell.left() + number + 6, top, half - number - 8, height);
      p.setClipRect(room);
      for (const Span& span : right ? line.right_marks : line.left_marks) {
        if (span.begin > text.size()) continue;
        const int x = room.left() - scroll + metrics.horizontalAdvance(text.left(span.begin));
        p.fillRect(QRect(x, top + 1, metrics.horizontalAdvance(text.mid(span.begin, span.length)), height - 2),
                   right ? theme.added_word : theme.removed_word);
      }
      p.setPen(theme.text);
      p.drawText(QPoint(room.left() - scroll, top + metrics.ascent() + 1), text);
    }
  }
  p.setClipping(false);
  p.setFont(font());
  p.fillRect(QRect(0, 0, viewport()->width(), kHeader), theme.surface);
  p.setPen(theme.muted);
  p.drawText(QRect(8, 0, half - 16, kHeader), Qt::AlignVCenter,
             fontMetrics().elidedText(left_title_, Qt::ElideRight, half - 16));
  p.drawText(QRect(half + 8, 0, half - 16, kHeader), Qt::AlignVCenter,
             fontMetrics().elidedText(right_title_, Qt::ElideRight, half - 16));
  p.setPen(theme.border);
  p.drawLine(0, kHeader - 1, viewport()->width(), kHeader - 1);
  p.drawLine(half, 0, half, viewport()->height());
  if (hasFocus()) {
    p.setPen(theme.accent);
    p.drawRect(viewport()->rect().adjusted(0, 0, -1, -1));
  }
}

void DiffView::mousePressEvent(QMouseEvent* event) {
  const int line = (event->pos().y() - kHeader + verticalScrollBar()->value()) / line_height();
  if (event->pos().y() >= kHeader && line >= 0 && line < int(lines_.size()) &&
      lines_[std::size_t(line)].kind == DiffLine::Kind::folded)
    set_context(-1);
}

void DiffView::keyPressEvent(QKeyEvent* event) {
  if (event->matches(QKeySequence::Copy))
    QApplication::clipboard()->setText(QStringLiteral("- %1\n+ %2\n").arg(left_, right_));
  else
    QAbstractScrollArea::keyPressEvent(event);
}

void DiffView::contextMenuEvent(QContextMenuEvent* event) {
  auto* menu = new QMenu(this);
  menu->setAttribute(Qt::WA_DeleteOnClose);
  menu->addAction(QStringLiteral("Copy before"), this, [this] { QApplication::clipboard()->setText(left_); });
  menu->addAction(QStringLiteral("Copy after"), this, [this] { QApplication::clipboard()->setText(right_); });
  menu->addAction(context_ < 0 ? QStringLiteral("Fold equal lines") : QStringLiteral("Show all lines"), this,
                  [this] { set_context(context_ < 0 ? 3 : -1); });
  menu->popup(event->globalPos());
}

}  // namespace keyhole::inspector
