// SPDX-License-Identifier: Apache-2.0
#include "inspector/ui/views.h"

#include <QApplication>
#include <QBuffer>
#include <QClipboard>
#include <QFileDialog>
#include <QFrame>
#include <QHeaderView>
#include <QHelpEvent>
#include <QMenu>
#include <QPainter>
#include <QSaveFile>
#include <QShortcut>
#include <QToolTip>
#include <QVBoxLayout>

#include "inspector/core/format.h"
#include "inspector/models/export.h"
#include "inspector/models/paged_model.h"
#include "inspector/models/roles.h"
#include "inspector/models/workspace.h"
#include "inspector/ui/theme.h"

namespace keyhole::inspector {
namespace {

constexpr int kRowHeight = 25;
constexpr int kCellMargin = 6;
constexpr int kIcon = 16, kIconGap = 4;
constexpr int kWidest = 2'000;  // pixels that a column is ever made wide for its contents

const QFont& cell_font(CellStyle style, const QFont& normal) {
  static const QFont code = code_font();
  static const QFont strong = [&] {
    QFont font = normal;
    font.setWeight(QFont::DemiBold);
    return font;
  }();
  return style == CellStyle::code ? code : style == CellStyle::strong ? strong : normal;
}

// As much of the text as `width` pixels can show: a reason may have thousands of characters.
QString cell_text(const QModelIndex& index, int width) {
  QString text = index.data().toString();
  if (text.size() > width) text.truncate(std::max(0, width));
  text.replace(u'\n', u' ');
  return text;
}

// The selected rows from the top down, without a list of a million where all are selected.
std::vector<PagedModelBase::Span> selected_spans(const QAbstractItemView& view) {
  std::vector<PagedModelBase::Span> spans;
  for (const QItemSelectionRange& range : view.selectionModel()->selection())
    spans.push_back({range.top(), range.height()});
  std::sort(spans.begin(), spans.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  return spans;
}

qint64 rows_in(const std::vector<PagedModelBase::Span>& spans) {
  qint64 rows = 0;
  for (const auto& span : spans) rows += span.count;
  return rows;
}

constexpr qint64 kMostCopied = 200'000;  // rows that the clipboard takes

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
  QObject::connect(copy, &QShortcut::activated, view, [view, &workspace] { copy_rows(*view, false, &workspace); });
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
    menu->addAction(QStringLiteral("Copy rows"), view, [view, &workspace] { copy_rows(*view, false, &workspace); });
    menu->addAction(QStringLiteral("Copy rows with headers"), view,
                    [view, &workspace] { copy_rows(*view, true, &workspace); });
    menu->addSeparator();
    menu->addAction(QStringLiteral("Export to CSV or JSON…"), view,
                    [view, &workspace] { export_view(*view, workspace); });
    menu->popup(view->viewport()->mapToGlobal(at));
  });
}

}  // namespace

void CellDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const {
  if (!option.widget) return;
  const Theme& theme = Theme::of(*option.widget);
  QRect room = option.rect;
  if (option.state & QStyle::State_Selected) painter->fillRect(room, theme.accent_soft);
  if (const QVariant fraction = index.data(FractionRole); fraction.isValid()) {
    QRectF bar = QRectF(room).adjusted(2, 3, -2, -3);
    bar.setLeft(bar.right() - bar.width() * std::clamp(fraction.toDouble(), 0.0, 1.0));
    painter->fillRect(bar, option.state & QStyle::State_Selected ? theme.border : theme.accent_soft);
  }
  room.adjust(kCellMargin, 0, -kCellMargin, 0);
  if (const QVariant outcome = index.data(OutcomeRole); outcome.isValid()) {
    const auto which = Outcome(outcome.toInt());
    draw_outcome(*painter, QPointF(room.left() + kIcon / 2.0, room.center().y() + 0.5), 10, which, theme.of(which));
    room.setLeft(room.left() + kIcon + kIconGap);
  }
  QString text = cell_text(index, room.width());
  if (text.isEmpty()) return;
  const auto style = CellStyle(index.data(StyleRole).toInt());
  painter->setFont(cell_font(style, option.font));
  painter->setPen(!(option.state & QStyle::State_Enabled) ? theme.faint
                  : style == CellStyle::muted             ? theme.muted
                  : style == CellStyle::link              ? theme.accent
                                                          : theme.text);
  const QFontMetrics metrics = painter->fontMetrics();
  int width = metrics.horizontalAdvance(text);
  if (width > room.width()) {
    text = metrics.elidedText(text, option.textElideMode, room.width());
    width = room.width();
  }
  const bool right = index.data(Qt::TextAlignmentRole).toInt() & Qt::AlignRight;
  const int top = room.top() + (room.height() - metrics.height()) / 2;
  painter->drawText(QPoint(right ? room.right() + 1 - width : room.left(), top + metrics.ascent()), text);
}

QSize CellDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const {
  const QFontMetrics metrics(cell_font(CellStyle(index.data(StyleRole).toInt()), option.font));
  int width = metrics.horizontalAdvance(cell_text(index, kWidest)) + 2 * kCellMargin;
  if (index.data(OutcomeRole).isValid()) width += kIcon + kIconGap;
  return {width, std::max(metrics.height() + 6, kRowHeight)};
}

bool CellDelegate::helpEvent(QHelpEvent* event, QAbstractItemView* view, const QStyleOptionViewItem& option,
                             const QModelIndex& index) {
  const QString text = index.data().toString();
  if (event->type() == QEvent::ToolTip && index.isValid() && !index.data(Qt::ToolTipRole).isValid() &&
      sizeHint(option, index).width() > option.rect.width()) {
    QToolTip::showText(event->globalPos(), text.left(kWidest), view);
    return true;
  }
  return QStyledItemDelegate::helpEvent(event, view, option, index);
}

namespace {

// A frame around the current row tells where the keys go.
template <class View>
class RowView : public View {
 protected:
  void draw_focus(QPainter& painter) const {
    if (!this->hasFocus()) return;
    painter.setPen(Theme::of(*this).accent);
    painter.setBrush(Qt::NoBrush);
    painter.drawRect((this->currentIndex().isValid() ? row_rect(this->currentIndex()) : this->viewport()->rect())
                         .adjusted(0, 0, -1, -1));
  }
  void currentChanged(const QModelIndex& now, const QModelIndex& before) override {
    View::currentChanged(now, before);
    for (const QModelIndex& index : {now, before})
      if (index.isValid()) this->viewport()->update(row_rect(index));
  }

 private:
  QRect row_rect(const QModelIndex& index) const {
    const int width = this->viewport()->width();
    if constexpr (std::is_base_of_v<QTableView, View>) {  // the index may be of a hidden column
      return {0, this->rowViewportPosition(index.row()), width, this->rowHeight(index.row())};
    } else {
      const QRect cell = this->visualRect(index);
      return {0, cell.top(), width, cell.height()};
    }
  }
};

// Paints through the delegate alone. QTableView asks the style for the background of each cell besides, which takes a
// style sheet longer than the text does.
class Table : public RowView<QTableView> {
 protected:
  void paintEvent(QPaintEvent* event) override {
    if (!model()) return;
    QPainter painter(viewport());
    QStyleOptionViewItem option;
    initViewItemOption(&option);
    const QStyle::State state = option.state & ~(QStyle::State_HasFocus | QStyle::State_Selected);
    const QHeaderView& header = *horizontalHeader();
    for (const QRect& dirty : event->region()) {
      const int first = rowAt(dirty.top()), below = rowAt(dirty.bottom());
      if (first < 0) continue;
      const int last = below < 0 ? model()->rowCount() - 1 : below;
      for (int row = first; row <= last; ++row) {
        const bool selected = selectionModel()->isSelected(model()->index(row, 0));
        option.state = selected ? state | QStyle::State_Selected : state;
        const int top = rowViewportPosition(row), height = rowHeight(row);
        for (int column = 0; column < header.count(); ++column) {
          option.rect = {columnViewportPosition(column), top, columnWidth(column), height};
          if (header.isSectionHidden(column) || !option.rect.intersects(dirty)) continue;
          painter.setClipRect(option.rect & dirty);
          itemDelegate()->paint(&painter, option, model()->index(row, column));
        }
      }
    }
    painter.setClipping(false);
    draw_focus(painter);
  }
};

class Tree : public RowView<QTreeView> {
 protected:
  void paintEvent(QPaintEvent* event) override {
    QTreeView::paintEvent(event);
    QPainter painter(viewport());
    draw_focus(painter);
  }
};

}  // namespace

QTableView* make_table(QAbstractItemModel* model, const QString& name, Workspace& workspace) {
  auto* view = new Table;
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
  auto* view = new Tree;
  view->setModel(model);
  set_up(view, name, workspace);
  view->setUniformRowHeights(true);
  view->setAllColumnsShowFocus(true);
  view->header()->setStretchLastSection(true);
  view->header()->setResizeContentsPrecision(20);
  return view;
}

void copy_rows(const QAbstractItemView& view, bool headers, Workspace* workspace) {
  auto* paged = qobject_cast<PagedModelBase*>(view.model());
  auto spans = selected_spans(view);
  if (!paged || (!spans.empty() && paged->at_hand(spans))) {
    const QModelIndexList rows = view.selectionModel()->selectedRows();
    QApplication::clipboard()->setText(QString::fromUtf8(
        export_rows(*view.model(), rows.isEmpty() ? all_rows(*view.model()) : rows, ExportFormat::tabs, headers)));
    return;
  }
  if (const qint64 wanted = spans.empty() ? paged->counted_so_far() : rows_in(spans); wanted > kMostCopied) {
    if (workspace)
      workspace->say(QStringLiteral("The clipboard takes %1 rows at most. Export the table to a file instead (Ctrl+E).")
                         .arg(count_text(kMostCopied)));
    return;
  }
  auto buffer = std::make_unique<QBuffer>();
  buffer->open(QIODevice::WriteOnly);
  const QBuffer* bytes = buffer.get();
  auto writer = std::make_shared<RowWriter>(std::move(buffer), ExportFormat::tabs, column_titles(*paged), headers);
  paged->write_rows(std::move(spans), writer, [bytes, writer, workspace](const Result<qint64>& rows, bool done) {
    if (!rows) {
      if (workspace) workspace->report(rows.error());
      return;
    }
    if (!done) return;
    writer->finish();
    QApplication::clipboard()->setText(QString::fromUtf8(bytes->data()));
    if (workspace && *rows > 1) workspace->say(QStringLiteral("Copied %1 rows").arg(count_text(*rows)));
  });
}

void export_to(const QAbstractItemView& view, const QString& file, Workspace& workspace) {
  const auto failed = [&workspace, file](const QString& why) {
    workspace.report({ErrorKind::io, "the export could not be written: " + why.toStdString(), file.toStdString(),
                      "choose another folder"});
  };
  auto out = std::make_unique<QSaveFile>(file);
  if (!out->open(QIODevice::WriteOnly)) return failed(out->errorString());
  const bool json = file.endsWith(QLatin1String(".json"), Qt::CaseInsensitive);
  auto writer = std::make_shared<RowWriter>(std::move(out), json ? ExportFormat::json : ExportFormat::csv,
                                            column_titles(*view.model()), true);
  const auto finish = [writer, failed, file, &workspace] {
    const bool whole = writer->finish();
    auto& saved = static_cast<QSaveFile&>(writer->device());
    if (!whole || !saved.commit()) return failed(saved.errorString());
    workspace.say(QStringLiteral("Exported %1 to %2")
                      .arg(plural(writer->rows(), QStringLiteral("row"), QStringLiteral("rows")), file));
  };
  auto spans = selected_spans(view);
  if (rows_in(spans) <= 1) spans.clear();  // where one merely stands
  if (auto* paged = qobject_cast<PagedModelBase*>(view.model())) {
    paged->write_rows(std::move(spans), writer, [finish, file, &workspace](const Result<qint64>& rows, bool done) {
      if (!rows) return workspace.report(rows.error());
      if (done) return finish();
      workspace.say(QStringLiteral("Exporting to %1: %2 rows so far…").arg(file, count_text(*rows)));
    });
    return;
  }
  for (const QModelIndex& row : spans.empty() ? all_rows(*view.model()) : view.selectionModel()->selectedRows()) {
    QStringList fields;
    for (int c = 0; c < view.model()->columnCount(); ++c) fields << exact_text(row.siblingAtColumn(c));
    writer->row(fields);
  }
  finish();
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
  QObject::connect(dialog, &QFileDialog::fileSelected, &view,
                   [&view, &workspace](const QString& file) { export_to(view, file, workspace); });
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
