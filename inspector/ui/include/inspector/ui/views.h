// SPDX-License-Identifier: Apache-2.0
// Tables and trees as the window has them: delegate, columns, copying and export, keys.
#pragma once

#include <QLabel>
#include <QPushButton>
#include <QStyledItemDelegate>
#include <QTableView>
#include <QTreeView>

class QFrame;

namespace keyhole::inspector {

class Workspace;

/// Draws cells by what their roles say (models/roles.h), in the colours of the theme and past the style: a style sheet
/// would be asked several times a cell.
class CellDelegate : public QStyledItemDelegate {
  Q_OBJECT
 public:
  using QStyledItemDelegate::QStyledItemDelegate;
  void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
  QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;
  /// What is cut short in its cell is shown whole under the pointer, where the model has nothing more to say.
  bool helpEvent(QHelpEvent* event, QAbstractItemView* view, const QStyleOptionViewItem& option,
                 const QModelIndex& index) override;
};

/// A table over a model, with `name` for those who cannot see it.
QTableView* make_table(QAbstractItemModel* model, const QString& name, Workspace& workspace);
QTreeView* make_tree(QAbstractItemModel* model, const QString& name, Workspace& workspace);

/// Copies the selected rows of a view as tab-separated text; all rows where none is selected. Rows that are not at hand
/// are read first, without blocking: then `workspace`, where there is one, tells when they are in the clipboard.
void copy_rows(const QAbstractItemView& view, bool headers, Workspace* workspace = nullptr);
/// Asks for a file name in a window that does not block, and writes what the view holds.
void export_view(QAbstractItemView& view, Workspace& workspace);
/// Writes what the view holds (several rows selected: these), as CSV or, where the name ends in .json, as JSON. Does
/// not block; `workspace` tells how it went.
void export_to(const QAbstractItemView& view, const QString& file, Workspace& workspace);

/// A label of one of the kinds of the style sheet: "muted", "faint", "figure", "heading", "sentence", "title".
QLabel* make_label(const QString& text, const char* kind = "", QWidget* parent = nullptr);
/// A push button that looks like a link.
QPushButton* make_link(const QString& text, QWidget* parent = nullptr);
/// A framed panel with a heading; the content goes into its layout.
QFrame* make_card(const QString& heading, QWidget* parent = nullptr);

}  // namespace keyhole::inspector
