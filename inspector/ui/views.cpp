// SPDX-License-Identifier: Apache-2.0
#include "inspector/ui/views.h"

#include <QApplication>
#include <QClipboard>
#include <QFileDialog>
#include <QFrame>
#include <QHeaderView>
#include <QMenu>
#include <QPainter>
#include <QSaveFile>
#include <QShortcut>
#include <QVBoxLayout>

#include "inspector/models/export.h"
#include "inspector/models/roles.h"
#include "inspector/models/workspace.h"
#include "inspector/ui/theme.h"

namespace keyhole::inspector {
namespace {

constexpr int kRowHeight = 25;

QModelIndexList selected_rows(const QAbstractItemView& view) {
  const QModelIndexList rows = view.selectionModel()->selectedRows();
  return rows.isEmpty() ? all_rows(*view.model()) : rows;
}

void set_up(QAbstractItemView* view, const QString& name, Workspace& workspace) {
  view->setAccessibleName(name);
  view->setItemDelegate(new CellDelegate(view));
  view->setSelectionBehavior(QAbstractItemView::SelectRows);
  view->setEditTriggers(QAbstractItemView::NoEditTriggers);
  view->setVerticalScrollMode(QAbstractItemView::ScrollPerPixel);
  view->setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
  view->setContextMenuPolicy(Qt::CustomContextMenu);
  view->setFrameShape(QFrame::NoFrame);
  auto* copy = new QShortcut(QKeySequence::Copy, view);
  copy->setContext(Qt::WidgetShortcut);
  QObject::connect(copy, &QShortcut::activated, view, [view] { copy_rows(*view, false); });
  QObject::connect(view, &QWidget::customContextMenuRequested, view, [view, &workspace](const QPoint& at) {
    auto* menu = new QMenu(view);
    menu->setAttribute(Qt::WA_DeleteOnClose);
    const QModelIndex index = view->indexAt(at);
    if (index.isValid()) {
      const QVariant exact = index.data(ExactRole);
      const QString value = exact.isValid() ? exact.toString() : index.data().toString();
      if (!value.isEmpty())
        menu->addAction(QStringLiteral("Copy this value"), view,
                        [value] { QApplication::clipboard()->setText(value); });
      if (const QString filter = index.data(FilterRole).toString(); !filter.isEmpty())
        menu->addAction(QStringLiteral("Show its lookups"), view,
                        [&workspace, filter] { workspace.go_to_rows(filter); });
    }
    menu->addAction(QStringLiteral("Copy rows"), view, [view] { copy_rows(*view, false); });
    menu->addAction(QStringLiteral("Copy rows with headers"), view, [view] { copy_rows(*view, true); });
    menu->addSeparator();
    menu->addAction(QStringLiteral("Export to CSV or JSON…"), view,
                    [view, &workspace] { export_view(*view, workspace); });
    menu->popup(view->viewport()->mapToGlobal(at));
  });
}

}  // namespace

void CellDelegate::initStyleOption(QStyleOptionViewItem* option, const QModelIndex& index) const {
  QStyledItemDelegate::initStyleOption(option, index);
  const auto* widget = option->widget;
  if (!widget) return;
  const Theme& theme = Theme::of(*widget);
  switch (CellStyle(index.data(StyleRole).toInt())) {
    case CellStyle::code:
      option->font = code_font();
      break;
    case CellStyle::muted:
      option->palette.setColor(QPalette::Text, theme.muted);
      break;
    case CellStyle::strong:
      option->font.setWeight(QFont::DemiBold);
      break;
    case CellStyle::link:
      option->palette.setColor(QPalette::Text, theme.accent);
      break;
    case CellStyle::normal:
      break;
  }
  option->palette.setColor(QPalette::HighlightedText, option->palette.color(QPalette::Text));
  option->fontMetrics = QFontMetrics(option->font);
  if (const QVariant outcome = index.data(OutcomeRole); outcome.isValid()) {
    option->icon = outcome_icon(Outcome(outcome.toInt()), *widget);
    option->decorationSize = QSize(16, 16);
    option->features |= QStyleOptionViewItem::HasDecoration;
  }
}

void CellDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const {
  if (const QVariant fraction = index.data(FractionRole); fraction.isValid() && option.widget) {
    const Theme& theme = Theme::of(*option.widget);
    QRectF bar = QRectF(option.rect).adjusted(2, 3, -2, -3);
    bar.setLeft(bar.right() - bar.width() * std::clamp(fraction.toDouble(), 0.0, 1.0));
    painter->fillRect(bar, theme.accent_soft);
  }
  QStyledItemDelegate::paint(painter, option, index);
}

QSize CellDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const {
  QSize size = QStyledItemDelegate::sizeHint(option, index);
  size.setHeight(std::max(size.height(), kRowHeight));
  return size;
}

QTableView* make_table(QAbstractItemModel* model, const QString& name, Workspace& workspace) {
  auto* view = new QTableView;
  view->setModel(model);
  set_up(view, name, workspace);
  view->setShowGrid(false);
  view->setWordWrap(false);
  view->verticalHeader()->hide();
  view->verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
  view->verticalHeader()->setDefaultSectionSize(kRowHeight);
  view->horizontalHeader()->setStretchLastSection(true);
  view->horizontalHeader()->setResizeContentsPrecision(20);
  view->horizontalHeader()->setHighlightSections(false);
  view->horizontalHeader()->setSectionsMovable(true);
  view->setTabKeyNavigation(false);
  view->setCornerButtonEnabled(false);
  return view;
}

QTreeView* make_tree(QAbstractItemModel* model, const QString& name, Workspace& workspace) {
  auto* view = new QTreeView;
  view->setModel(model);
  set_up(view, name, workspace);
  view->setUniformRowHeights(true);
  view->setAllColumnsShowFocus(true);
  view->header()->setStretchLastSection(true);
  view->header()->setResizeContentsPrecision(20);
  return view;
}

void copy_rows(const QAbstractItemView& view, bool headers) {
  QApplication::clipboard()->setText(
      QString::fromUtf8(export_rows(*view.model(), selected_rows(view), ExportFormat::tabs, headers)));
}

bool export_to(const QAbstractItemView& view, const QString& file, QString& error) {
  const bool json = file.endsWith(QLatin1String(".json"), Qt::CaseInsensitive);
  QSaveFile out(file);
  const QByteArray bytes =
      export_rows(*view.model(), selected_rows(view), json ? ExportFormat::json : ExportFormat::csv, true);
  if (out.open(QIODevice::WriteOnly) && out.write(bytes) == bytes.size() && out.commit()) return true;
  error = out.errorString();
  return false;
}

void export_view(QAbstractItemView& view, Workspace& workspace) {
  auto* dialog = new QFileDialog(view.window(), QStringLiteral("Export %1").arg(view.accessibleName()));
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setAcceptMode(QFileDialog::AcceptSave);
  dialog->setNameFilters({QStringLiteral("CSV (*.csv)"), QStringLiteral("JSON (*.json)")});
  dialog->setDefaultSuffix(QStringLiteral("csv"));
  dialog->setWindowModality(Qt::NonModal);
  QObject::connect(dialog, &QFileDialog::filterSelected, dialog, [dialog](const QString& filter) {
    dialog->setDefaultSuffix(filter.startsWith(QLatin1String("JSON")) ? QStringLiteral("json") : QStringLiteral("csv"));
  });
  QObject::connect(dialog, &QFileDialog::fileSelected, &view, [&view, &workspace](const QString& file) {
    QString error;
    if (export_to(view, file, error))
      workspace.say(QStringLiteral("Exported to %1").arg(file));
    else
      workspace.report({ErrorKind::io, "the export could not be written: " + error.toStdString(), file.toStdString(),
                        "choose another folder"});
  });
  dialog->show();
}

QLabel* make_label(const QString& text, const char* kind, QWidget* parent) {
  auto* label = new QLabel(text, parent);
  label->setObjectName(QString::fromLatin1(kind));
  label->setTextFormat(Qt::PlainText);
  return label;
}

QPushButton* make_link(const QString& text, QWidget* parent) {
  auto* button = new QPushButton(text, parent);
  button->setProperty("link", true);
  button->setCursor(Qt::PointingHandCursor);
  button->setSizePolicy(QSizePolicy::Maximum, QSizePolicy::Fixed);
  return button;
}

QFrame* make_card(const QString& heading, QWidget* parent) {
  auto* frame = new QFrame(parent);
  frame->setObjectName(QStringLiteral("card"));
  auto* layout = new QVBoxLayout(frame);
  layout->setContentsMargins(12, 10, 12, 12);
  layout->setSpacing(8);
  if (!heading.isEmpty()) layout->addWidget(make_label(heading, "heading"));
  return frame;
}

}  // namespace keyhole::inspector
