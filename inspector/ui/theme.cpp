// SPDX-License-Identifier: Apache-2.0
#include "inspector/ui/theme.h"

#include <QApplication>
#include <QFontDatabase>
#include <QPainterPath>
#include <QStyleFactory>
#include <QWidget>
#include <functional>

namespace keyhole::inspector {
namespace {

const Theme& light_theme() {
  static const Theme theme = [] {
    Theme t;
    t.dark = false;
    t.window = QColor(0xf4f5f7), t.surface = QColor(0xffffff), t.raised = QColor(0xfafbfc), t.border = QColor(0xd5d9df);
    t.grid = QColor(0xe8ebef), t.text = QColor(0x1c2127), t.muted = QColor(0x5c6670), t.faint = QColor(0x8a949e);
    t.accent = QColor(0x2458c6), t.accent_text = QColor(0xffffff), t.accent_soft = QColor(0xe3ebfb);
    t.hit = QColor(0x1b7f5f), t.miss = QColor(0xc9510c), t.guard_miss = QColor(0x9a3f94), t.bypass = QColor(0x6b7785);
    t.error = QColor(0xb00020);
    t.removed = QColor(0xfdeceb), t.added = QColor(0xe7f3ee), t.removed_word = QColor(0xf6c3bd),
    t.added_word = QColor(0xb5dcca);
    t.keyword = QColor(0x8a3b9c), t.literal = QColor(0x1b6e4a), t.comment = QColor(0x7a8590),
    t.number = QColor(0x1f5fb0);
    const unsigned series[] = {0x2458c6, 0xc9510c, 0x1b7f5f, 0x9a3f94, 0xa57800, 0x2a8ca8, 0x6b7785, 0x8f4a2b};
    for (std::size_t i = 0; i < std::size(series); ++i) t.series[i] = QColor(series[i]);
    return t;
  }();
  return theme;
}

const Theme& dark_theme() {
  static const Theme theme = [] {
    Theme t;
    t.dark = true;
    t.window = QColor(0x1b1e22), t.surface = QColor(0x22262b), t.raised = QColor(0x292e34), t.border = QColor(0x3b424a);
    t.grid = QColor(0x30363d), t.text = QColor(0xe3e7eb), t.muted = QColor(0xa3adb7), t.faint = QColor(0x7b8691);
    t.accent = QColor(0x7da7f5), t.accent_text = QColor(0x10161f), t.accent_soft = QColor(0x2a3750);
    t.hit = QColor(0x4cc79c), t.miss = QColor(0xf2924f), t.guard_miss = QColor(0xd488cf), t.bypass = QColor(0x98a4b0);
    t.error = QColor(0xff6b78);
    t.removed = QColor(0x3a2626), t.added = QColor(0x20352d), t.removed_word = QColor(0x74393a),
    t.added_word = QColor(0x2c6a51);
    t.keyword = QColor(0xd4a0e0), t.literal = QColor(0x8fd0a5), t.comment = QColor(0x86919c),
    t.number = QColor(0x8fbcf7);
    const unsigned series[] = {0x7da7f5, 0xf2924f, 0x4cc79c, 0xd488cf, 0xd9b44a, 0x62bdd6, 0x98a4b0, 0xd29274};
    for (std::size_t i = 0; i < std::size(series); ++i) t.series[i] = QColor(series[i]);
    return t;
  }();
  return theme;
}

QPalette palette_of(const Theme& t) {
  QPalette p;
  p.setColor(QPalette::Window, t.window);
  p.setColor(QPalette::WindowText, t.text);
  p.setColor(QPalette::Base, t.surface);
  p.setColor(QPalette::AlternateBase, t.raised);
  p.setColor(QPalette::Text, t.text);
  p.setColor(QPalette::Button, t.raised);
  p.setColor(QPalette::ButtonText, t.text);
  p.setColor(QPalette::BrightText, t.error);
  p.setColor(QPalette::ToolTipBase, t.raised);
  p.setColor(QPalette::ToolTipText, t.text);
  p.setColor(QPalette::PlaceholderText, t.faint);
  p.setColor(QPalette::Highlight, t.accent);
  p.setColor(QPalette::HighlightedText, t.accent_text);
  p.setColor(QPalette::Link, t.accent);
  p.setColor(QPalette::LinkVisited, t.accent);
  p.setColor(QPalette::Light, t.surface);
  p.setColor(QPalette::Midlight, t.grid);
  p.setColor(QPalette::Mid, t.border);
  p.setColor(QPalette::Dark, t.border);
  p.setColor(QPalette::Shadow, t.border);
  for (const auto role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText})
    p.setColor(QPalette::Disabled, role, t.faint);
  p.setColor(QPalette::Inactive, QPalette::Highlight, t.accent_soft);
  p.setColor(QPalette::Inactive, QPalette::HighlightedText, t.text);
  return p;
}

QString style_sheet(const Theme& t) {
  QString sheet = QStringLiteral(R"(
    QToolTip { color: @text; background: @raised; border: 1px solid @border; padding: 4px; }
    QAbstractItemView { background: @surface; border: 1px solid @border; border-radius: 4px; outline: 0;
      selection-background-color: @accent_soft; selection-color: @text; }
    QListView::item { padding: 4px 6px; }
    QHeaderView { background: @surface; border: 0; }
    QHeaderView::section { background: @surface; color: @muted; border: 0; border-bottom: 1px solid @border;
      padding: 5px 6px; }
    QTableCornerButton::section { background: @surface; border: 0; }
    QLineEdit, QPlainTextEdit, QTextEdit { background: @surface; border: 1px solid @border; border-radius: 4px;
      padding: 4px 6px; }
    QPlainTextEdit, QTextEdit { padding: 0; }
    QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus { border: 1px solid @accent; }
    QFrame#card QAbstractItemView { border: 0; }
    QLineEdit[wrong="true"] { border: 1px solid @error; }
    QPushButton, QToolButton { background: @raised; border: 1px solid @border; border-radius: 4px; padding: 4px 10px; }
    QToolButton { padding: 4px 6px; }
    QPushButton:hover, QToolButton:hover { background: @accent_soft; }
    QPushButton:focus, QToolButton:focus { border: 1px solid @accent; }
    QPushButton:disabled, QToolButton:disabled { color: @faint; }
    QPushButton[primary="true"] { background: @accent; color: @accent_text; border: 1px solid @accent; }
    QPushButton[flat="true"], QToolButton[flat="true"] { background: transparent; border: 1px solid transparent;
      padding: 4px 6px; }
    QPushButton[flat="true"]:hover, QToolButton[flat="true"]:hover { background: @accent_soft; }
    QPushButton[flat="true"]:focus, QToolButton[flat="true"]:focus { border: 1px solid @accent; }
    QPushButton[link="true"] { background: transparent; border: 0; color: @accent; padding: 1px 2px; text-align: left; }
    QPushButton[link="true"]:hover { text-decoration: underline; }
    QPushButton[link="true"]:focus { border: 1px solid @accent; border-radius: 2px; padding: 0 1px; }
    QPushButton[segment="true"] { background: transparent; border: 0; border-bottom: 2px solid transparent; border-radius: 0;
      padding: 6px 12px; color: @muted; }
    QPushButton[segment="true"]:checked { color: @text; border-bottom: 2px solid @accent; }
    QPushButton[segment="true"]:hover { color: @text; }
    QPushButton[segment="true"]:focus { background: @accent_soft; }
    QFrame#card, QFrame#panel { background: @surface; border: 1px solid @border; border-radius: 6px; }
    QFrame#bar { background: @surface; border: 0; border-bottom: 1px solid @border; }
    QFrame#error { background: @removed; border: 0; border-bottom: 1px solid @error; }
    QFrame#notice { background: @accent_soft; border: 0; border-bottom: 1px solid @border; }
    QLabel#muted { color: @muted; }
    QLabel#faint { color: @faint; }
    QLabel#figure { font-size: 20pt; font-weight: 600; }
    QLabel#heading { font-weight: 600; }
    QLabel#sentence { font-size: 13pt; font-weight: 600; }
    QLabel#title { font-size: 18pt; font-weight: 600; }
    QScrollArea { background: transparent; border: 0; }
    QSplitter::handle { background: transparent; }
    QSplitter::handle:hover { background: @accent_soft; }
    QTabWidget::pane { border: 0; border-top: 1px solid @border; }
    QTabBar::tab { background: transparent; color: @muted; padding: 6px 12px; border: 0; border-bottom: 2px solid transparent; }
    QTabBar::tab:selected { color: @text; border-bottom: 2px solid @accent; }
    QTabBar::tab:focus { background: @accent_soft; }
    QMenuBar { background: @window; } QMenuBar::item:selected { background: @accent_soft; color: @text; }
    QMenu { background: @surface; border: 1px solid @border; padding: 4px; }
    QMenu::item { padding: 5px 24px 5px 12px; border-radius: 3px; } QMenu::item:selected { background: @accent_soft; color: @text; }
    QMenu::item:disabled { color: @faint; }
    QMenu::separator { height: 1px; background: @border; margin: 4px 8px; }
    QStatusBar { background: @window; color: @muted; border-top: 1px solid @border; } QStatusBar::item { border: 0; }
    QProgressBar { background: @grid; border: 0; border-radius: 3px; max-height: 6px; } 
    QProgressBar::chunk { background: @accent; border-radius: 3px; }
    QScrollBar:vertical { background: transparent; width: 11px; } QScrollBar:horizontal { background: transparent; height: 11px; }
    QScrollBar::handle { background: @border; border-radius: 4px; margin: 2px; min-height: 24px; min-width: 24px; }
    QScrollBar::handle:hover { background: @faint; }
    QScrollBar::add-line, QScrollBar::sub-line, QScrollBar::add-page, QScrollBar::sub-page { background: transparent;
      width: 0; height: 0; }
  )");
  const std::pair<const char*, const QColor*> names[] = {{"@accent_soft", &t.accent_soft},
                                                         {"@accent_text", &t.accent_text},
                                                         {"@accent", &t.accent},
                                                         {"@surface", &t.surface},
                                                         {"@raised", &t.raised},
                                                         {"@border", &t.border},
                                                         {"@grid", &t.grid},
                                                         {"@text", &t.text},
                                                         {"@muted", &t.muted},
                                                         {"@faint", &t.faint},
                                                         {"@window", &t.window},
                                                         {"@removed", &t.removed},
                                                         {"@error", &t.error}};
  for (const auto& [name, colour] : names) sheet.replace(QLatin1String(name), colour->name());
  return sheet;
}

}  // namespace

QColor Theme::of(Outcome outcome) const {
  switch (outcome) {
    case Outcome::hit:
      return hit;
    case Outcome::miss:
      return miss;
    case Outcome::guard_miss:
      return guard_miss;
    case Outcome::bypass:
      return bypass;
    case Outcome::error:
      return error;
  }
  return muted;
}

namespace {
const Theme* applied = nullptr;
}

const Theme& Theme::of(const QWidget& widget) {
  if (applied) return *applied;  // cells ask for it thousands of times a frame
  return widget.palette().color(QPalette::Window).lightness() < 128 ? dark_theme() : light_theme();
}

void apply_theme(QApplication& app, Scheme scheme) {
  static const bool desktop_is_dark = app.palette().color(QPalette::Window).lightness() < 128;
  const bool dark = scheme == Scheme::dark || (scheme == Scheme::system && desktop_is_dark);
  const Theme& theme = dark ? dark_theme() : light_theme();
  static const bool styled = (QApplication::setStyle(QStyleFactory::create(QStringLiteral("Fusion"))), true);
  Q_UNUSED(styled);
  applied = &theme;
  QApplication::setPalette(palette_of(theme));
  app.setStyleSheet(style_sheet(theme));
}

void draw_outcome(QPainter& painter, const QPointF& c, double size, Outcome outcome, const QColor& colour) {
  const double r = size / 2;
  painter.save();
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setPen(Qt::NoPen);
  painter.setBrush(colour);
  QPolygonF shape;
  switch (outcome) {
    case Outcome::hit:
      painter.drawEllipse(c, r * 0.92, r * 0.92);
      break;
    case Outcome::miss:
      shape << c + QPointF(0, -r) << c + QPointF(r, r * 0.8) << c + QPointF(-r, r * 0.8);
      break;
    case Outcome::guard_miss:
      shape << c + QPointF(0, -r * 1.1) << c + QPointF(r * 1.1, 0) << c + QPointF(0, r * 1.1)
            << c + QPointF(-r * 1.1, 0);
      break;
    case Outcome::bypass:
      painter.drawRect(QRectF(c.x() - r, c.y() - r * 0.3, size, r * 0.6));
      break;
    case Outcome::error: {
      painter.setPen(QPen(colour, std::max(1.6, size / 5), Qt::SolidLine, Qt::FlatCap));
      const double d = r * 0.8;
      painter.drawLine(c + QPointF(-d, -d), c + QPointF(d, d));
      painter.drawLine(c + QPointF(-d, d), c + QPointF(d, -d));
      break;
    }
  }
  if (!shape.isEmpty()) painter.drawPolygon(shape);
  painter.restore();
}

namespace {

QIcon drawn(const std::function<void(QPainter&)>& draw) {
  QIcon icon;
  for (const int scale : {1, 2, 3}) {
    QPixmap pixmap(16 * scale, 16 * scale);
    pixmap.fill(Qt::transparent);
    QPainter painter(&pixmap);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.scale(scale, scale);
    draw(painter);
    pixmap.setDevicePixelRatio(scale);
    for (const auto mode : {QIcon::Normal, QIcon::Selected}) icon.addPixmap(pixmap, mode);
  }
  return icon;
}

}  // namespace

QIcon outcome_icon(Outcome outcome, const QWidget& widget) {
  static QIcon icons[2][8];  // drawn once: every cell of an outcome asks for its icon
  const Theme& theme = Theme::of(widget);
  QIcon& icon = icons[theme.dark ? 1 : 0][std::size_t(outcome) % 8];
  if (icon.isNull()) icon = drawn([&](QPainter& p) { draw_outcome(p, {8, 8}, 10, outcome, theme.of(outcome)); });
  return icon;
}

QIcon program_icon() {
  QIcon icon;
  for (const int size : {16, 32, 48, 128}) {
    QPixmap pixmap(size, size);
    pixmap.fill(Qt::transparent);
    QPainter p(&pixmap);
    p.setRenderHint(QPainter::Antialiasing);
    p.scale(size / 32.0, size / 32.0);
    p.setPen(Qt::NoPen);
    p.setBrush(light_theme().accent);
    p.drawRoundedRect(QRectF(1, 1, 30, 30), 7, 7);
    p.setBrush(light_theme().surface);
    QPainterPath hole;
    hole.addEllipse(QPointF(16, 12.5), 5, 5);
    QPolygonF slot;
    slot << QPointF(14, 14) << QPointF(18, 14) << QPointF(20, 25) << QPointF(12, 25);
    hole.addPolygon(slot);
    hole.setFillRule(Qt::WindingFill);
    p.drawPath(hole);
    icon.addPixmap(pixmap);
  }
  return icon;
}

QFont code_font() {
  static const QFont font = [] {
    QFont fixed = QFontDatabase::systemFont(QFontDatabase::FixedFont);
    fixed.setPointSizeF(QApplication::font().pointSizeF());
    return fixed;
  }();
  return font;
}

QIcon action_icon(const QString& name, const QWidget& widget) {
  const QColor colour = Theme::of(widget).muted;
  return drawn([&](QPainter& p) {
    p.setPen(QPen(colour, 1.5, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
    QPainterPath path;
    const auto lines = [&](std::initializer_list<QPointF> points) {
      path.moveTo(*points.begin());
      for (const QPointF* q = points.begin() + 1; q != points.end(); ++q) path.lineTo(*q);
    };
    if (name == QLatin1String("back"))
      lines({{10, 3.5}, {5.5, 8}, {10, 12.5}});
    else if (name == QLatin1String("forward"))
      lines({{6, 3.5}, {10.5, 8}, {6, 12.5}});
    else if (name == QLatin1String("open"))
      lines({{2.5, 12.5}, {2.5, 4}, {6.5, 4}, {8, 5.5}, {13.5, 5.5}, {13.5, 12.5}, {2.5, 12.5}});
    else if (name == QLatin1String("close")) {
      lines({{4.5, 4.5}, {11.5, 11.5}});
      lines({{4.5, 11.5}, {11.5, 4.5}});
    } else if (name == QLatin1String("copy")) {
      path.addRect(5.5, 2.5, 8, 9);
      lines({{10.5, 13.5}, {2.5, 13.5}, {2.5, 5}});
    } else if (name == QLatin1String("swap")) {
      lines({{3, 5.5}, {13, 5.5}, {10.5, 3}});
      lines({{13, 10.5}, {3, 10.5}, {5.5, 13}});
    } else if (name == QLatin1String("undo")) {
      path.moveTo(3.5, 6);
      path.lineTo(10, 6);
      path.arcTo(QRectF(7, 6, 6, 6), 90, -180);
      path.lineTo(7, 12);
      lines({{6, 3.5}, {3.5, 6}, {6, 8.5}});
    } else if (name == QLatin1String("search")) {
      path.addEllipse(QPointF(7, 7), 4, 4);
      lines({{10, 10}, {13.5, 13.5}});
    } else if (name == QLatin1String("import") || name == QLatin1String("export") || name == QLatin1String("save")) {
      const bool out = name == QLatin1String("export");
      lines({{8, 2.5}, {8, 9.5}});
      if (out)
        lines({{5, 5.5}, {8, 2.5}, {11, 5.5}});
      else
        lines({{5, 6.5}, {8, 9.5}, {11, 6.5}});
      lines({{3, 10.5}, {3, 13.5}, {13, 13.5}, {13, 10.5}});
    }
    p.drawPath(path);
  });
}

}  // namespace keyhole::inspector
