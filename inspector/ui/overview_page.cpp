// SPDX-License-Identifier: Apache-2.0
#include "inspector/ui/overview_page.h"

#include <QComboBox>
#include <QDateTime>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QScrollArea>
#include <QStackedWidget>
#include <QVBoxLayout>

#include "inspector/core/format.h"
#include "inspector/models/node_model.h"
#include "inspector/ui/bars.h"
#include "inspector/ui/charts.h"
#include "inspector/ui/views.h"

namespace keyhole::inspector {
namespace {

enum OverviewChannel { kOverview, kCauses };
constexpr std::size_t kExplained = 400;  // the newest misses that the causes are taken from

QString time_filter(qint64 begin, qint64 end) {
  const auto text = [](qint64 t) {
    return QDateTime::fromMSecsSinceEpoch(t / 1'000'000).toString(QStringLiteral("yyyy-MM-dd HH:mm:ss"));
  };
  constexpr qint64 kSecond = 1'000'000'000;
  return QStringLiteral("time>=\"%1\" time<\"%2\"")
      .arg(text(begin), text(std::max(end, begin + kSecond) + kSecond - 1));
}

}  // namespace

OverviewPage::OverviewPage(Workspace& workspace, QWidget* parent)
    : Page(workspace, parent),
      stack_(new QStackedWidget),
      empty_(new EmptyState(QStringLiteral("Nothing recorded yet"),
                            QStringLiteral("Run your program under  keyhole record -- python train.py\n"
                                           "or drop a trace folder, a cache folder or a mega-cache file here."))),
      chart_(new OutcomeChart),
      chart_layer_(new QComboBox),
      layers_(new LayerChart),
      causes_(new NodeModel({QStringLiteral("Lost"), QStringLiteral("Lookups"), QStringLiteral("Cause"),
                             QStringLiteral("Before → after")},
                            this)),
      runs_(new NodeModel(
          {QStringLiteral("Run"), QStringLiteral("Start"), QStringLiteral("Lookups"), QStringLiteral("Hits"),
           QStringLiteral("Misses"), QStringLiteral("Bypassed"), QStringLiteral("Lost"), QStringLiteral("Command")},
          this)) {
  newest_ = make_label({}, "muted");
  auto* content = new QWidget;
  auto* layout = new QVBoxLayout(content);
  layout->setContentsMargins(16, 14, 16, 16);
  layout->setSpacing(12);

  auto* figures = new QHBoxLayout;
  figures->setSpacing(12);
  hit_rate_ = add_figure(figures, QStringLiteral("Hit rate"), QStringLiteral("outcome:hit"));
  misses_ = add_figure(figures, QStringLiteral("Misses"), QStringLiteral("outcome:miss OR outcome:guard_miss"));
  lost_ = add_figure(figures, QStringLiteral("Lost to misses"), QStringLiteral("cost>0s -outcome:hit"));
  saved_ = add_figure(figures, QStringLiteral("Saved by hits"), QStringLiteral("saved>0s"));
  bypasses_ = add_figure(figures, QStringLiteral("Bypassed"), QStringLiteral("outcome:bypass"));
  layout->addLayout(figures);

  auto* charts = new QHBoxLayout;
  charts->setSpacing(12);
  auto* over_time = make_card({});
  auto* head = new QHBoxLayout;
  head->addWidget(make_label(QStringLiteral("Lookups over time"), "heading"));
  head->addWidget(newest_);
  head->addStretch();
  head->addWidget(new OutcomeLegend);
  chart_layer_->setAccessibleName(QStringLiteral("Layer of the chart"));
  chart_layer_->setSizeAdjustPolicy(QComboBox::AdjustToContents);
  head->addWidget(chart_layer_);
  qobject_cast<QVBoxLayout*>(over_time->layout())->addLayout(head);
  over_time->layout()->addWidget(chart_);
  charts->addWidget(over_time, 3);
  auto* by_layer = make_card(QStringLiteral("By layer"));
  by_layer->layout()->addWidget(layers_);
  qobject_cast<QVBoxLayout*>(by_layer->layout())->addStretch();
  charts->addWidget(by_layer, 2);
  layout->addLayout(charts);

  auto* cause_card = make_card(QStringLiteral("What costs most"));
  causes_view_ = make_table(causes_, QStringLiteral("Causes by seconds lost"), workspace_);
  causes_note_ = make_label({}, "muted");
  cause_card->layout()->addWidget(causes_view_);
  cause_card->layout()->addWidget(causes_note_);
  layout->addWidget(cause_card, 3);

  auto* run_card = make_card(QStringLiteral("Runs"));
  runs_view_ = make_table(runs_, QStringLiteral("Runs"), workspace_);
  runs_view_->setSortingEnabled(true);
  runs_view_->horizontalHeader()->setSortIndicator(-1, Qt::DescendingOrder);
  run_card->layout()->addWidget(runs_view_);
  runs_note_ = make_label({}, "muted");
  runs_note_->hide();
  run_card->layout()->addWidget(runs_note_);
  layout->addWidget(run_card, 3);
  causes_view_->setMinimumHeight(130);
  runs_view_->setMinimumHeight(130);

  auto* scroll = new QScrollArea;
  scroll->setWidgetResizable(true);
  scroll->setWidget(content);
  scroll->setAccessibleName(QStringLiteral("Overview"));
  stack_->addWidget(scroll);
  stack_->addWidget(empty_);
  auto* outer = new QVBoxLayout(this);
  outer->setContentsMargins(0, 0, 0, 0);
  outer->addWidget(stack_);

  connect(chart_layer_, &QComboBox::currentIndexChanged, this, &OverviewPage::show_chart);
  connect(chart_, &OutcomeChart::bucket_clicked, this,
          [this](qint64 begin, qint64 end) { workspace_.go_to_rows(time_filter(begin, end)); });
  connect(layers_, &LayerChart::clicked, this, [this](Layer layer, std::optional<Outcome> outcome) {
    QString filter = QStringLiteral("layer:") + QString::fromLatin1(name_of(layer));
    if (outcome) filter += QStringLiteral(" outcome:") + QString::fromLatin1(name_of(*outcome));
    workspace_.go_to_rows(filter);
  });
  connect(causes_view_, &QTableView::activated, this, [this](const QModelIndex& index) {
    if (const Node* node = causes_->node(index); node && node->id != 0) workspace_.explain(node->id);
  });
  connect(runs_view_, &QTableView::activated, this, [this](const QModelIndex& index) {
    if (const Node* node = runs_->node(index)) workspace_.go_to_rows(node->filter);
  });
  connect(&workspace_, &Workspace::filter_changed, this, &OverviewPage::touch);
}

OverviewPage::Figure OverviewPage::add_figure(QHBoxLayout* row, const QString& title, const QString& filter) {
  auto* card = make_card({});
  Figure figure{make_label(QStringLiteral("–"), "figure"), make_link(QStringLiteral("rows"))};
  figure.value->setAccessibleName(title);
  figure.link->setAccessibleName(QStringLiteral("Show the rows of %1").arg(title));
  auto* layout = qobject_cast<QVBoxLayout*>(card->layout());
  layout->setSpacing(2);
  layout->addWidget(make_label(title, "muted"));
  layout->addWidget(figure.value);
  layout->addWidget(figure.link);
  connect(figure.link, &QPushButton::clicked, this, [this, filter] {
    const QString now = workspace_.good_filter().source;
    workspace_.go_to_rows(
        now.isEmpty() ? filter
                      : with_condition(now, filter.contains(QLatin1String(" OR ")) ? u'(' + filter + u')' : filter));
  });
  row->addWidget(card, 1);
  return figure;
}

void OverviewPage::clear() {
  overview_ = {};
  causes_->set({});
  runs_->set({});
}

void OverviewPage::load() {
  Session* session = workspace_.session();
  const FilterNode filter = workspace_.good_filter().root;
  ask_overview();
  causes_note_->setText(QStringLiteral("Explaining the newest misses…"));
  session->ask(
      Session::Lane::slow, this, kCauses,
      [filter](Source& s, const Ticket& t) { return s.causes(filter, kExplained, t); },
      [this](const Result<std::vector<CauseCost>>& causes) {
        if (causes)
          show_causes(*causes);
        else
          workspace_.report(causes.error());
      });
}

void OverviewPage::ask_overview() {
  workspace_.session()->ask(
      Session::Lane::scan, this, kOverview,
      [filter = workspace_.good_filter().root](Source& s, const Ticket& t) { return s.overview(filter, t); },
      [this](const Result<Overview>& overview) {
        if (!overview) return workspace_.report(overview.error());
        if (!isVisible()) return touch();  // what nobody looks at is not laid out
        show_overview(*overview);
        if (!overview->complete()) ask_overview();
      });
}

void OverviewPage::show_overview(const Overview& overview) {
  overview_ = overview;
  std::int64_t total = 0;
  for (const auto n : overview.total) total += n;
  const bool nothing = total == 0 && overview.complete() && workspace_.good_filter().empty();
  stack_->setCurrentIndex(nothing ? 1 : 0);
  const auto of = [&](Outcome o) { return overview.total[index_of(o)]; };
  const std::int64_t missed = of(Outcome::miss) + of(Outcome::guard_miss),
                     asked = of(Outcome::hit) + missed + of(Outcome::error);
  const auto set = [](const Figure& figure, const QString& value, const QString& link, const QString& tip) {
    figure.value->setText(value);
    figure.value->setToolTip(tip);
    figure.link->setText(link);
  };
  set(hit_rate_, asked > 0 ? percent_text(double(of(Outcome::hit)), double(asked)) : QStringLiteral("–"),
      QStringLiteral("%1 of %2")
          .arg(plural(of(Outcome::hit), QStringLiteral("hit"), QStringLiteral("hits")), count_text(asked)),
      QStringLiteral("Hits among the lookups that could have hit: bypassed ones are not counted"));
  const QString guards = count_text(of(Outcome::guard_miss));
  const QString kinds =
      of(Outcome::error) == 0
          ? QStringLiteral("%1 of them guard misses").arg(guards)
          : QStringLiteral("%1 guard misses, %2 apart")
                .arg(guards, plural(of(Outcome::error), QStringLiteral("error"), QStringLiteral("errors")));
  set(misses_, count_text(missed), kinds, {});
  set(lost_, seconds_text(overview.lost), QStringLiteral("the slowest first"),
      QStringLiteral("%1 s; a miss of an inner layer within one of an outer layer is counted once")
          .arg(overview.lost, 0, 'f', 6));
  set(saved_, seconds_text(overview.saved), QStringLiteral("their hits"),
      QStringLiteral("%1 s, as the producer says").arg(overview.saved, 0, 'f', 6));
  set(bypasses_, count_text(of(Outcome::bypass)), QStringLiteral("with their reasons"),
      QStringLiteral("Not cacheable, or the cache was off"));

  const QVariant chosen = chart_layer_->currentData();
  chart_layer_->blockSignals(true);
  chart_layer_->clear();
  chart_layer_->addItem(QStringLiteral("All layers"));
  for (const auto& row : overview.layers) chart_layer_->addItem(title_of(row.layer), int(row.layer));
  chart_layer_->setCurrentIndex(chosen.isValid() ? std::max(0, chart_layer_->findData(chosen)) : 0);
  chart_layer_->blockSignals(false);
  newest_->setText(
      overview.complete()
          ? QString()
          : QStringLiteral("reading… %1").arg(percent_text(double(overview.read), double(overview.whole))));
  show_chart();
  layers_->set(overview.layers);

  std::vector<Node> rows;
  double most = 0;
  for (const double lost : overview.lost_by_run) most = std::max(most, lost);
  for (std::size_t i = 0; i < overview.runs.size(); ++i) {
    const RunRow& run = overview.runs[i];
    Node node;
    node.id = run.id;
    node.filter = QStringLiteral("run=") + quoted_value(text_of(run.record.name));
    const auto count = [](std::int64_t n) { return Cell::figure(count_text(n), {}, double(n)); };
    const double lost = i < overview.lost_by_run.size() ? overview.lost_by_run[i] : 0;
    Cell lost_cell = Cell::figure(seconds_text(lost), QStringLiteral("%1 s").arg(lost, 0, 'f', 6), lost);
    lost_cell.fraction = most > 0 ? lost / most : -1;
    Cell start(date_clock_text(run.record.start));
    start.tip = exact_time(run.record.start);
    start.sort = double(run.record.start);
    QStringList argv;
    for (const std::string& arg : run.record.argv) argv << text_of(arg);
    Cell command(one_line(argv.join(u' ')), CellStyle::muted);
    command.tip = argv.join(u' ');
    node.cells = {Cell(text_of(run.record.name), CellStyle::strong),
                  start,
                  count(run.lookups),
                  count(run.hits),
                  count(run.misses),
                  count(run.bypasses),
                  lost_cell,
                  command};
    rows.push_back(std::move(node));
  }
  const auto left_out = overview.all_runs - std::int64_t(overview.runs.size());
  runs_note_->setText(QStringLiteral("The newest %1; %2 earlier: filter by run or time")
                          .arg(count_text(std::int64_t(overview.runs.size())), count_text(left_out)));
  runs_note_->setVisible(left_out > 0);
  const bool first = runs_->rowCount() == 0;
  runs_->set(std::move(rows));
  if (first) runs_view_->resizeColumnsToContents();
}

void OverviewPage::show_chart() {
  const QVariant layer = chart_layer_->currentData();
  chart_->set(overview_, layer.isValid() ? std::optional(Layer(layer.toInt())) : std::nullopt);
}

void OverviewPage::show_causes(const std::vector<CauseCost>& causes) {
  std::vector<Node> rows;
  double most = 0;
  std::int64_t lookups = 0;  // misses, and what was bypassed or failed
  for (const CauseCost& c : causes) most = std::max(most, c.seconds), lookups += c.misses;
  for (const CauseCost& c : causes) {
    Node node;
    node.id = c.lookups.empty() ? 0 : c.lookups.front();
    Cell lost = Cell::figure(seconds_text(c.seconds), QStringLiteral("%1 s").arg(c.seconds, 0, 'f', 6), c.seconds);
    lost.fraction = most > 0 ? c.seconds / most : -1;
    QStringList ids;
    for (const RowId lookup : c.lookups) ids << QStringLiteral("id=%1").arg(lookup);
    node.filter = ids.join(QStringLiteral(" OR "));
    const bool component = !c.cause.component.empty();
    Cell name(component ? text_of(c.cause.component) : QString::fromLatin1(name_of(c.verdict)).replace(u'_', u' '),
              CellStyle::strong);
    name.tip = text_of(c.summary);
    const auto side = [](const std::string& text) {
      return text.empty() ? QStringLiteral("(none)") : one_line(text_of(text), 80);
    };
    Cell change(component ? side(c.cause.before) + QStringLiteral(" → ") + side(c.cause.after)
                          : one_line(text_of(c.summary)));
    change.tip = text_of(c.summary);
    node.cells = {lost, Cell::figure(count_text(c.misses), {}, double(c.misses)), name, change};
    rows.push_back(std::move(node));
  }
  causes_note_->setText(
      causes.empty()
          ? QStringLiteral("No miss to explain.")
          : QStringLiteral("%1 without a hit, %2. Enter opens the costliest one, the menu of a row shows all.")
                .arg(plural(lookups, QStringLiteral("lookup"), QStringLiteral("lookups")),
                     plural(std::int64_t(causes.size()), QStringLiteral("cause"), QStringLiteral("causes"))));
  const bool first = causes_->rowCount() == 0;
  causes_->set(std::move(rows));
  if (first) causes_view_->resizeColumnsToContents();
}

}  // namespace keyhole::inspector
