// SPDX-License-Identifier: Apache-2.0
#include "inspector/ui/compile_page.h"

#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSplitter>
#include <QStackedWidget>
#include <QTabWidget>
#include <QTableView>
#include <QTreeView>
#include <QVBoxLayout>
#include <map>

#include "inspector/core/format.h"
#include "inspector/core/pool_lanes.h"
#include "inspector/models/node_model.h"
#include "inspector/ui/bars.h"
#include "inspector/ui/theme.h"
#include "inspector/ui/timeline_view.h"
#include "inspector/ui/views.h"

namespace keyhole::inspector {
namespace {

enum CompileChannel { kJobs, kDetails };
constexpr std::size_t kJobsShown = 1'000;

QString outcome_words(const CompileJob& job) {
  return job.failed() ? QStringLiteral("failed") : title_of(job.outcome());
}

// The groups of a key's parts, in the order in which they are shown.
struct Group {
  const char* prefix;
  const char* title;
};
constexpr Group kGroups[] = {{"source", "Source"},
                             {"option[", "Options"},
                             {"environment[", "Environment"},
                             {"folder", "Working folder"},
                             {"native", "This machine's processor"},
                             {"toolchain[", "Toolchain"},
                             {"steps", "Steps of nvcc"},
                             {"include[", "Files it read"},
                             {"looked_for", "Looked for and not found"}};

}  // namespace

CompilePage::CompilePage(Workspace& workspace, QWidget* parent)
    : Page(workspace, parent),
      jobs_(new NodeModel({QStringLiteral("Time"), QStringLiteral("Outcome"), QStringLiteral("Source"),
                           QStringLiteral("Compiler"), QStringLiteral("Compiled for"), QStringLiteral("Saved"),
                           QStringLiteral("Lookup"), QStringLiteral("Run"), QStringLiteral("Note")},
                          this)),
      parts_(new NodeModel({QStringLiteral("Part of the key"), QStringLiteral("Value")}, this)),
      closure_(new NodeModel({QStringLiteral("File"), QStringLiteral("Content")}, this)),
      head_(make_label({}, "sentence")),
      note_(make_label({}, "muted")),
      command_(new QPlainTextEdit),
      output_(new QPlainTextEdit),
      why_(new QPushButton(QStringLiteral("Why"))),
      tabs_(new QTabWidget),
      pool_(new TimelineView),
      empty_(new EmptyState(
          QStringLiteral("No compiler was run through the store yet"),
          QStringLiteral("Put  keyhole cc --  before nvcc, g++ or clang++, or with CMake:\n"
                         "-DCMAKE_CUDA_COMPILER_LAUNCHER='keyhole;cc' -DCMAKE_CXX_COMPILER_LAUNCHER='keyhole;cc'"))),
      stack_(new QStackedWidget) {
  jobs_view_ = make_table(jobs_, QStringLiteral("Compiles"), workspace_);
  jobs_view_->setSortingEnabled(true);
  jobs_view_->horizontalHeader()->setSortIndicator(-1, Qt::DescendingOrder);
  parts_view_ = make_tree(parts_, QStringLiteral("Parts of the key"), workspace_);
  closure_view_ = make_table(closure_, QStringLiteral("Files that the compile read"), workspace_);
  for (QPlainTextEdit* text : {command_, output_}) {
    text->setReadOnly(true);
    text->setFont(code_font());
    text->setFrameShape(QFrame::NoFrame);
  }
  command_->setAccessibleName(QStringLiteral("Command"));
  command_->setMaximumHeight(64);
  output_->setAccessibleName(QStringLiteral("What the compiler said"));
  output_->setLineWrapMode(QPlainTextEdit::NoWrap);
  why_->setAccessibleName(QStringLiteral("Why this compile went as it did"));
  why_->setEnabled(false);

  auto* details = new QWidget;
  auto* column = new QVBoxLayout(details);
  column->setContentsMargins(0, 4, 0, 0);
  auto* head = new QHBoxLayout;
  head->addWidget(head_);
  head->addWidget(note_, 1);
  head->addWidget(why_);
  column->addLayout(head);
  column->addWidget(command_);
  tabs_->setDocumentMode(true);
  tabs_->setAccessibleName(QStringLiteral("Details of the compile"));
  tabs_->addTab(parts_view_, QStringLiteral("Key"));
  tabs_->addTab(closure_view_, QStringLiteral("Files"));
  tabs_->addTab(output_, QStringLiteral("Output"));
  pool_->setAccessibleName(QStringLiteral("What was compiled at the same time"));
  tabs_->addTab(pool_, QStringLiteral("Pool"));
  tabs_->setTabToolTip(3, QStringLiteral("What was compiled at the same time: the job slots of each run"));
  column->addWidget(tabs_, 1);

  auto* splitter = new QSplitter(Qt::Vertical);
  splitter->addWidget(jobs_view_);
  splitter->addWidget(details);
  splitter->setSizes({320, 380});
  splitter->setChildrenCollapsible(false);
  stack_->addWidget(splitter);
  stack_->addWidget(empty_);
  stack_->setCurrentIndex(1);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(10, 10, 10, 10);
  layout->addWidget(stack_);

  connect(jobs_view_->selectionModel(), &QItemSelectionModel::currentRowChanged, this,
          [this](const QModelIndex& index) {
            if (const Node* node = jobs_->node(index)) ask_details(node->id);
          });
  connect(jobs_view_, &QTableView::activated, this, [this](const QModelIndex& index) {
    if (const Node* node = jobs_->node(index)) workspace_.explain(node->id);
  });
  connect(pool_, &TimelineView::selected_changed, this, [this](RowId lookup) {
    if (const QModelIndex index = jobs_->index_of(lookup); index.isValid()) jobs_view_->setCurrentIndex(index);
  });
  connect(pool_, &TimelineView::explain_requested, &workspace_, &Workspace::explain);
  connect(why_, &QPushButton::clicked, this, [this] {
    if (shown_ != 0) workspace_.explain(shown_);
  });
}

void CompilePage::clear() {
  jobs_->set({});
  parts_->set({});
  closure_->set({});
  pool_->set_timeline({});
  command_->clear();
  output_->clear();
  head_->clear();
  note_->clear();
  why_->setEnabled(false);
  shown_ = 0;
}

void CompilePage::load() {
  workspace_.session()->ask(
      Session::Lane::slow, this, kJobs, [](Source& s, const Ticket& t) { return s.compile_jobs(kJobsShown, t); },
      [this](const Result<std::vector<CompileJob>>& jobs) {
        if (!jobs) return workspace_.report(jobs.error());
        show_jobs(*jobs);
      });
}

void CompilePage::show_jobs(const std::vector<CompileJob>& jobs) {
  stack_->setCurrentIndex(jobs.empty() ? 1 : 0);
  std::vector<Node> rows;
  double most = 0;
  for (const CompileJob& job : jobs) most = std::max(most, double(job.row.record.cost));
  for (const CompileJob& job : jobs) {
    const LookupRecord& r = job.row.record;
    Node node;
    node.id = job.row.id;
    Cell time(date_clock_text(r.time));
    time.tip = exact_time(r.time);
    time.sort = double(r.time);
    Cell outcome(outcome_words(job));
    outcome.outcome = job.outcome();
    Cell source(job.source.empty() ? QStringLiteral("–") : text_of(job.source).section(u'/', -1),
                job.source.empty() ? CellStyle::muted : CellStyle::strong);
    source.tip = source.exact = text_of(job.source);
    Cell compiler(text_of(job.compiler).section(u'/', -1));
    compiler.tip = compiler.exact = text_of(job.compiler);
    const auto span = [](Nanoseconds n) {
      return n < 0 ? Cell::figure({}, {}, -1) : Cell::figure(duration_text(n), exact_duration(n), double(n));
    };
    Cell cost = span(r.cost);
    if (most > 0 && r.cost > 0) cost.fraction = double(r.cost) / most;
    Cell note(one_line(text_of(!r.reason.empty() ? r.reason : r.save_error)), CellStyle::muted);
    note.tip = text_of(!r.reason.empty() ? r.reason : r.save_error);
    node.cells = {
        time, outcome, source, compiler, cost, span(r.saved), span(r.duration), Cell(text_of(job.row.run_name)), note};
    rows.push_back(std::move(node));
  }
  pool_->set_timeline(pool_lanes(jobs));
  const bool first = jobs_->rowCount() == 0;
  jobs_->set(std::move(rows));
  if (first) {
    const int widths[] = {146, 92, 150, 170, 100, 76, 76, 170};
    for (int c = 0; c < int(std::size(widths)); ++c) jobs_view_->setColumnWidth(c, widths[c]);
  }
  const QModelIndex again = jobs_->index_of(shown_);
  int telling = 0;  // the newest job that left more than a reason
  while (telling + 1 < int(jobs.size()) && jobs[std::size_t(telling)].source.empty()) ++telling;
  if (jobs_->rowCount() > 0) jobs_view_->setCurrentIndex(again.isValid() ? again : jobs_->index(telling, 0));
}

void CompilePage::ask_details(RowId lookup) {
  if (lookup == shown_ || !workspace_.session()) return;
  shown_ = lookup;
  workspace_.session()->ask(
      Session::Lane::quick, this, kDetails, [lookup](Source& s, const Ticket&) { return s.compile_job(lookup); },
      [this](const Result<CompileJobDetails>& details) {
        if (!details) return workspace_.report(details.error());
        show_details(*details);
      });
}

void CompilePage::show_details(const CompileJobDetails& d) {
  const LookupRecord& r = d.job.row.record;
  why_->setEnabled(true);
  pool_->set_selected(d.job.row.id);
  head_->setText(
      QStringLiteral("%1  %2").arg(outcome_words(d.job).toUpper(),
                                   d.job.source.empty() ? title_of(r.layer) : text_of(d.job.source).section(u'/', -1)));
  QStringList notes;
  if (!r.key.empty()) notes << short_digest(text_of(r.key));
  if (r.cost >= 0) notes << QStringLiteral("compiled for %1").arg(duration_text(r.cost));
  if (r.saved >= 0) notes << QStringLiteral("saved %1").arg(duration_text(r.saved));
  if (!r.reason.empty()) notes << one_line(text_of(r.reason), 120);
  if (!r.save_error.empty()) notes << one_line(text_of(r.save_error), 120);
  note_->setText(QStringLiteral("·  ") + notes.join(QStringLiteral("  ·  ")));
  note_->setToolTip(text_of(r.key));
  command_->setPlainText(
      d.command.empty()
          ? QStringLiteral("The command was not recorded: a compile that is not cached leaves only the reason.")
          : text_of(d.command));
  command_->setToolTip(
      d.exact_command || d.command.empty()
          ? QString()
          : QStringLiteral("Put together from the parts of the key: options that do not enter it are not shown"));

  std::vector<Node> rows, files;
  for (const Group& group : kGroups) {
    Node node;
    const QString prefix = QString::fromLatin1(group.prefix);
    for (const ComponentPtr c : d.components) {
      const QString name = text_of(c->name);
      if (!name.startsWith(prefix)) continue;
      Node part;
      QString shown = name;
      if (const auto open = name.indexOf(u'['); open >= 0)
        shown = name.mid(open + 1, name.lastIndexOf(u']') - open - 1);
      Cell label(shown);
      label.exact = name;
      Cell value(one_line(text_of(c->text), 400), CellStyle::code);
      value.tip = value.exact = text_of(c->text);
      part.cells = {label, value};
      if (prefix == QLatin1String("include[")) files.push_back(part);
      node.children.push_back(std::move(part));
    }
    if (node.children.empty()) continue;
    if (node.children.size() == 1 && !prefix.endsWith(u'[')) {
      Node single = std::move(node.children[0]);
      single.cells[0] = Cell(QString::fromLatin1(group.title), CellStyle::strong);
      rows.push_back(std::move(single));
      continue;
    }
    node.cells = {Cell(QString::fromLatin1(group.title), CellStyle::strong),
                  Cell(count_text(std::int64_t(node.children.size())), CellStyle::muted)};
    rows.push_back(std::move(node));
  }
  parts_->set(std::move(rows));
  parts_view_->setColumnWidth(0, 280);
  for (int row = 0; row < parts_->rowCount(); ++row)
    if (parts_->rowCount(parts_->index(row, 0)) <= 12) parts_view_->expand(parts_->index(row, 0));
  tabs_->setTabText(1, files.empty() ? QStringLiteral("Files")
                                     : QStringLiteral("Files (%1)").arg(count_text(std::int64_t(files.size()))));
  const bool any = !files.empty();
  closure_->set(std::move(files));
  if (any) closure_view_->setColumnWidth(0, 620);
  const QString said = text_of(d.out) + text_of(d.err);
  output_->setPlainText(!said.isEmpty() ? said
                        : d.stored
                            ? QStringLiteral("The compiler said nothing.")
                            : QStringLiteral("The result is not in the store, and with it what the compiler said."));
}

}  // namespace keyhole::inspector
