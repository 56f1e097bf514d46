// SPDX-License-Identifier: Apache-2.0
#include "inspector/ui/history_page.h"

#include <QCheckBox>
#include <QDateTime>
#include <QHeaderView>
#include <QLabel>
#include <QSplitter>
#include <QStackedWidget>
#include <QTimer>
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
    : Page(workspace, parent),
      model_(new LookupModel(this)),
      view_(make_table(model_, QStringLiteral("Lookups"), workspace)),
      count_(make_label({}, "muted")),
      empty_(new EmptyState(QStringLiteral("No lookup passes the filter"),
                            QStringLiteral("Remove a condition, or record a run:  keyhole record -- python train.py"))),
      stack_(new QStackedWidget) {
  clear_filter_ = empty_->add_action(QStringLiteral("Clear the filter"), [this] { workspace_.set_filter({}); });
  view_->setSelectionMode(QAbstractItemView::ExtendedSelection);
  view_->setSortingEnabled(true);
  view_->sortByColumn(int(LookupColumn::time), Qt::DescendingOrder);
  const int widths[kLookupColumns] = {76, 112, 132, 64, 150, 46, 110, 92, 70, 70, 70, 200};
  for (int c = 0; c < kLookupColumns; ++c) view_->setColumnWidth(c, widths[c]);
  if (compact) {
    for (const auto hidden : {LookupColumn::time, LookupColumn::rank, LookupColumn::function, LookupColumn::key,
                              LookupColumn::saved, LookupColumn::duration, LookupColumn::reason})
      view_->setColumnHidden(int(hidden), true);
    const std::pair<LookupColumn, int> narrow[] = {{LookupColumn::outcome, 108},
                                                   {LookupColumn::layer, 140},
                                                   {LookupColumn::cost, 66},
                                                   {LookupColumn::compile, 66}};
    for (const auto& [column, width] : narrow) view_->setColumnWidth(int(column), width);
    view_->horizontalHeader()->setStretchLastSection(false);
    view_->horizontalHeader()->setSectionResizeMode(int(LookupColumn::run), QHeaderView::Stretch);
    view_->horizontalHeader()->moveSection(view_->horizontalHeader()->visualIndex(int(LookupColumn::cost)), 3);
    view_->horizontalHeader()->moveSection(view_->horizontalHeader()->visualIndex(int(LookupColumn::run)),
                                           kLookupColumns - 1);
    view_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  }
  stack_->addWidget(view_);
  stack_->addWidget(empty_);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(2);
  layout->addWidget(stack_);
  auto* foot = new QHBoxLayout;
  foot->setContentsMargins(8, 2, 8, 2);
  foot->addWidget(count_);
  foot->addStretch();
  const auto step = [&](const QString& icon, const QString& name, int by) {
    auto* button = new QToolButton;
    button->setIcon(action_icon(icon, *this));
    button->setAccessibleName(name);
    button->setToolTip(name);
    button->hide();
    foot->addWidget(button);
    connect(button, &QToolButton::clicked, this,
            [this, by] { model_->set_stretch(model_->stretch() + by * LookupModel::kStretch); });
    return button;
  };
  earlier_ = step(QStringLiteral("back"), QStringLiteral("The rows before these"), -1);
  later_ = step(QStringLiteral("forward"), QStringLiteral("The rows after these"), 1);
  layout->addLayout(foot);

  connect(view_->selectionModel(), &QItemSelectionModel::currentRowChanged, this, [this](const QModelIndex& now) {
    if (const QVariant id = now.data(IdRole); id.isValid()) workspace_.select(id.toLongLong());
  });
  connect(view_, &QTableView::activated, this, [this](const QModelIndex& index) {
    if (const QVariant id = index.data(IdRole); id.isValid()) workspace_.explain(id.toLongLong());
  });
  connect(model_, &PagedModelBase::loaded, this, [this] {
    const bool filtered = !workspace_.good_filter().empty();
    empty_->set(filtered ? QStringLiteral("No lookup passes the filter") : QStringLiteral("No lookup was recorded yet"),
                filtered ? QStringLiteral("Remove a condition, or record a run:  keyhole record -- python train.py")
                         : QStringLiteral("Run your program under  keyhole record -- python train.py\n"
                                          "or drop a trace folder here."));
    clear_filter_->setVisible(filtered);
    stack_->setCurrentIndex(model_->rowCount() == 0 ? 1 : 0);
    sought_ = 0;
    follow_selection();
    show_count();
  });
  connect(model_, &PagedModelBase::asked, this, &LookupTable::show_count);
  connect(model_, &PagedModelBase::counted, this, &LookupTable::show_count);
  connect(model_, &PagedModelBase::rowsInserted, this, &LookupTable::follow_selection);
  connect(model_, &PagedModelBase::counting, this, &LookupTable::show_count);
  connect(model_, &PagedModelBase::modelReset, this, &LookupTable::show_count);
  connect(model_, &PagedModelBase::dataChanged, this, &LookupTable::follow_selection);
  connect(model_, &PagedModelBase::failed, &workspace_, &Workspace::failed);
  connect(&workspace_, &Workspace::filter_changed, this, [this] {
    if (!workspace_.filter().error) touch();
  });
  connect(&workspace_, &Workspace::selection_changed, this, &LookupTable::follow_selection);
}

void LookupTable::clear() {
  model_->set_session(nullptr);
}

void LookupTable::load() {
  LookupQuery query = model_->query();
  const Filter& filter = workspace_.good_filter();
  const bool other = filter.source != filter_;
  filter_ = filter.source;
  query.filter = filter.root;
  if (model_->session() != workspace_.session()) {
    model_->set_query(std::move(query));
    model_->set_session(workspace_.session());
  } else if (other) {
    model_->set_query(std::move(query));
  } else {
    model_->reload();
  }
}

void LookupTable::follow_selection() {
  const RowId id = workspace_.selected();
  const int row = model_->row_of(id);
  if (row >= 0 && view_->currentIndex().row() != row) show_row(row);
  if (id == 0 || id == sought_ || !workspace_.session()) return;
  sought_ = id;  // later the table may be scrolled away from it
  if (row >= 0) return scroll_to(row);
  workspace_.session()->ask(
      Session::Lane::scan, this, 0,
      [query = model_->query(), id](Source& source, const Ticket&) { return source.position(query, id); },
      [this, id](const Result<std::optional<std::int64_t>>& position) {
        if (!position || !*position || id != workspace_.selected()) return;
        const std::int64_t place = **position - model_->stretch();
        if (place < 0 || place >= model_->kStretch) return;
        if (place >= model_->rowCount()) {
          sought_ = 0;  // as soon as it is counted that far
          return;
        }
        show_row(int(place));
        scroll_to(int(place));
      });
}

// Once the view has the size that it is shown in.
void LookupTable::scroll_to(int row) {
  constexpr int kSeen = int(LookupColumn::outcome);  // to a hidden column a view does not scroll
  QTimer::singleShot(0, view_, [this, row] {
    if (view_->currentIndex().row() != row) return;
    QMetaObject::invokeMethod(view_, "updateGeometries");  // a view just filled knows no range yet to scroll in
    view_->scrollTo(model_->index(row, kSeen), QAbstractItemView::PositionAtCenter);
  });
}

void LookupTable::show_row(int row) {
  const QSignalBlocker block(view_->selectionModel());
  view_->setCurrentIndex(model_->index(row, 0));
  view_->viewport()->update();
}

void LookupTable::show_count() {
  const qint64 total = model_->total(), so_far = model_->counted_so_far(), first = model_->stretch();
  QString text = total >= 0   ? plural(total, QStringLiteral("lookup"), QStringLiteral("lookups"))
                 : so_far > 0 ? QStringLiteral("more than %1 lookups").arg(count_text(so_far))
                              : QStringLiteral("counting");
  if (total >= 0 && !workspace_.good_filter().empty()) text += QStringLiteral(" pass the filter");
  if (total < 0) text += QStringLiteral("…");
  // Without an index an order takes seconds of a store of millions; what is seen meanwhile is not in it.
  if (model_->is_waiting() && model_->rowCount() > 0)
    text += QStringLiteral("  ·  putting them in order by %1; until then the rows before stay")
                .arg(model_->headerData(int(model_->query().sort), Qt::Horizontal, Qt::DisplayRole).toString());
  const bool stretches = so_far > LookupModel::kStretch;
  if (stretches)
    text += QStringLiteral("  ·  here %1 to %2")
                .arg(count_text(first + 1), count_text(std::min(so_far, first + LookupModel::kStretch)));
  count_->setText(text);
  earlier_->setVisible(stretches);
  later_->setVisible(stretches);
  earlier_->setEnabled(first > 0);
  later_->setEnabled(first + LookupModel::kStretch < so_far);
}

TimelinePanel::TimelinePanel(Workspace& workspace, QWidget* parent)
    : Page(workspace, parent),
      view_(new TimelineView),
      aligned_(new QCheckBox(QStringLiteral("Align runs at their start"))),
      note_(make_label({}, "muted")),
      moved_(new QTimer(this)) {
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
  moved_->setSingleShot(true);
  moved_->setInterval(120);
  connect(moved_, &QTimer::timeout, this, &TimelinePanel::touch);
  connect(view_, &TimelineView::window_changed, this, [this] {
    if (view_->timeline()->is_part()) moved_->start();
  });
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

void TimelinePanel::clear() {
  view_->set_timeline(nullptr);
}

void TimelinePanel::load() {
  const FilterNode filter = workspace_.good_filter().root;
  const bool aligned = aligned_->isChecked();
  const TimelinePtr shown = view_->timeline();
  if (!shown) view_->set_empty_text(QStringLiteral("Loading…"));
  std::optional<TimeSpan> window;
  if (shown && shown->is_part() && shown->aligned() == aligned && !view_->shows_all())
    window = {view_->visible_begin(), view_->visible_end()};
  workspace_.session()->ask(
      Session::Lane::scan, this, 0,
      [filter, aligned, window](Source& s, const Ticket& t) { return s.timeline(filter, aligned, window, t); },
      [this](const Result<TimelinePtr>& answer) {
        if (!answer) return workspace_.report(answer.error());
        const Timeline& timeline = **answer;
        view_->set_empty_text(QStringLiteral("No lookup with a known time"));
        view_->set_timeline(*answer);
        view_->set_selected(workspace_.selected());
        QStringList notes;
        if (!timeline.is_complete()) notes << QStringLiteral("reading…");
        if (timeline.more_runs() > 0)
          notes << (timeline.aligned() ? QStringLiteral("the newest runs; %1 more")
                                       : QStringLiteral("the newest runs in view; %1 more: zoom in"))
                       .arg(count_text(timeline.more_runs()));
        if (timeline.without_time() > 0)
          notes << QStringLiteral("%1 without a time")
                       .arg(plural(timeline.without_time(), QStringLiteral("lookup"), QStringLiteral("lookups")));
        note_->setText(notes.join(QStringLiteral("  ·  ")));
        if (!timeline.is_complete()) touch();
      });
}

HistoryPage::HistoryPage(Workspace& workspace, QWidget* parent)
    : QWidget(parent), table_(new LookupTable(workspace, false)), timeline_(new TimelinePanel(workspace)) {
  auto* splitter = new QSplitter(Qt::Vertical);
  splitter->addWidget(table_);
  splitter->addWidget(timeline_);
  splitter->setSizes({420, 240});
  splitter->setChildrenCollapsible(false);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(8, 8, 8, 8);
  layout->addWidget(splitter);
}

}  // namespace keyhole::inspector
