// SPDX-License-Identifier: Apache-2.0
#include "inspector/ui/history_page.h"

#include <QCheckBox>
#include <QDateTime>
#include <QHeaderView>
#include <QLabel>
#include <QSplitter>
#include <QStackedWidget>
#include <QToolButton>
#include <QVBoxLayout>

#include "inspector/core/format.h"
#include "inspector/models/lookup_model.h"
#include "inspector/ui/bars.h"
#include "inspector/ui/charts.h"
#include "inspector/ui/theme.h"
#include "inspector/ui/timeline_view.h"
#include "inspector/ui/views.h"

namespace keyhole::inspector {

LookupTable::LookupTable(Workspace& workspace, bool compact, QWidget* parent)
    : QWidget(parent), workspace_(workspace), model_(new LookupModel(this)),
      view_(make_table(model_, QStringLiteral("Lookups"), workspace)), count_(make_label({}, "muted")),
      empty_(new EmptyState(QStringLiteral("No lookup passes the filter"),
                            QStringLiteral("Remove a condition, or record a run:  keyhole record -- python train.py"))),
      stack_(new QStackedWidget) {
  empty_->add_action(QStringLiteral("Clear the filter"), [this] { workspace_.set_filter({}); });
  view_->setSelectionMode(QAbstractItemView::ExtendedSelection);
  view_->setSortingEnabled(true);
  view_->sortByColumn(int(LookupColumn::time), Qt::DescendingOrder);
  const int widths[kLookupColumns] = {84, 96, 128, 66, 110, 46, 130, 92, 76, 76, 76, 200};
  for (int c = 0; c < kLookupColumns; ++c) view_->setColumnWidth(c, widths[c]);
  if (compact) {
    for (const auto hidden : {LookupColumn::rank, LookupColumn::function, LookupColumn::key, LookupColumn::saved,
                              LookupColumn::duration, LookupColumn::reason})
      view_->setColumnHidden(int(hidden), true);
    const std::pair<LookupColumn, int> narrow[] = {{LookupColumn::outcome, 94}, {LookupColumn::layer, 122}, {LookupColumn::compile, 56},
                                                   {LookupColumn::run, 76},     {LookupColumn::cost, 64},   {LookupColumn::time, 70}};
    for (const auto& [column, width] : narrow) view_->setColumnWidth(int(column), width);
    view_->horizontalHeader()->moveSection(view_->horizontalHeader()->visualIndex(int(LookupColumn::cost)), 3);
    view_->horizontalHeader()->moveSection(view_->horizontalHeader()->visualIndex(int(LookupColumn::time)), kLookupColumns - 1);
  }
  stack_->addWidget(view_);
  stack_->addWidget(empty_);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(2);
  layout->addWidget(stack_);
  count_->setContentsMargins(8, 2, 8, 2);
  layout->addWidget(count_);

  connect(view_->selectionModel(), &QItemSelectionModel::currentRowChanged, this, [this](const QModelIndex& now) {
    if (const QVariant id = now.data(IdRole); id.isValid()) workspace_.select(id.toLongLong());
  });
  connect(view_, &QTableView::activated, this, [this](const QModelIndex& index) {
    if (const QVariant id = index.data(IdRole); id.isValid()) workspace_.explain(id.toLongLong());
  });
  connect(model_, &PagedModelBase::loaded, this, [this] {
    stack_->setCurrentIndex(model_->rowCount() == 0 ? 1 : 0);
    follow_selection();
    show_count();
  });
  connect(model_, &PagedModelBase::counted, this, &LookupTable::show_count);
  connect(model_, &PagedModelBase::dataChanged, this, &LookupTable::follow_selection);
  connect(model_, &PagedModelBase::failed, &workspace_, &Workspace::failed);
  connect(&workspace_, &Workspace::store_changed, this, [this] {
    LookupQuery query = model_->query();
    query.filter = {};
    model_->set_session(nullptr);
    model_->set_query(query);
    model_->set_session(workspace_.session());
  });
  connect(&workspace_, &Workspace::filter_changed, this, [this] {
    if (!workspace_.session() || workspace_.filter().error) return;
    LookupQuery query = model_->query();
    query.filter = workspace_.good_filter().root;
    model_->set_query(std::move(query));
  });
  connect(&workspace_, &Workspace::rows_changed, model_, &PagedModelBase::reload);
  connect(&workspace_, &Workspace::selection_changed, this, &LookupTable::follow_selection);
}

void LookupTable::follow_selection() {
  const int row = model_->row_of(workspace_.selected());
  if (row < 0 || view_->currentIndex().row() == row) return;
  const QSignalBlocker block(view_->selectionModel());
  view_->setCurrentIndex(model_->index(row, 0));
  view_->viewport()->update();
}

void LookupTable::show_count() {
  const qint64 total = model_->total();
  count_->setText(total < 0 ? QStringLiteral("counting…")
                            : plural(total, QStringLiteral("lookup"), QStringLiteral("lookups")) +
                                  (workspace_.good_filter().empty() ? QString() : QStringLiteral(" pass the filter")));
}

TimelinePanel::TimelinePanel(Workspace& workspace, QWidget* parent)
    : Page(workspace, parent), view_(new TimelineView), aligned_(new QCheckBox(QStringLiteral("Align runs at their start"))),
      note_(make_label({}, "muted")) {
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(0);
  auto* bar = new QHBoxLayout;
  bar->setContentsMargins(8, 4, 8, 4);
  bar->addWidget(make_label(QStringLiteral("Timeline"), "heading"));
  bar->addSpacing(10);
  bar->addWidget(new OutcomeLegend);
  bar->addStretch();
  bar->addWidget(note_);
  aligned_->setChecked(true);
  aligned_->setAccessibleName(aligned_->text());
  bar->addWidget(aligned_);
  auto* all = new QToolButton;
  all->setText(QStringLiteral("Show all"));
  all->setAccessibleName(QStringLiteral("Show the whole timeline"));
  all->setToolTip(QStringLiteral("0 or Home"));
  bar->addWidget(all);
  layout->addLayout(bar);
  layout->addWidget(view_, 1);
  view_->setToolTip(QString());
  connect(all, &QToolButton::clicked, view_, &TimelineView::show_all);
  connect(aligned_, &QCheckBox::toggled, this, &TimelinePanel::touch);
  connect(view_, &TimelineView::selected_changed, &workspace_, &Workspace::select);
  connect(view_, &TimelineView::explain_requested, &workspace_, &Workspace::explain);
  connect(view_, &TimelineView::range_marked, this, [this](qint64 begin, qint64 end) {
    if (view_->timeline()->aligned()) {
      note_->setText(QStringLiteral("marked: %1").arg(seconds_text(double(end - begin) * 1e-9)));
      return;
    }
    const auto text = [](qint64 t) {
      return QDateTime::fromMSecsSinceEpoch(t / 1'000'000).toString(QStringLiteral("yyyy-MM-dd HH:mm:ss"));
    };
    workspace_.go_to_rows(QStringLiteral("time>=\"%1\" time<\"%2\"").arg(text(begin), text(end + 999'999'999)));
  });
  connect(&workspace_, &Workspace::filter_changed, this, &TimelinePanel::touch);
  connect(&workspace_, &Workspace::selection_changed, view_, &TimelineView::set_selected);
}

void TimelinePanel::clear() { view_->set_timeline(nullptr); }

void TimelinePanel::load() {
  const FilterNode filter = workspace_.good_filter().root;
  const bool aligned = aligned_->isChecked();
  if (!view_->timeline()) view_->set_empty_text(QStringLiteral("Loading…"));
  workspace_.session()->ask(
      Session::Lane::slow, this, 0, [filter, aligned](Source& s, const Ticket& t) { return s.timeline(filter, aligned, t); },
      [this](const Result<TimelinePtr>& timeline) {
        if (!timeline) return workspace_.report(timeline.error());
        view_->set_empty_text(QStringLiteral("No lookup with a known time"));
        view_->set_timeline(*timeline);
        view_->set_selected(workspace_.selected());
        const auto lost = (*timeline)->without_time();
        note_->setText(lost > 0 ? QStringLiteral("%1 without a time").arg(plural(lost, QStringLiteral("lookup"), QStringLiteral("lookups"))) : QString());
      });
}

HistoryPage::HistoryPage(Workspace& workspace, QWidget* parent)
    : QWidget(parent), splitter_(new QSplitter(Qt::Vertical)), table_(new LookupTable(workspace, false)),
      timeline_(new TimelinePanel(workspace)) {
  splitter_->addWidget(table_);
  splitter_->addWidget(timeline_);
  splitter_->setSizes({420, 240});
  splitter_->setChildrenCollapsible(false);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(8, 8, 8, 8);
  layout->addWidget(splitter_);
}

}  // namespace keyhole::inspector
