// SPDX-License-Identifier: Apache-2.0
#include "inspector/ui/compare_page.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QSplitter>
#include <QStackedWidget>
#include <QToolButton>
#include <QVBoxLayout>
#include <map>
#include <tuple>

#include "inspector/core/format.h"
#include "inspector/models/node_model.h"
#include "inspector/ui/bars.h"
#include "inspector/ui/diff_view.h"
#include "inspector/ui/theme.h"
#include "inspector/ui/views.h"

namespace keyhole::inspector {
namespace {

enum CompareChannel { kRuns, kPairs, kDifference };
constexpr std::size_t kRunsOffered = 500;
constexpr std::size_t kMostLookups = 20'000;  // of one run that are compared

struct Texts {
  QString before, after;
};

}  // namespace
}  // namespace keyhole::inspector

Q_DECLARE_METATYPE(keyhole::inspector::Texts)

namespace keyhole::inspector {

ComparePage::ComparePage(Workspace& workspace, QWidget* parent)
    : Page(workspace, parent),
      before_(new QComboBox),
      after_(new QComboBox),
      sentence_(make_label({}, "sentence")),
      what_(make_label(QStringLiteral("Choose a row to see what changed in its key."), "muted")),
      pairs_(new NodeModel({QStringLiteral("Layer"), QStringLiteral("Compile"), QStringLiteral("Before"),
                            QStringLiteral("After"), QStringLiteral("Lost before"), QStringLiteral("Lost after"),
                            QStringLiteral("Key"), QStringLiteral("Function")},
                           this)),
      changes_(new NodeModel({QStringLiteral("What changed"), QStringLiteral("Before → after")}, this)),
      diff_(new DiffView) {
  before_->setAccessibleName(QStringLiteral("Run before"));
  after_->setAccessibleName(QStringLiteral("Run after"));
  stack_ = new QStackedWidget;
  auto* outer = new QVBoxLayout(this);
  outer->setContentsMargins(0, 0, 0, 0);
  outer->addWidget(stack_);
  auto* content = new QWidget;
  stack_->addWidget(content);
  stack_->addWidget(new EmptyState(
      QStringLiteral("Two runs are needed to compare"),
      QStringLiteral("Record another one:  keyhole record -- python train.py\nor import each recording by itself.")));
  auto* layout = new QVBoxLayout(content);
  layout->setContentsMargins(14, 12, 14, 12);
  auto* bar = new QHBoxLayout;
  bar->addWidget(make_label(QStringLiteral("Before"), "muted"));
  bar->addWidget(before_, 1);
  auto* swap = new QToolButton;
  swap->setIcon(action_icon(QStringLiteral("swap"), *this));
  swap->setAccessibleName(QStringLiteral("Swap the runs"));
  bar->addWidget(swap);
  bar->addWidget(make_label(QStringLiteral("After"), "muted"));
  bar->addWidget(after_, 1);
  layout->addLayout(bar);
  sentence_->setWordWrap(true);
  layout->addWidget(sentence_);
  pairs_view_ = make_tree(pairs_, QStringLiteral("Lookups of both runs"), workspace_);
  pairs_view_->setRootIsDecorated(false);
  pairs_view_->setSortingEnabled(true);
  pairs_view_->header()->setSortIndicator(-1, Qt::AscendingOrder);
  changes_view_ = make_tree(changes_, QStringLiteral("Changed components"), workspace_);
  auto* below = new QSplitter(Qt::Horizontal);
  below->addWidget(changes_view_);
  below->addWidget(diff_);
  below->setSizes({440, 640});
  auto* lower = new QWidget;
  auto* lower_layout = new QVBoxLayout(lower);
  lower_layout->setContentsMargins(0, 4, 0, 0);
  lower_layout->addWidget(what_);
  lower_layout->addWidget(below, 1);
  auto* splitter = new QSplitter(Qt::Vertical);
  splitter->addWidget(pairs_view_);
  splitter->addWidget(lower);
  splitter->setSizes({360, 300});
  splitter->setChildrenCollapsible(false);
  layout->addWidget(splitter, 1);
  diff_->set_message(QStringLiteral("Choose a row above."));

  connect(before_, &QComboBox::currentIndexChanged, this, &ComparePage::compare);
  connect(after_, &QComboBox::currentIndexChanged, this, &ComparePage::compare);
  connect(swap, &QToolButton::clicked, this, [this] {
    const int a = before_->currentIndex();
    before_->setCurrentIndex(after_->currentIndex());
    after_->setCurrentIndex(a);
  });
  connect(pairs_view_->selectionModel(), &QItemSelectionModel::currentChanged, this, &ComparePage::show_change);
  connect(pairs_view_, &QTreeView::activated, this, [this](const QModelIndex& index) {
    if (const Node* node = pairs_->node(index); node && node->id != 0) workspace_.explain(node->id);
  });
  connect(
      changes_view_->selectionModel(), &QItemSelectionModel::currentChanged, this, [this](const QModelIndex& index) {
        const Node* node = changes_->node(index);
        if (!node || !node->payload.isValid()) return;
        const auto texts = node->payload.value<Texts>();
        if (texts.before == texts.after)
          diff_->set_message(QStringLiteral(
              "The digests differ while the texts are equal: the text does not show everything that enters the key."));
        else
          diff_->set_texts(before_->currentText(), texts.before, after_->currentText(), texts.after);
      });
}

void ComparePage::clear() {
  const QSignalBlocker a(before_), b(after_);
  before_->clear();
  after_->clear();
  pairs_->set({});
  changes_->set({});
  sentence_->clear();
}

void ComparePage::load() {
  workspace_.session()->ask(
      Session::Lane::quick, this, kRuns, [](Source& s, const Ticket&) { return s.newest_runs(kRunsOffered); },
      [this](const Result<std::vector<RunRow>>& runs) {
        if (!runs) return workspace_.report(runs.error());
        show_runs(*runs);
      });
}

void ComparePage::show_runs(const std::vector<RunRow>& runs) {
  const QString before = before_->currentText(), after = after_->currentText();
  {
    const QSignalBlocker a(before_), b(after_);
    for (QComboBox* box : {before_, after_}) {
      box->clear();
      for (const RunRow& run : runs) box->addItem(text_of(run.record.name), qlonglong(run.id));
    }
    const int last = int(runs.size()) - 1;
    before_->setCurrentIndex(before.isEmpty() ? std::max(0, last - 1) : std::max(0, before_->findText(before)));
    after_->setCurrentIndex(after.isEmpty() ? last : std::max(0, after_->findText(after)));
  }
  stack_->setCurrentIndex(runs.size() < 2 ? 1 : 0);
  if (runs.size() >= 2) compare();
}

void ComparePage::compare() {
  if (!workspace_.session() || before_->currentIndex() < 0 || after_->currentIndex() < 0) return;
  const QString names[] = {before_->currentText(), after_->currentText()};
  workspace_.session()->ask(
      Session::Lane::slow, this, kPairs,
      [names](Source& source, const Ticket&) -> Result<std::vector<Pair>> {
        using Key = std::tuple<int, std::string, std::int64_t, int, int, int>;
        std::map<Key, Pair> pairs;
        for (const bool second : {false, true}) {
          LookupQuery query;
          query.filter = parse_filter(QStringLiteral("run=") + quoted_value(names[second ? 1 : 0])).root;
          query.descending = false;
          auto rows = source.rows(query, 0, kMostLookups);
          if (!rows) return tl::unexpected(rows.error());
          std::map<Key, int> ordinal;
          for (LookupRow& row : *rows) {
            Key key{row.rank.value_or(-1), row.record.compile.text(), row.record.compile.attempt,
                    int(row.record.layer), int(row.record.direction), 0};
            std::get<5>(key) = ordinal[key]++;
            (second ? pairs[key].after : pairs[key].before) = std::move(row);
          }
        }
        std::vector<Pair> list;
        list.reserve(pairs.size());
        for (auto& [key, pair] : pairs) list.push_back(std::move(pair));
        return list;
      },
      [this](const Result<std::vector<Pair>>& pairs) {
        if (!pairs) return workspace_.report(pairs.error());
        show_pairs(*pairs);
      });
}

void ComparePage::show_pairs(const std::vector<Pair>& pairs) {
  std::vector<Node> rows;
  std::int64_t new_misses = 0, changed = 0, same = 0, only = 0;
  for (const Pair& pair : pairs) {
    const LookupRow& one = pair.after ? *pair.after : *pair.before;
    Node node;
    node.id = one.id;
    const bool recorded =
        pair.before && pair.after && pair.before->component_set != 0 && pair.after->component_set != 0;
    node.payload = QVariantList{qlonglong(pair.before ? pair.before->id : 0),
                                qlonglong(pair.after ? pair.after->id : 0), recorded};
    const auto outcome = [](const std::optional<LookupRow>& row) {
      return row ? Cell::of(row->record.outcome) : Cell(QStringLiteral("–"), CellStyle::muted);
    };
    const auto lost = [](const std::optional<LookupRow>& row) {
      const Nanoseconds cost = row && row->record.outcome != Outcome::hit ? row->record.cost : -1;
      return Cell::figure(duration_text(cost), exact_duration(cost), double(cost));
    };
    const bool both = pair.before && pair.after;
    const bool key_same = both && pair.before->record.key == pair.after->record.key;
    only += !both, same += key_same, changed += both && !key_same;
    new_misses += pair.after && pair.after->record.outcome == Outcome::miss &&
                  !(pair.before && pair.before->record.outcome == Outcome::miss);
    Cell key(!both      ? (pair.after ? QStringLiteral("only after") : QStringLiteral("only before"))
             : key_same ? QStringLiteral("same")
                        : QStringLiteral("changed"),
             both && !key_same ? CellStyle::strong : CellStyle::muted);
    key.tip = QStringLiteral("%1\n%2").arg(pair.before ? text_of(pair.before->record.key) : QString(),
                                           pair.after ? text_of(pair.after->record.key) : QString());
    QString layer = title_of(one.record.layer);
    if (const QString direction = title_of(one.record.direction); !direction.isEmpty()) layer += u' ' + direction;
    const QString compile = text_of(one.record.compile.text());
    node.cells = {Cell(layer),
                  Cell(one.rank ? QStringLiteral("%1 rank %2").arg(compile).arg(*one.rank) : compile),
                  outcome(pair.before),
                  outcome(pair.after),
                  lost(pair.before),
                  lost(pair.after),
                  key,
                  Cell(text_of(one.function), CellStyle::muted)};
    rows.push_back(std::move(node));
  }
  sentence_->setText(QStringLiteral("%1, %2 with a changed key, %3 with the same, %4 in one run only")
                         .arg(plural(new_misses, QStringLiteral("new miss"), QStringLiteral("new misses")),
                              count_text(changed), count_text(same), count_text(only)));
  pairs_->set(std::move(rows));
  const int widths[] = {170, 90, 110, 110, 90, 90, 100};
  for (int c = 0; c < 7; ++c) pairs_view_->header()->resizeSection(c, widths[c]);
  // The first changed key whose components are known is what one came for.
  for (const bool recorded : {true, false})
    for (int r = 0; r < pairs_->rowCount(); ++r)
      if (pairs_->index(r, 6).data().toString() == QLatin1String("changed") &&
          pairs_->node(pairs_->index(r, 0))->payload.toList().value(2).toBool() == recorded)
        return pairs_view_->setCurrentIndex(pairs_->index(r, 0));
  if (pairs_->rowCount() > 0) return pairs_view_->setCurrentIndex(pairs_->index(0, 0));
  changes_->set({});
  diff_->set_message(pairs.empty() ? QStringLiteral("Neither run has a lookup.")
                                   : QStringLiteral("Choose a row above."));
}

void ComparePage::show_change(const QModelIndex& index) {
  const Node* node = pairs_->node(index);
  if (!node) return;
  const QVariantList ids = node->payload.toList();
  const RowId before = ids.value(0).toLongLong(), after = ids.value(1).toLongLong();
  if (before == 0 || after == 0) {
    what_->setText(QStringLiteral("This lookup exists in one of the runs only."));
    changes_->set({});
    diff_->set_message(QStringLiteral("Nothing to set side by side."));
    return;
  }
  workspace_.session()->ask(
      Session::Lane::quick, this, kDifference,
      [before, after](Source& s, const Ticket&) { return s.difference(before, after); },
      [this](const Result<KeyDifference>& difference) {
        if (!difference) return workspace_.report(difference.error());
        std::vector<Node> rows;
        for (const ComponentChange& c : difference->changes) {
          Node row;
          const Texts texts{c.before ? text_of(c.before->text) : QString(),
                            c.after ? text_of(c.after->text) : QString()};
          row.cells = {
              Cell(text_of((c.after ? c.after : c.before)->name), CellStyle::strong),
              Cell(one_line(texts.before, 60) + QStringLiteral(" → ") + one_line(texts.after, 60), CellStyle::muted)};
          row.payload = QVariant::fromValue(texts);
          rows.push_back(std::move(row));
        }
        const bool recorded = difference->before.component_set != 0 && difference->after.component_set != 0;
        what_->setText(recorded ? QStringLiteral("%1 in the key")
                                      .arg(plural(std::int64_t(rows.size()), QStringLiteral("component changed"),
                                                  QStringLiteral("components changed")))
                                : QStringLiteral("The components of this layer were not recorded; the inner layer of "
                                                 "the same compile tells more."));
        const bool none = rows.empty();
        changes_->set(std::move(rows));
        changes_view_->header()->resizeSection(0, 300);
        if (none)
          diff_->set_message(recorded ? QStringLiteral("Every component is equal.")
                                      : QStringLiteral("Nothing to set side by side."));
        else
          changes_view_->setCurrentIndex(changes_->index(0, 0));
      });
}

}  // namespace keyhole::inspector
