// SPDX-License-Identifier: Apache-2.0
#include "inspector/ui/bars.h"

#include <QAbstractItemView>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QListView>
#include <QProgressBar>
#include <QPushButton>
#include <QShortcut>
#include <QStringListModel>
#include <QStyle>
#include <QTimer>
#include <QToolButton>
#include <QVBoxLayout>

#include "inspector/core/format.h"
#include "inspector/core/import_job.h"
#include "inspector/models/filter_stack.h"
#include "inspector/models/node_model.h"
#include "inspector/ui/theme.h"
#include "inspector/ui/views.h"

namespace keyhole::inspector {

// --- FilterBar -------------------------------------------------------------------------------------------------------

FilterBar::FilterBar(FilterStack& filters, QWidget* parent)
    : QWidget(parent),
      filters_(filters),
      edit_(new QLineEdit),
      error_(make_label({}, "muted")),
      chips_(new QWidget),
      words_(new QStringListModel(this)) {
  edit_->setPlaceholderText(
      filters.of_entries()
          ? QStringLiteral("Filter entries: layer:fx_graph size>1MB state:damaged, or any word of their code")
          : QStringLiteral("Filter: outcome:miss cost>1s layer:fx_graph"));
  edit_->setAccessibleName(filters.of_entries() ? QStringLiteral("Filter entries") : QStringLiteral("Filter"));
  edit_->setClearButtonEnabled(true);
  edit_->setToolTip(
      QStringLiteral("Fields, comparison and units, AND OR NOT, \"quoted\", /expression/.\nCtrl+Space completes, "
                     "Ctrl+Z goes back to the filter before."));
  edit_->installEventFilter(this);
  for (QObject* child : edit_->children())
    if (auto* button = qobject_cast<QToolButton*>(child))
      button->setAccessibleName(filters.of_entries() ? QStringLiteral("Clear the filter of entries")
                                                     : QStringLiteral("Clear the filter"));
  completer_ = new QCompleter(words_, this);
  completer_->setWidget(edit_);
  completer_->setCompletionMode(QCompleter::UnfilteredPopupCompletion);
  completer_->popup()->setAccessibleName(filters.of_entries() ? QStringLiteral("Completions of the filter of entries")
                                                              : QStringLiteral("Filter completions"));

  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(4);
  layout->addWidget(edit_);
  chip_row_ = new QHBoxLayout(chips_);
  chip_row_->setContentsMargins(0, 0, 0, 0);
  chip_row_->setSpacing(4);
  layout->addWidget(chips_);
  layout->addWidget(error_);
  error_->hide();
  chips_->hide();

  connect(edit_, &QLineEdit::textEdited, this, [this](const QString& text) {
    filters_.set(text, true);
    complete();
  });
  connect(edit_, &QLineEdit::textChanged, this, [this](const QString& text) {
    if (text.isEmpty()) filters_.set(text);
  });
  connect(completer_, qOverload<const QString&>(&QCompleter::activated), this, [this](const QString& word) {
    const int cursor = edit_->cursorPosition();
    QString text = edit_->text();
    int begin = cursor;
    while (begin > 0 && !text[begin - 1].isSpace() && text[begin - 1] != u'(' && text[begin - 1] != u'-') --begin;
    const bool done = !word.endsWith(u':') && !word.endsWith(u'>');
    text.replace(begin, cursor - begin, done ? word + u' ' : word);
    edit_->setText(text);
    edit_->setCursorPosition(begin + int(word.size()) + done);
    filters_.set(text.trimmed());
  });
  connect(&filters_, &FilterStack::changed, this, &FilterBar::show_filter);
}

void FilterBar::complete() {
  const QStringList words = complete_filter(edit_->text(), edit_->cursorPosition(), filters_.of_entries());
  const QString typed = edit_->text().left(edit_->cursorPosition());
  if (words.isEmpty() || typed.isEmpty() || typed.back().isSpace() || (words.size() == 1 && typed.endsWith(words[0]))) {
    completer_->popup()->hide();
    return;
  }
  words_->setStringList(words);
  completer_->complete();
}

bool FilterBar::eventFilter(QObject*, QEvent* event) {
  if (event->type() != QEvent::KeyPress && event->type() != QEvent::ShortcutOverride) return false;
  auto* key = static_cast<QKeyEvent*>(event);
  const bool undo = key->matches(QKeySequence::Undo), redo = key->matches(QKeySequence::Redo);
  const bool completion = key->key() == Qt::Key_Space && key->modifiers() == Qt::ControlModifier;
  if (!undo && !redo && !completion) return false;
  event->accept();
  if (event->type() == QEvent::ShortcutOverride) return true;
  if (undo) filters_.undo();
  if (redo) filters_.redo();
  if (completion) {
    words_->setStringList(complete_filter(edit_->text(), edit_->cursorPosition(), filters_.of_entries()));
    completer_->complete();
  }
  return true;
}

void FilterBar::show_filter() {
  const Filter& filter = filters_.filter();
  if (edit_->text().trimmed() != filter.source.trimmed()) edit_->setText(filter.source);
  edit_->setProperty("wrong", filter.error.has_value());
  edit_->style()->unpolish(edit_);
  edit_->style()->polish(edit_);
  error_->setVisible(filter.error.has_value());
  if (filter.error) {
    const auto& e = *filter.error;
    const QString at = filter.source.mid(e.column, e.length);
    error_->setText(QStringLiteral("Column %1%2: %3")
                        .arg(e.column + 1)
                        .arg(at.isEmpty() ? QString() : QStringLiteral(" ‘%1’").arg(at), e.message));
    return;
  }
  while (QLayoutItem* item = chip_row_->takeAt(0)) {
    if (item->widget()) item->widget()->deleteLater();
    delete item;
  }
  const auto chips = filter_chips(filter.source);
  chips_->setVisible(!chips.empty());
  for (const FilterChip& chip : chips) {
    auto* button = new QPushButton(chip.text + QStringLiteral("  ×"));
    button->setAccessibleName(QStringLiteral("Remove the condition %1").arg(chip.text));
    button->setToolTip(QStringLiteral("Remove this condition"));
    button->setMaximumWidth(320);
    connect(button, &QPushButton::clicked, this, [this, chip] {
      const QString rest = without_chip(filters_.filter().source, chip);
      edit_->setText(rest);
      filters_.set(rest);
    });
    chip_row_->addWidget(button);
  }
  chip_row_->addStretch();
}

// --- MessagePanel ----------------------------------------------------------------------------------------------------

MessagePanel::MessagePanel(QWidget* parent)
    : QFrame(parent), text_(make_label({}, "heading")), hint_(make_label({}, "")), timer_(new QTimer(this)) {
  auto* layout = new QHBoxLayout(this);
  layout->setContentsMargins(12, 6, 8, 6);
  auto* column = new QVBoxLayout;
  column->setSpacing(2);
  column->addWidget(text_);
  column->addWidget(hint_);
  text_->setWordWrap(true);
  hint_->setWordWrap(true);
  text_->setTextInteractionFlags(Qt::TextSelectableByMouse);
  layout->addLayout(column, 1);
  auto* close = new QToolButton;
  close->setProperty("flat", true);
  close->setText(QStringLiteral("×"));
  close->setAccessibleName(QStringLiteral("Close this message"));
  connect(close, &QToolButton::clicked, this, &QWidget::hide);
  layout->addWidget(close, 0, Qt::AlignTop);
  timer_->setSingleShot(true);
  connect(timer_, &QTimer::timeout, this, &QWidget::hide);
  setObjectName(QStringLiteral("notice"));
  hide();
}

// Working out the style sheet anew takes 20 to 30 ms.
void MessagePanel::become(const QString& kind) {
  if (objectName() == kind) return;
  setObjectName(kind);
  style()->unpolish(this);
  style()->polish(this);
}

void MessagePanel::show_error(const Error& error) {
  timer_->stop();
  become(QStringLiteral("error"));
  QString what = text_of(error.what);
  if (!what.isEmpty()) what[0] = what[0].toUpper();
  text_->setText(error.where.empty() ? what : QStringLiteral("%1 (%2)").arg(what, text_of(error.where)));
  hint_->setText(error.hint.empty() ? QString() : QStringLiteral("What to do: %1").arg(text_of(error.hint)));
  hint_->setVisible(!error.hint.empty());
  setAccessibleName(text_->text() + u' ' + hint_->text());
  show();
}

void MessagePanel::show_notice(const QString& text) {
  if (isVisible() && objectName() == QLatin1String("error")) {  // an error is not talked over
    hint_->setText(hint_->text().isEmpty() ? text : hint_->text() + u'\n' + text);
    hint_->show();
    return;
  }
  become(QStringLiteral("notice"));
  QString said = text;
  if (!said.isEmpty()) said[0] = said[0].toUpper();
  text_->setText(said);
  hint_->hide();
  setAccessibleName(text);
  show();
  timer_->start(6000);
}

QString MessagePanel::text() const {
  return text_->text() + u'\n' + hint_->text();
}

// --- ImportPanel -----------------------------------------------------------------------------------------------------

ImportPanel::ImportPanel(Workspace& workspace, QWidget* parent)
    : QFrame(parent),
      workspace_(workspace),
      text_(make_label({}, "")),
      bar_(new QProgressBar),
      cancel_(new QPushButton(QStringLiteral("Cancel"))) {
  setObjectName(QStringLiteral("notice"));
  auto* layout = new QHBoxLayout(this);
  layout->setContentsMargins(12, 6, 8, 6);
  bar_->setTextVisible(false);
  bar_->setFixedWidth(220);
  bar_->setAccessibleName(QStringLiteral("Progress of the import"));
  cancel_->setAccessibleName(QStringLiteral("Cancel the import"));
  layout->addWidget(text_, 1);
  layout->addWidget(bar_);
  layout->addWidget(cancel_);
  connect(cancel_, &QPushButton::clicked, this, [this] {
    waiting_.clear();
    if (job_) job_->cancel();
    text_->setText(QStringLiteral("Stopping…"));
  });
  hide();
}

ImportPanel::~ImportPanel() = default;

void ImportPanel::start(const QString& store, const QStringList& paths) {
  waiting_.emplace_back(store, paths);
  if (!job_) next();
}

void ImportPanel::next() {
  if (waiting_.empty()) {
    hide();
    return;
  }
  const auto [store, paths] = waiting_.front();
  waiting_.erase(waiting_.begin());
  job_ = new ImportJob(store, paths, this);
  text_->setText(QStringLiteral("Reading %1…").arg(paths.value(0)));
  bar_->setRange(0, 0);
  show();
  connect(job_, &ImportJob::progress, this, [this](const QString& path, qint64 done, qint64 total, double left) {
    bar_->setRange(0, 1000);
    bar_->setValue(total > 0 ? int(double(done) / double(total) * 1000) : 0);
    text_->setText(QStringLiteral("Reading %1: %2 of %3%4")
                       .arg(path, bytes_text(done), bytes_text(total),
                            left >= 0 ? QStringLiteral(", %1 left").arg(seconds_text(left)) : QString()));
  });
  connect(job_, &ImportJob::failed, &workspace_, &Workspace::failed);
  connect(job_, &ImportJob::finished, this, [this](const QString& summary, bool cancelled) {
    const QString store_done = job_->store();
    job_->deleteLater();
    job_ = nullptr;
    if (!summary.isEmpty())
      workspace_.say(cancelled ? QStringLiteral("Import stopped; %1 stay in the store.").arg(summary)
                               : QStringLiteral("Imported %1.").arg(summary));
    Q_EMIT finished(store_done);
    next();
  });
  job_->start();
}

// --- EmptyState ------------------------------------------------------------------------------------------------------

EmptyState::EmptyState(const QString& title, const QString& text, QWidget* parent)
    : QWidget(parent),
      title_(make_label(title, "sentence")),
      text_(make_label(text, "muted")),
      actions_(new QHBoxLayout) {
  auto* layout = new QVBoxLayout(this);
  layout->addStretch(2);
  title_->setAlignment(Qt::AlignCenter);
  text_->setAlignment(Qt::AlignCenter);
  text_->setWordWrap(true);
  layout->addWidget(title_);
  layout->addWidget(text_);
  layout->addSpacing(8);
  actions_->setAlignment(Qt::AlignCenter);
  layout->addLayout(actions_);
  layout->addStretch(3);
}

void EmptyState::set(const QString& title, const QString& text) {
  title_->setText(title);
  text_->setText(text);
}

QPushButton* EmptyState::add_action(const QString& text, std::function<void()> action) {
  auto* button = new QPushButton(text);
  connect(button, &QPushButton::clicked, this, std::move(action));
  actions_->addWidget(button);
  return button;
}

// --- JumpBox ---------------------------------------------------------------------------------------------------------

namespace {

struct PageName {
  PageId page;
  const char* name;
};
constexpr PageName kPages[] = {{PageId::overview, "Overview"}, {PageId::history, "History"},
                               {PageId::entries, "Entries"},   {PageId::compiles, "Compiles"},
                               {PageId::diagnose, "Diagnose"}, {PageId::compare, "Compare"}};

}  // namespace

JumpBox::JumpBox(Workspace& workspace, QWidget* parent)
    : QFrame(parent),
      workspace_(workspace),
      edit_(new QLineEdit),
      list_(new QListView),
      model_(new NodeModel({QStringLiteral("Where to")}, this)) {
  setObjectName(QStringLiteral("panel"));
  setAccessibleName(QStringLiteral("Jump to"));
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(10, 10, 10, 10);
  edit_->setPlaceholderText(QStringLiteral("A key, a lookup's number, a compile id such as 0/0, a run, a page"));
  edit_->setAccessibleName(QStringLiteral("Jump to"));
  edit_->installEventFilter(this);
  list_->setModel(model_);
  list_->setAccessibleName(QStringLiteral("Places to jump to"));
  list_->setItemDelegate(new CellDelegate(list_));
  list_->setEditTriggers(QAbstractItemView::NoEditTriggers);
  list_->setFocusPolicy(Qt::NoFocus);
  layout->addWidget(edit_);
  layout->addWidget(list_);
  connect(edit_, &QLineEdit::textChanged, this, &JumpBox::search);
  connect(list_, &QListView::clicked, this, &JumpBox::choose);
  hide();
}

void JumpBox::open() {
  const int width = std::min(640, parentWidget()->width() - 40);
  setGeometry((parentWidget()->width() - width) / 2, 60, width, 320);
  edit_->clear();
  search({});
  show();
  raise();
  edit_->setFocus();
}

bool JumpBox::eventFilter(QObject*, QEvent* event) {
  if (event->type() == QEvent::FocusOut && !isAncestorOf(focusWidget())) hide();
  if (event->type() != QEvent::KeyPress) return false;
  auto* key = static_cast<QKeyEvent*>(event);
  const int row = list_->currentIndex().row();
  switch (key->key()) {
    case Qt::Key_Escape:
      hide();
      return true;
    case Qt::Key_Return:
    case Qt::Key_Enter:
      choose();
      return true;
    case Qt::Key_Down:
      list_->setCurrentIndex(model_->index(std::min(row + 1, model_->rowCount() - 1), 0));
      return true;
    case Qt::Key_Up:
      list_->setCurrentIndex(model_->index(std::max(row - 1, 0), 0));
      return true;
    default:
      return false;
  }
}

void JumpBox::search(const QString& text) {
  std::vector<Node> pages;
  for (const PageName& page : kPages) {
    const QString name = QString::fromLatin1(page.name);
    if (!text.isEmpty() && !name.startsWith(text, Qt::CaseInsensitive)) continue;
    Node node;
    node.cells = {Cell(QStringLiteral("Page  ") + name)};
    node.payload = int(page.page);
    pages.push_back(std::move(node));
  }
  const QString wanted = text.trimmed();
  if (wanted.isEmpty() || !workspace_.session()) {
    model_->set(std::move(pages));
    list_->setCurrentIndex(model_->index(0, 0));
    return;
  }
  struct Found {
    std::vector<LookupRow> lookups;
    std::vector<RunRow> runs;
  };
  workspace_.session()->ask(
      Session::Lane::quick, this, 0,
      [wanted](Source& source, const Ticket&) -> Result<Found> {
        Found found;
        bool number = false;
        const qlonglong id = wanted.toLongLong(&number);
        if (number) {
          auto row = source.lookup(id);
          if (row && *row) found.lookups.push_back(**row);
        }
        if (wanted.size() >= 4) {
          if (auto rows = source.with_key_prefix(wanted.toStdString(), 20))
            found.lookups.insert(found.lookups.end(), rows->begin(), rows->end());
        }
        if (CompileId::parse(wanted.toStdString())) {
          LookupQuery query;
          query.filter = parse_filter(QStringLiteral("compile=") + wanted).root;
          if (auto rows = source.rows(query, 0, 20))
            found.lookups.insert(found.lookups.end(), rows->begin(), rows->end());
        }
        constexpr std::size_t kRunsSearched = 2'000;
        auto runs = source.newest_runs(kRunsSearched);
        if (!runs) return tl::unexpected(runs.error());
        for (const RunRow& run : *runs)
          if (text_of(run.record.name).contains(wanted, Qt::CaseInsensitive) && found.runs.size() < 10)
            found.runs.push_back(run);
        if (found.runs.empty())
          if (auto run = source.run_named(wanted.toStdString()); run && *run) found.runs.push_back(std::move(**run));
        return found;
      },
      [this, pages = std::move(pages)](const Result<Found>& found) {
        std::vector<Node> rows = pages;
        if (found) {
          for (const LookupRow& row : found->lookups) {
            Node node;
            Cell cell(QStringLiteral("Lookup %1  %2 %3  %4  %5")
                          .arg(row.id)
                          .arg(title_of(row.record.layer), text_of(row.record.compile.text()),
                               short_digest(text_of(row.record.key)), text_of(row.run_name)));
            cell.outcome = row.record.outcome;
            node.cells = {cell};
            node.id = row.id;
            rows.push_back(std::move(node));
          }
          for (const RunRow& run : found->runs) {
            Node node;
            node.cells = {
                Cell(QStringLiteral("Run  %1  %2").arg(text_of(run.record.name), date_clock_text(run.record.start)))};
            node.filter = QStringLiteral("run=") + quoted_value(text_of(run.record.name));
            rows.push_back(std::move(node));
          }
        }
        if (rows.empty()) rows.push_back({{Cell(QStringLiteral("Nothing found"), CellStyle::muted)}, 0, {}, {}, {}});
        model_->set(std::move(rows));
        list_->setCurrentIndex(model_->index(0, 0));
      });
}

void JumpBox::choose() {
  const QModelIndex index = list_->currentIndex();
  const Node* node = model_->node(index);
  if (!node) return;
  if (node->id == 0 && node->filter.isEmpty() && !node->payload.isValid()) return;
  hide();
  if (node->id != 0)
    workspace_.explain(node->id);
  else if (!node->filter.isEmpty())
    workspace_.go_to_rows(node->filter);
  else
    workspace_.go(PageId(node->payload.toInt()));
}

}  // namespace keyhole::inspector
