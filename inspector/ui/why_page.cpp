// SPDX-License-Identifier: Apache-2.0
#include "inspector/ui/why_page.h"

#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QSplitter>
#include <QStackedWidget>
#include <QVBoxLayout>
#include <algorithm>
#include <map>

#include "inspector/core/format.h"
#include "inspector/core/guard_clauses.h"
#include "inspector/models/node_model.h"
#include "inspector/ui/bars.h"
#include "inspector/ui/charts.h"
#include "inspector/ui/diff_view.h"
#include "inspector/ui/theme.h"
#include "inspector/ui/views.h"

namespace keyhole::inspector {
namespace {

// What a row of the cause tree shows in the diff.
struct Change {
  QString title, before, after, note;
};

QString verdict_words(const Explanation& e) {
  return QString::fromLatin1(name_of(e.verdict)).replace(u'_', u' ');
}

QString named(const LookupRow& row) {
  QString text = QStringLiteral("lookup %1").arg(row.id);
  if (!row.run_name.empty()) text += QStringLiteral(" of run ") + text_of(row.run_name);
  if (row.record.time >= 0) text += QStringLiteral(", ") + clock_text(row.record.time);
  return text;
}

QString group_of(const std::string& component) {
  return text_of(component.substr(0, component.find('[')));
}

}  // namespace

}  // namespace keyhole::inspector

Q_DECLARE_METATYPE(keyhole::inspector::Change)

namespace keyhole::inspector {

WhyPage::WhyPage(Workspace& workspace, QWidget* parent)
    : Page(workspace, parent),
      stack_(new QStackedWidget),
      empty_(new EmptyState(QStringLiteral("No lookup selected"),
                            QStringLiteral("Choose one on the left, in the timeline, or with Ctrl+K."))),
      icon_(new QLabel),
      subject_(make_label({}, "heading")),
      sentence_(make_label({}, "sentence")),
      fix_(make_label({}, "")),
      baseline_(make_label({}, "muted")),
      where_(make_label({}, "muted")),
      change_(make_link(QStringLiteral("change"))),
      reset_(make_link(QStringLiteral("back to the best"))),
      causes_(new NodeModel({QStringLiteral("What changed"), QStringLiteral("Class")}, this)),
      candidates_(new NodeModel({QStringLiteral("Score"), QStringLiteral("Run"), QStringLiteral("Time"),
                                 QStringLiteral("Outcome"), QStringLiteral("Why comparable")},
                                this)),
      guards_(new NodeModel(
          {QStringLiteral("Entry"), QStringLiteral("Clause"), QStringLiteral("Hints"), QStringLiteral("Your line")},
          this)),
      diff_(new DiffView),
      chain_(new ChainView),
      chain_label_(make_label(QStringLiteral("Layers of this compile"), "muted")) {
  auto* content = new QWidget;
  auto* layout = new QVBoxLayout(content);
  layout->setContentsMargins(14, 12, 14, 12);
  layout->setSpacing(8);

  auto* head = make_card({});
  auto* head_layout = qobject_cast<QVBoxLayout*>(head->layout());
  head_layout->setSpacing(5);
  auto* subject_row = new QHBoxLayout;
  subject_row->addWidget(icon_);
  subject_row->addWidget(subject_);
  subject_row->addWidget(where_, 1);
  head_layout->addLayout(subject_row);
  for (QLabel* label : {sentence_, fix_}) {
    label->setWordWrap(true);
    label->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    head_layout->addWidget(label);
  }
  for (QLabel* label : {where_, baseline_}) label->setWordWrap(true);
  icon_->setAccessibleName(QStringLiteral("Outcome"));
  sentence_->setAccessibleName(QStringLiteral("Why"));
  fix_->setAccessibleName(QStringLiteral("What to do"));
  auto* baseline_row = new QHBoxLayout;
  baseline_row->addWidget(baseline_, 1);
  baseline_row->addWidget(change_);
  baseline_row->addWidget(reset_);
  change_->setAccessibleName(QStringLiteral("Change the baseline"));
  reset_->setAccessibleName(QStringLiteral("Back to the best baseline"));
  head_layout->addLayout(baseline_row);
  layout->addWidget(head);

  candidates_card_ = make_card(QStringLiteral("Compare with"));
  candidates_view_ = make_tree(candidates_, QStringLiteral("Baselines by score"), workspace_);
  candidates_view_->setRootIsDecorated(false);
  candidates_view_->setMaximumHeight(150);
  candidates_card_->layout()->addWidget(candidates_view_);
  candidates_card_->hide();
  layout->addWidget(candidates_card_);

  middle_ = new QSplitter(Qt::Horizontal);
  causes_view_ = make_tree(causes_, QStringLiteral("Causes"), workspace_);
  causes_view_->header()->setStretchLastSection(false);
  causes_view_->header()->setSectionResizeMode(0, QHeaderView::Stretch);
  causes_view_->header()->setSectionResizeMode(1, QHeaderView::ResizeToContents);
  middle_->addWidget(causes_view_);
  middle_->addWidget(diff_);
  middle_->setSizes({340, 560});
  middle_->setChildrenCollapsible(false);
  layout->addWidget(middle_, 1);

  guards_card_ = make_card(QStringLiteral("Guards of the entries under this key"));
  guards_view_ = make_tree(guards_, QStringLiteral("Guards"), workspace_);
  guards_card_->layout()->addWidget(guards_view_);
  guards_card_->hide();
  layout->addWidget(guards_card_, 1);

  layout->addWidget(chain_label_);
  layout->addWidget(chain_);

  stack_->addWidget(content);
  stack_->addWidget(empty_);
  stack_->setCurrentIndex(1);
  auto* outer = new QVBoxLayout(this);
  outer->setContentsMargins(0, 0, 0, 0);
  outer->addWidget(stack_);

  connect(change_, &QPushButton::clicked, this,
          [this] { candidates_card_->setVisible(!candidates_card_->isVisible()); });
  connect(reset_, &QPushButton::clicked, this, [this] { compare_with(0); });
  connect(candidates_view_, &QTreeView::activated, this, [this](const QModelIndex& index) {
    if (const Node* node = candidates_->node(index)) compare_with(node->id);
  });
  connect(candidates_view_, &QTreeView::clicked, this, [this](const QModelIndex& index) {
    if (const Node* node = candidates_->node(index)) compare_with(node->id);
  });
  connect(causes_view_->selectionModel(), &QItemSelectionModel::currentChanged, this, &WhyPage::show_change);
  connect(chain_, &ChainView::clicked, &workspace_, &Workspace::explain);
  connect(&workspace_, &Workspace::selection_changed, this, &WhyPage::touch);
  connect(&workspace_, &Workspace::place_changed, this, [this] {
    if (workspace_.place().against != (answer_.explanation.baseline ? answer_.explanation.baseline->id : 0) &&
        workspace_.place().page == PageId::diagnose && workspace_.place().lookup == answer_.subject.id)
      touch();
  });
}

void WhyPage::clear() {
  answer_ = {};
  stack_->setCurrentIndex(1);
}

void WhyPage::compare_with(RowId baseline) {
  Place place = workspace_.place();
  place.against = baseline;
  workspace_.go(place);
  touch();
}

void WhyPage::load() {
  const RowId id = workspace_.selected();
  if (id == 0) {
    stack_->setCurrentIndex(1);
    return;
  }
  const std::optional<RowId> against =
      workspace_.place().against != 0 ? std::optional(workspace_.place().against) : std::nullopt;
  workspace_.session()->ask(
      Session::Lane::quick, this, 0,
      [id, against](Source& source, const Ticket& ticket) -> Result<Answer> {
        Answer answer;
        auto subject = source.lookup(id);
        if (!subject) return tl::unexpected(subject.error());
        if (!*subject) return fail(ErrorKind::not_found, "lookup " + std::to_string(id) + " is no longer in the store");
        answer.subject = std::move(**subject);
        auto explanation = source.explanation(id, against);
        if (!explanation) return tl::unexpected(explanation.error());
        answer.explanation = std::move(*explanation);
        for (const ChainLink& link : answer.explanation.chain)
          if (auto row = source.lookup(link.lookup); row && *row)
            answer.directions[link.lookup] = (*row)->record.direction;
        for (const Scored& scored : answer.explanation.candidates) {
          if (ticket.stale()) break;
          auto row = source.lookup(scored.lookup);
          answer.candidates.push_back(row && *row ? std::move(**row) : LookupRow{});
        }
        if (answer.explanation.baseline) {
          auto difference = source.difference(answer.explanation.baseline->id, id);
          if (difference) answer.difference = std::move(*difference);
        }
        return answer;
      },
      [this](Result<Answer> answer) {
        if (answer)
          show_answer(std::move(*answer));
        else
          workspace_.report(answer.error());
      });
}

void WhyPage::show_answer(Answer answer) {
  answer_ = std::move(answer);
  stack_->setCurrentIndex(0);
  const LookupRow& row = answer_.subject;
  const Explanation& e = answer_.explanation;
  icon_->setPixmap(outcome_icon(row.record.outcome, *this).pixmap(16, 16));
  icon_->setAccessibleDescription(title_of(row.record.outcome));
  QStringList subject{title_of(row.record.outcome).toUpper(), title_of(row.record.layer)};
  if (const QString direction = title_of(row.record.direction); !direction.isEmpty()) subject << direction;
  if (row.record.compile.known()) subject << text_of(row.record.compile.text());
  if (!row.record.key.empty()) subject << short_digest(text_of(row.record.key));
  subject_->setText(subject.join(QStringLiteral("  ")));
  subject_->setToolTip(text_of(row.record.key));
  QStringList where{verdict_words(e)};
  const double whole = row.record.outcome == Outcome::hit ? 0 : double(row.record.cost) / 1e9;
  if (whole > 0 && e.cost_seconds < 0.99 * whole)  // what a lookup within it lost is that one's
    where << QStringLiteral("lost %1, %2 of it by itself").arg(seconds_text(whole), seconds_text(e.cost_seconds));
  else if (e.cost_seconds > 0)
    where << QStringLiteral("lost %1").arg(seconds_text(e.cost_seconds));
  if (row.record.saved > 0) where << QStringLiteral("saved %1").arg(duration_text(row.record.saved));
  if (!row.function.empty())
    where << QStringLiteral("%1 (%2:%3)")
                 .arg(text_of(row.function), text_of(row.filename).section(u'/', -1))
                 .arg(row.line);
  where_->setText(QStringLiteral("·  ") + where.join(QStringLiteral("  ·  ")));
  where_->setToolTip(
      QStringLiteral("%1 s lost; %2:%3").arg(e.cost_seconds, 0, 'f', 6).arg(text_of(row.filename)).arg(row.line));
  sentence_->setText(text_of(e.summary));
  fix_->setText(QStringLiteral("Fix: %1").arg(text_of(e.fix)));
  fix_->setVisible(!e.fix.empty());
  const bool chosen = workspace_.place().against != 0;
  if (e.baseline) {
    baseline_->setText(QStringLiteral("compared with %1: %2, score %3")
                           .arg(named(*e.baseline), text_of(e.baseline_reason))
                           .arg(e.baseline_score, 0, 'f', 2));
  } else {
    baseline_->setText(e.verdict == Verdict::hit ? QString() : QStringLiteral("no baseline to compare with"));
  }
  baseline_->setVisible(!baseline_->text().isEmpty());
  change_->setVisible(e.candidates.size() > 1 || chosen);
  change_->setText(e.candidates.size() > 1 ? QStringLiteral("change (%1)").arg(e.candidates.size())
                                           : QStringLiteral("change"));
  reset_->setVisible(chosen);
  show_candidates();
  show_causes();
  show_guards();
  // The lookup stands among the other layers of its compile, the outermost first.
  std::vector<ChainLink> chain = e.chain;
  chain.push_back({row.record.layer, row.record.outcome, row.id});
  std::stable_sort(chain.begin(), chain.end(), [](const ChainLink& a, const ChainLink& b) {
    return std::pair(a.layer, a.lookup) < std::pair(b.layer, b.lookup);
  });
  chain_->setVisible(chain.size() > 1);
  chain_label_->setVisible(chain.size() > 1);
  QStringList names;
  for (const ChainLink& link : chain) {
    const Direction direction = link.lookup == row.id ? row.record.direction : answer_.directions[link.lookup];
    names << (title_of(link.layer) + u' ' + title_of(direction)).trimmed();
  }
  chain_->set(std::move(chain), std::move(names), row.id);
  causes_view_->setVisible(causes_->rowCount() > 0);
  middle_->setVisible(e.guards.empty() || causes_->rowCount() > 0);
}

void WhyPage::show_candidates() {
  std::vector<Node> rows;
  const Explanation& e = answer_.explanation;
  for (std::size_t i = 0; i < e.candidates.size(); ++i) {
    const Scored& s = e.candidates[i];
    const LookupRow& row = answer_.candidates.size() > i ? answer_.candidates[i] : answer_.subject;
    Node node;
    node.id = s.lookup;
    Cell score = Cell::figure(QString::number(s.score, 'f', 2), QString::number(s.score, 'g', 9), s.score);
    score.fraction = s.score;
    if (e.baseline && e.baseline->id == s.lookup) score.style = CellStyle::strong;
    Cell time(clock_text(row.record.time));
    time.tip = exact_time(row.record.time);
    node.cells = {score, Cell(text_of(row.run_name)), time, Cell::of(row.record.outcome),
                  Cell(text_of(s.reason), CellStyle::muted)};
    rows.push_back(std::move(node));
  }
  candidates_->set(std::move(rows));
  if (e.candidates.size() < 2) candidates_card_->hide();
}

void WhyPage::show_causes() {
  const Explanation& e = answer_.explanation;
  std::map<std::string, const ComponentChange*> whole;
  if (answer_.difference)
    for (const ComponentChange& c : answer_.difference->changes) whole[c.after ? c.after->name : c.before->name] = &c;
  const auto texts = [](const ComponentChange& c) {
    return Change{text_of(c.after ? c.after->name : c.before->name),
                  c.before ? value_text(c.before->text) : QString(),
                  c.after ? value_text(c.after->text) : QString(),
                  {}};
  };
  Node roots, consequences, all;
  for (const Cause& cause : e.causes) {
    Node node;
    Change change{text_of(cause.component), text_of(cause.before), text_of(cause.after), text_of(cause.note)};
    const auto found = whole.find(cause.component);
    // The whole texts where they differ; the narrowed ones where only a digest does.
    if (found != whole.end() && found->second->before && found->second->after &&
        found->second->before->text != found->second->after->text)
      change = texts(*found->second);
    change.note = text_of(cause.note);
    Cell name(text_of(cause.component), cause.role == Role::root ? CellStyle::strong : CellStyle::normal);
    name.tip =
        QStringLiteral("%1\n%2 → %3").arg(name.text, one_line(text_of(cause.before)), one_line(text_of(cause.after)));
    Cell kind(text_of(cause.cause_class), CellStyle::muted);
    kind.tip = cause.certainty == Certainty::proven
                   ? QStringLiteral("proven: putting the old value back gives the old key")
                   : QStringLiteral("inferred: the key's own bytes are not known");
    if (cause.certainty == Certainty::proven) kind.text += QStringLiteral(", proven");
    node.cells = {name, kind};
    node.payload = QVariant::fromValue(change);
    (cause.role == Role::root ? roots : consequences).children.push_back(std::move(node));
  }
  std::map<QString, Node> groups;
  std::vector<QString> order;
  if (answer_.difference) {
    for (const ComponentChange& c : answer_.difference->changes) {
      const Change change = texts(c);
      Node node;
      node.cells = {Cell(change.title), Cell(!c.before  ? QStringLiteral("added")
                                             : !c.after ? QStringLiteral("removed")
                                                        : QString(),
                                             CellStyle::muted)};
      node.payload = QVariant::fromValue(change);
      const QString group = group_of(c.after ? c.after->name : c.before->name);
      if (!groups.count(group)) order.push_back(group);
      groups[group].children.push_back(std::move(node));
    }
    for (const QString& name : order) {
      Node& group = groups[name];
      if (group.children.size() == 1) {
        all.children.push_back(std::move(group.children[0]));
      } else {
        group.cells = {Cell(QStringLiteral("%1 (%2)").arg(name).arg(group.children.size())), Cell()};
        all.children.push_back(std::move(group));
      }
    }
  }
  std::vector<Node> rows;
  const auto add = [&](Node& node, const QString& title, std::size_t count) {
    if (node.children.empty()) return;
    node.cells = {Cell(QStringLiteral("%1 (%2)").arg(title).arg(count), CellStyle::muted), Cell()};
    rows.push_back(std::move(node));
  };
  add(roots, QStringLiteral("Roots"), roots.children.size());
  add(consequences, QStringLiteral("Consequences"), consequences.children.size());
  add(all, QStringLiteral("All changed components"), answer_.difference ? answer_.difference->changes.size() : 0);
  causes_->set(std::move(rows));
  causes_view_->expand(causes_->index(0, 0));
  if (causes_->rowCount() > 0) {
    causes_view_->setCurrentIndex(causes_->index(0, 0, causes_->index(0, 0)));
  } else {
    diff_->set_message(
        e.verdict == Verdict::hit ? QStringLiteral("Served from the cache: nothing differs.")
        : e.baseline
            ? QStringLiteral("No recorded component differs.")
            : QStringLiteral("Nothing comparable was recorded before, so there is nothing to set side by side."));
  }
}

void WhyPage::show_change(const QModelIndex& index) {
  const Node* node = causes_->node(index);
  if (!node || !node->payload.isValid()) return;
  const auto change = node->payload.value<Change>();
  const Explanation& e = answer_.explanation;
  if (change.before.isEmpty() && change.after.isEmpty()) {
    diff_->set_message(change.note.isEmpty()
                           ? QStringLiteral("The digest of %1 differs; its text was not recorded.").arg(change.title)
                           : change.note);
    return;
  }
  if (change.before == change.after) {
    diff_->set_message((change.note.isEmpty() ? QStringLiteral("The digests differ while the texts are equal: the text "
                                                               "does not show everything that enters the key.")
                                              : change.note));
    return;
  }
  diff_->set_texts(e.baseline ? QStringLiteral("before: ") + named(*e.baseline) : QStringLiteral("before"),
                   change.before, QStringLiteral("after: ") + named(answer_.subject), change.after);
}

void WhyPage::show_guards() {
  std::vector<Node> rows;
  for (const GuardFinding& g : answer_.explanation.guards) {
    Node node;
    node.id = g.entry;
    Cell entry(g.entry != 0 ? QString::number(g.entry) : QStringLiteral("recorded"));
    entry.outcome = !g.error.empty() ? Outcome::error : g.failing_clause.empty() ? Outcome::hit : Outcome::guard_miss;
    Cell clause(g.failing_clause.empty() ? (g.error.empty() ? QStringLiteral("holds") : text_of(g.error))
                                         : text_of(g.failing_clause),
                CellStyle::code);
    clause.tip = text_of(g.expression);
    node.cells = {entry, clause,
                  Cell(text_of(g.hints).remove(u'{').remove(u'}').remove(u'"').replace(QStringLiteral(": "),
                                                                                       QStringLiteral(" = ")),
                       CellStyle::code),
                  Cell(text_of(g.user_line), CellStyle::muted)};
    for (const ShownClause& shown : clauses_of(g)) {
      using State = ShownClause::State;
      Node child;
      Cell state(
          shown.state == State::fails   ? QStringLiteral("fails")
          : shown.state == State::holds ? QStringLiteral("holds")
          : shown.state == State::error ? QStringLiteral("error")
                                        : QStringLiteral("not evaluated"),
          shown.state == State::holds || shown.state == State::not_evaluated ? CellStyle::muted : CellStyle::strong);
      if (shown.state == State::fails) state.outcome = Outcome::guard_miss;
      if (shown.state == State::holds) state.outcome = Outcome::hit;
      if (shown.state == State::error) state.outcome = Outcome::error;
      Cell clause_cell(shown.text, CellStyle::code);
      clause_cell.tip = shown.error.isEmpty() ? shown.text : shown.error;
      child.cells = {state, clause_cell, Cell(shown.hints, CellStyle::code),
                     Cell(shown.state == State::fails ? text_of(g.user_line) : shown.error, CellStyle::muted)};
      node.children.push_back(std::move(child));
    }
    rows.push_back(std::move(node));
  }
  guards_card_->setVisible(!rows.empty());
  guards_->set(std::move(rows));
  if (answer_.explanation.guards.size() <= 4) guards_view_->expandAll();
  for (int c = 0; c < 3; ++c) guards_view_->resizeColumnToContents(c);
}

}  // namespace keyhole::inspector
