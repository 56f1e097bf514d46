// SPDX-License-Identifier: Apache-2.0
// Every colour of the window stands in theme.cpp, and nowhere else (a test looks). Light or dark follows the palette of
// the desktop unless the user chose.
//
// Outcome colours are told apart under the three common kinds of colour blindness, and never stand alone: an outcome
// has a shape too (hit circle, miss triangle, guard miss diamond, bypass bar, error cross).
#pragma once

#include <QColor>
#include <QIcon>
#include <QPainter>
#include <QPalette>

#include "keyhole/base/records.h"

class QApplication;
class QWidget;

namespace keyhole::inspector {

struct Theme {
  bool dark = false;
  QColor window, surface, raised, border, grid, text, muted, faint, accent, accent_text, accent_soft;
  QColor hit, miss, guard_miss, bypass, error;
  QColor removed, added, removed_word, added_word;  ///< backgrounds of a difference
  QColor keyword, literal, comment, number;         ///< of highlighted source
  QColor series[8];                                 ///< of charts, in order

  [[nodiscard]] QColor of(Outcome outcome) const;
  /// The theme that a widget is drawn in.
  static const Theme& of(const QWidget& widget);
};

enum class Scheme { system, light, dark };

/// Sets style, palette and style sheet of the whole application.
void apply_theme(QApplication& app, Scheme scheme);

/// Draws the shape of an outcome, centred, about `size` pixels wide.
void draw_outcome(QPainter& painter, const QPointF& centre, double size, Outcome outcome, const QColor& colour);
QIcon outcome_icon(Outcome outcome, const QWidget& widget);
QIcon program_icon();

/// A fixed-width font of the size of the application's.
QFont code_font();

/// Simple icons drawn in the colour of text: "back", "forward", "open", "import", "copy", "export", "close", "search",
/// "undo", "swap", "save".
QIcon action_icon(const QString& name, const QWidget& widget);

}  // namespace keyhole::inspector
