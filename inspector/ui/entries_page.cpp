// SPDX-License-Identifier: Apache-2.0
#include "inspector/ui/entries_page.h"

#include <QHeaderView>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QLabel>
#include <QPlainTextEdit>
#include <QRegularExpression>
#include <QScrollArea>
#include <QSplitter>
#include <QStackedWidget>
#include <QTabWidget>
#include <QVBoxLayout>

#include "inspector/core/format.h"
#include "inspector/core/guard_clauses.h"
#include "inspector/models/entry_model.h"
#include "inspector/models/node_model.h"
#include "inspector/ui/bars.h"
#include "inspector/ui/charts.h"
#include "inspector/ui/theme.h"
#include "inspector/ui/views.h"

namespace keyhole::inspector {
namespace {

enum Tab { kFacts, kSource, kGuard, kFiles, kTimings, kPickle, kUsers };
constexpr qsizetype kShownText = 2'000'000;  // characters; what is longer is cut, and says so

QPlainTextEdit* make_text(const QString& name) {
  auto* text = new QPlainTextEdit;
  text->setReadOnly(true);
  text->setFont(code_font());
  text->setLineWrapMode(QPlainTextEdit::NoWrap);
  text->setAccessibleName(name);
  text->setFrameShape(QFrame::NoFrame);
  return text;
}

// A JSON value as rows of a tree.
Node node_of(const QString& name, const QJsonValue& value, int depth) {
  Node node;
  QString text;
  if (value.isObject() && depth < 16) {
    const QJsonObject object = value.toObject();
    for (auto it = object.begin(); it != object.end(); ++it)
      node.children.push_back(node_of(it.key(), it.value(), depth + 1));
    text = plural(object.size(), QStringLiteral("field"), QStringLiteral("fields"));
  } else if (value.isArray() && depth < 16) {
    const QJsonArray array = value.toArray();
    for (int i = 0; i < array.size() && i < 1000; ++i)
      node.children.push_back(node_of(QString::number(i), array[i], depth + 1));
    text = plural(array.size(), QStringLiteral("item"), QStringLiteral("items"));
  } else {
    text = value.isString() ? value.toString() : value.toVariant().toString();
  }
  // "forward_time_taken_ns": 743024896
  QString title = name, shown = one_line(text, 400);
  if (depth == 0) title.replace(u'_', u' ');
  if (value.isDouble() && title.endsWith(QLatin1String(" ns"))) {
    title.chop(3);
    shown = duration_text(value.toInteger());
  } else if (value.isDouble() && title.endsWith(QLatin1String(" bytes"))) {
    title.chop(6);
    shown = bytes_text(value.toInteger());
  }
  if (depth == 0 && !title.isEmpty()) title[0] = title[0].toUpper();
  Cell cell(shown, node.children.empty() ? CellStyle::normal : CellStyle::muted);
  cell.tip = cell.exact = text;
  Cell label(title, CellStyle::muted);
  label.tip = name;
  node.cells = {label, cell};
  return node;
}

Node fact(const QString& name, const QString& value, const QString& exact = {}) {
  Node node;
  Cell cell(one_line(value, 400));
  cell.tip = cell.exact = exact.isEmpty() ? value : exact;
  node.cells = {Cell(name, CellStyle::muted), cell};
  return node;
}

}  // namespace

SourceHighlighter::SourceHighlighter(QTextDocument* document, const QWidget& widget)
    : QSyntaxHighlighter(document), widget_(widget) {}

void SourceHighlighter::highlightBlock(const QString& text) {
  static const QRegularExpression tokens(QStringLiteral(
      "(?<comment>#(?!include|define|pragma|if|ifdef|ifndef|endif|else)[^\\n]*|//[^\\n]*)"
      "|(?<literal>[fr]?\"\"\"|[fr]?'''|[fr]?\"(?:[^\"\\\\]|\\\\.)*\"|[fr]?'(?:[^'\\\\]|\\\\.)*')"
      "|(?<keyword>\\b(?:def|class|return|import|from|as|if|elif|else|for|while|in|is|not|and|or|with|try|except|"
      "finally|raise|"
      "lambda|del|pass|None|True|False|global|yield|assert|async|await|auto|const|void|int|long|float|double|char|bool|"
      "static|"
      "inline|template|typename|struct|namespace|using|extern|include|define|pragma|int64_t|int32_t|uint8_t)\\b)"
      "|(?<number>\\b(?:0x[0-9a-fA-F]+|\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?)\\b)"));
  const Theme& theme = Theme::of(widget_);
  if (text.size() > 5000) return;
  // A triple quote that opens and does not close on its line makes a block of literal.
  const QString triple = QStringLiteral("'''"), doubled = QStringLiteral("\"\"\"");
  int from = 0;
  setCurrentBlockState(0);
  if (previousBlockState() > 0) {
    const QString& end = previousBlockState() == 1 ? triple : doubled;
    const auto close = text.indexOf(end);
    setFormat(0, int(close < 0 ? text.size() : close + 3), theme.literal);
    if (close < 0) {
      setCurrentBlockState(previousBlockState());
      return;
    }
    from = int(close) + 3;
  }
  for (auto it = tokens.globalMatch(text, from); it.hasNext();) {
    const auto match = it.next();
    const int at = int(match.capturedStart());
    if (at < from) continue;
    if (!match.captured(QStringLiteral("comment")).isEmpty()) {
      setFormat(at, int(match.capturedLength()), theme.comment);
    } else if (const QString literal = match.captured(QStringLiteral("literal")); !literal.isEmpty()) {
      if (literal.endsWith(triple) || literal.endsWith(doubled)) {
        const QString quote = literal.right(3);
        const auto close = text.indexOf(quote, match.capturedEnd());
        setFormat(at, int(close < 0 ? text.size() : close + 3) - at, theme.literal);
        if (close < 0) {
          setCurrentBlockState(quote == triple ? 1 : 2);
          return;
        }
        from = int(close) + 3;
      } else {
        setFormat(at, int(match.capturedLength()), theme.literal);
      }
    } else if (!match.captured(QStringLiteral("keyword")).isEmpty()) {
      setFormat(at, int(match.capturedLength()), theme.keyword);
    } else {
      setFormat(at, int(match.capturedLength()), theme.number);
    }
  }
}

EntriesPage::EntriesPage(Workspace& workspace, QWidget* parent)
    : Page(workspace, parent),
      model_(new EntryModel(this)),
      view_(make_table(model_, QStringLiteral("Entries"), workspace)),
      count_(make_label({}, "muted")),
      head_(make_label({}, "sentence")),
      timings_note_(make_label({}, "muted")),
      danger_note_(make_label({}, "muted")),
      empty_(new EmptyState(
          QStringLiteral("No entries yet"),
          QStringLiteral("Import a cache folder:  keyhole import /tmp/torchinductor_you\nor drop it here. "
                         "keyhole record takes a snapshot of the folder that the program uses."))),
      stack_(new QStackedWidget),
      tabs_(new QTabWidget),
      facts_(new NodeModel({QStringLiteral("Field"), QStringLiteral("Value")}, this)),
      users_(new NodeModel({QStringLiteral("Time"), QStringLiteral("Outcome"), QStringLiteral("Run"),
                            QStringLiteral("Compile"), QStringLiteral("Function")},
                           this)),
      texts_(new NodeModel({QStringLiteral("Text"), QStringLiteral("Lines")}, this)),
      guard_(new NodeModel({QStringLiteral("Clause"), QStringLiteral("Reads")}, this)),
      files_(new NodeModel({QStringLiteral("File"), QStringLiteral("Size")}, this)),
      calls_(new NodeModel({QStringLiteral("Would be called"), QStringLiteral("Judged")}, this)),
      timings_(new BarList(QStringLiteral("Autotune timings"))),
      source_(make_text(QStringLiteral("Source"))),
      tree_(make_text(QStringLiteral("The pickle as a value"))) {
  view_->setSortingEnabled(true);
  view_->sortByColumn(int(EntryColumn::modified), Qt::DescendingOrder);
  const int widths[kEntryColumns] = {110, 96, 236, 80, 76, 148, 70, 80, 130, 160};
  for (int c = 0; c < kEntryColumns; ++c) view_->setColumnWidth(c, widths[c]);

  auto* left = new QWidget;
  auto* left_layout = new QVBoxLayout(left);
  left_layout->setContentsMargins(0, 0, 0, 0);
  left_layout->addWidget(new FilterBar(workspace.entry_filter()));
  left_layout->addWidget(view_, 1);
  left_layout->addWidget(count_);

  auto* details = new QWidget;
  auto* detail_layout = new QVBoxLayout(details);
  detail_layout->setContentsMargins(0, 0, 0, 0);
  head_->setText(QStringLiteral("Choose an entry to see what is in it"));
  detail_layout->addWidget(head_);
  facts_view_ = make_tree(facts_, QStringLiteral("Facts of the entry"), workspace_);
  users_view_ = make_table(users_, QStringLiteral("Who looked it up"), workspace_);
  texts_view_ = make_table(texts_, QStringLiteral("Texts of its compile"), workspace_);
  texts_view_->setMaximumWidth(260);
  auto* code = new QSplitter(Qt::Horizontal);
  code->addWidget(texts_view_);
  code->addWidget(source_);
  code->setSizes({220, 700});
  tabs_->setDocumentMode(true);
  tabs_->setAccessibleName(QStringLiteral("Details of the entry"));
  guard_view_ = make_tree(guard_, QStringLiteral("Clauses of the guard"), workspace_);
  guard_view_->setRootIsDecorated(false);
  files_view_ = make_table(files_, QStringLiteral("Files of the entry"), workspace_);
  calls_view_ = make_table(calls_, QStringLiteral("What the pickle would call"), workspace_);
  const auto with_note = [](QLabel* note, QWidget* below) {
    auto* page = new QWidget;
    auto* column = new QVBoxLayout(page);
    column->setContentsMargins(0, 6, 0, 0);
    note->setWordWrap(true);
    column->addWidget(note);
    column->addWidget(below, 1);
    return page;
  };
  auto* bars = new QScrollArea;
  bars->setWidgetResizable(true);
  bars->setAccessibleName(QStringLiteral("Autotune timings, scrolled"));
  bars->setWidget(timings_);
  auto* pickle = new QSplitter(Qt::Horizontal);
  pickle->addWidget(calls_view_);
  pickle->addWidget(tree_);
  pickle->setSizes({340, 600});
  tabs_->addTab(facts_view_, QStringLiteral("Facts"));
  tabs_->addTab(code, QStringLiteral("Source"));
  tabs_->addTab(guard_view_, QStringLiteral("Guard"));
  tabs_->addTab(files_view_, QStringLiteral("Files"));
  tabs_->addTab(with_note(timings_note_, bars), QStringLiteral("Timings"));
  tabs_->addTab(with_note(danger_note_, pickle), QStringLiteral("Pickle"));
  tabs_->addTab(users_view_, QStringLiteral("Used by"));
  detail_layout->addWidget(tabs_, 1);
  new SourceHighlighter(source_->document(), *source_);
  new SourceHighlighter(tree_->document(), *tree_);

  auto* splitter = new QSplitter(Qt::Vertical);
  splitter->addWidget(left);
  splitter->addWidget(details);
  splitter->setSizes({360, 360});
  splitter->setChildrenCollapsible(false);
  stack_->addWidget(splitter);
  stack_->addWidget(empty_);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(10, 10, 10, 10);
  layout->addWidget(stack_);

  connect(&workspace_.entry_filter(), &FilterStack::changed, this, &EntriesPage::apply_filter);
  connect(view_->selectionModel(), &QItemSelectionModel::currentRowChanged, this, [this](const QModelIndex& index) {
    if (const EntryRow* row = model_->row_at(index.row()); index.isValid() && row)
      show_entry(row->id, row->location_id);
  });
  connect(texts_view_->selectionModel(), &QItemSelectionModel::currentRowChanged, this,
          [this](const QModelIndex& index) {
            if (const Node* node = texts_->node(index)) source_->setPlainText(node->payload.toString());
          });
  connect(users_view_, &QTableView::activated, this, [this](const QModelIndex& index) {
    if (const Node* node = users_->node(index)) workspace_.explain(node->id);
  });
  connect(model_, &PagedModelBase::failed, &workspace_, &Workspace::failed);
  connect(model_, &PagedModelBase::counted, this, [this](qint64 rows) {
    stack_->setCurrentIndex(rows == 0 && model_->query().filter.children.empty() ? 1 : 0);
  });
  for (const auto told : {&PagedModelBase::asked, &PagedModelBase::loaded, &PagedModelBase::counting})
    connect(model_, told, this, &EntriesPage::show_count);
  connect(model_, &PagedModelBase::counted, this, &EntriesPage::show_count);
  connect(model_, &PagedModelBase::modelReset, this, &EntriesPage::show_count);
}

void EntriesPage::clear() {
  model_->set_session(nullptr);
  facts_->set({});
  users_->set({});
  texts_->set({});
  for (NodeModel* model : {guard_, files_, calls_}) model->set({});
  timings_->set({});
  source_->clear();
  tree_->clear();
  head_->setText(QStringLiteral("Choose an entry to see what is in it"));
  shown_ = shown_location_ = 0;
}

void EntriesPage::load() {
  if (model_->session() != workspace_.session())
    model_->set_session(workspace_.session());
  else
    model_->reload();
}

void EntriesPage::apply_filter() {
  if (workspace_.entry_filter().filter().error) return;
  EntryQuery query = model_->query();
  query.filter = workspace_.entry_filter().good().root;
  model_->set_query(std::move(query));
}

void EntriesPage::show_count() {
  const qint64 total = model_->total(), so_far = model_->counted_so_far();
  QString text = total >= 0   ? plural(total, QStringLiteral("entry"), QStringLiteral("entries"))
                 : so_far > 0 ? QStringLiteral("more than %1 entries…").arg(count_text(so_far))
                              : QStringLiteral("counting…");
  if (total >= 0 && !model_->query().filter.children.empty())
    text += total == 1 ? QStringLiteral(" passes the filter") : QStringLiteral(" pass the filter");
  if (model_->is_waiting() && model_->rowCount() > 0)
    text += QStringLiteral("  ·  putting them in order by %1; until then the rows before stay")
                .arg(model_->headerData(int(model_->query().sort), Qt::Horizontal, Qt::DisplayRole).toString());
  count_->setText(text);
}

void EntriesPage::show_entry(RowId id, RowId location) {
  if ((id == shown_ && location == shown_location_) || !workspace_.session()) return;
  shown_ = id;
  shown_location_ = location;
  workspace_.session()->ask(
      Session::Lane::quick, this, 0, [id, location](Source& s, const Ticket&) { return s.entry(id, location); },
      [this](const Result<EntryDetails>& details) {
        if (details)
          show_details(*details);
        else
          workspace_.report(details.error());
      });
}

void EntriesPage::show_details(const EntryDetails& d) {
  const EntryRecord& r = d.entry.record;
  head_->setText(QStringLiteral("%1  %2").arg(title_of(r.layer), short_digest(text_of(r.key))));
  head_->setToolTip(text_of(r.key));
  std::vector<Node> facts;
  facts.push_back(fact(QStringLiteral("Key"), text_of(r.key)));
  if (!r.path.empty()) facts.push_back(fact(QStringLiteral("File"), text_of(r.path)));
  facts.push_back(fact(QStringLiteral("Location"),
                       d.snapshot ? text_of(d.snapshot->record.location) : QStringLiteral("this store")));
  facts.push_back(
      fact(QStringLiteral("State"),
           QString::fromLatin1(name_of(r.state)) +
               (r.state == EntryState::vanished && r.state_reason.empty()
                    ? QStringLiteral(": the newest snapshot of its location lacks it; this is what was seen last")
                : r.state_reason.empty() ? QString()
                                         : QStringLiteral(": ") + text_of(r.state_reason))));
  facts.push_back(fact(QStringLiteral("Size"), bytes_text(r.size), exact_bytes(r.size)));
  facts.push_back(fact(QStringLiteral("Modified"), date_clock_text(r.modified), exact_time(r.modified)));
  if (!d.snapshot) {
    facts.push_back(fact(QStringLiteral("Served"), plural(d.hits, QStringLiteral("time"), QStringLiteral("times"))));
    if (d.last_use != kUnknownTime)
      facts.push_back(fact(QStringLiteral("Last use"), date_clock_text(d.last_use), exact_time(d.last_use)));
  }
  if (r.cost >= 0) facts.push_back(fact(QStringLiteral("Saves"), duration_text(r.cost), exact_duration(r.cost)));
  if (r.direction != Direction::unknown) facts.push_back(fact(QStringLiteral("Direction"), title_of(r.direction)));
  if (!r.code_key.empty()) facts.push_back(fact(QStringLiteral("Code"), text_of(r.code_key)));
  if (!r.needs.empty()) {
    Node needs = fact(QStringLiteral("Needs"), plural(std::int64_t(r.needs.size()), QStringLiteral("file or key"),
                                                      QStringLiteral("files and keys")));
    for (const std::string& need : r.needs) needs.children.push_back(fact({}, text_of(need)));
    facts.push_back(std::move(needs));
  }
  const QJsonDocument metadata = QJsonDocument::fromJson(QByteArray::fromStdString(r.metadata_json));
  const QJsonObject object = metadata.object();
  for (auto it = object.begin(); it != object.end(); ++it) facts.push_back(node_of(it.key(), it.value(), 0));
  if (!r.metadata_json.empty() && !metadata.isObject())
    facts.push_back(fact(QStringLiteral("Metadata"), text_of(r.metadata_json)));
  facts_->set(std::move(facts));
  facts_view_->resizeColumnToContents(0);

  std::vector<Node> clauses;
  if (!r.guard.empty())
    for (const ShownClause& clause : clauses_of(r.guard)) {
      Node node;
      Cell text(clause.text, CellStyle::code);
      text.tip = clause.text;
      node.cells = {text, Cell(QString(clause.hints).remove(QStringLiteral(" = ?")), CellStyle::muted)};
      clauses.push_back(std::move(node));
    }
  if (clauses.empty())
    clauses.push_back(
        {{Cell(QStringLiteral("No guard: the entry holds for every input of its key."), CellStyle::muted)},
         0,
         {},
         {},
         {}});
  tabs_->setTabText(kGuard,
                    r.guard.empty() ? QStringLiteral("Guard") : QStringLiteral("Guard (%1)").arg(clauses.size()));
  guard_->set(std::move(clauses));
  guard_view_->setColumnWidth(0, 560);
  std::vector<Node> files;
  for (const EntryFile& file : d.files) {
    Node node;
    Cell name(text_of(file.path));
    name.tip = text_of(file.path);
    node.cells = {name, file.size < 0 ? Cell::figure(QStringLiteral("–"), {}, -1)
                                      : Cell::figure(bytes_text(file.size), exact_bytes(file.size), double(file.size))};
    files.push_back(std::move(node));
  }
  tabs_->setTabVisible(kFiles, !files.empty());
  tabs_->setTabText(kFiles, QStringLiteral("Files (%1)").arg(files.size()));
  files_->set(std::move(files));
  files_view_->setColumnWidth(0, 620);
  show_timings(r);
  show_danger(d);
  std::vector<Node> users;
  for (const LookupRow& user : d.users) {
    Node node;
    node.id = user.id;
    Cell time(date_clock_text(user.record.time));
    time.tip = exact_time(user.record.time);
    node.cells = {time, Cell::of(user.record.outcome), Cell(text_of(user.run_name)),
                  Cell(text_of(user.record.compile.text())), Cell(text_of(user.function))};
    users.push_back(std::move(node));
  }
  tabs_->setTabText(kUsers, QStringLiteral("Used by (%1)").arg(users.size()));
  users_->set(std::move(users));
  users_view_->resizeColumnsToContents();

  std::vector<Node> texts;
  const auto text_row = [](const QString& name, const QString& tip, const std::string& content) {
    Node node;
    Cell cell(QString(name).replace(u'_', u' '));
    cell.tip = tip;
    const auto lines = std::count(content.begin(), content.end(), '\n') + 1;
    node.cells = {cell, Cell::figure(count_text(lines), {}, double(lines))};
    QString shown = text_of(content);
    if (shown.size() > kShownText)
      shown =
          shown.left(kShownText) + QStringLiteral("\n… cut: the text has %1 characters").arg(count_text(shown.size()));
    node.payload = shown;
    return node;
  };
  for (const TextRecord& text : d.texts) {
    Node node = text_row(QString::fromLatin1(name_of(text.kind)), text_of(text.name), text.text);
    if (text.kind == TextKind::output_code)
      texts.insert(texts.begin(), std::move(node));
    else
      texts.push_back(std::move(node));
  }
  std::size_t place = 0;
  for (const auto& [title, content] : d.own_texts)
    texts.insert(texts.begin() + std::ptrdiff_t(place++),
                 text_row(text_of(title), QStringLiteral("as it stands in the entry"), content));
  const bool none = texts.empty();
  texts_->set(std::move(texts));
  texts_view_->resizeColumnsToContents();
  if (none)
    source_->setPlainText(
        d.snapshot
            ? QStringLiteral(
                  "No source is known of this entry: its file is gone, and the trace of its compile was not imported.")
            : QStringLiteral("No source is known of this entry: it holds no text, and no trace of its compile was "
                             "imported."));
  else
    texts_view_->setCurrentIndex(texts_->index(0, 0));
}

// {"cache": {operation: {inputs: {precision: {choice: seconds}}}}} of an autotune file.
void EntriesPage::show_timings(const EntryRecord& r) {
  std::vector<BarList::Bar> bars;
  const QJsonObject cache =
      QJsonDocument::fromJson(QByteArray::fromStdString(r.metadata_json)).object()[QStringLiteral("cache")].toObject();
  int measured = 0;
  for (auto op = cache.begin(); op != cache.end(); ++op) {
    const QJsonObject inputs = op->toObject();
    for (auto in = inputs.begin(); in != inputs.end(); ++in) {
      const QJsonObject precisions = in->toObject();
      for (auto precision = precisions.begin(); precision != precisions.end(); ++precision) {
        ++measured;
        std::vector<BarList::Bar> choices;
        const QJsonObject timed = precision->toObject();
        for (auto choice = timed.begin(); choice != timed.end(); ++choice) {
          if (!choice->isDouble()) continue;
          const double seconds = choice->toDouble();
          choices.push_back(
              {op.key() + QStringLiteral("  ") + choice.key(), seconds_text(seconds),
               QStringLiteral("%1 s\ninputs: %2\nprecision: %3").arg(seconds, 0, 'g', 9).arg(in.key(), precision.key()),
               seconds});
        }
        std::sort(choices.begin(), choices.end(), [](const auto& a, const auto& b) { return a.value < b.value; });
        bars.insert(bars.end(), choices.begin(), choices.end());
      }
    }
  }
  timings_note_->setText(
      QStringLiteral("%1 of %2, the fastest choice first; the tooltip tells the inputs")
          .arg(plural(std::int64_t(bars.size()), QStringLiteral("timing"), QStringLiteral("timings")),
               plural(measured, QStringLiteral("measured operation"), QStringLiteral("measured operations"))));
  tabs_->setTabVisible(kTimings, !bars.empty());
  timings_->set(std::move(bars));
}

void EntriesPage::show_danger(const EntryDetails& d) {
  std::vector<Node> calls;
  for (const std::string& name : d.suspicious) {
    Cell judged(QStringLiteral("has no business here"), CellStyle::strong);
    judged.outcome = Outcome::error;
    calls.push_back({{Cell(text_of(name), CellStyle::code), judged}, 0, {}, {}, {}});
  }
  for (const std::string& name : d.would_run)
    if (std::find(d.suspicious.begin(), d.suspicious.end(), name) == d.suspicious.end())
      calls.push_back(
          {{Cell(text_of(name), CellStyle::code), Cell(QStringLiteral("expected"), CellStyle::muted)}, 0, {}, {}, {}});
  QString note = d.suspicious.empty()
                     ? QStringLiteral("Loading this entry would call the following. Nothing was executed to show it.")
                     : QStringLiteral("This entry would call what has no business in a cache: do not load it.");
  if (!d.file_note.empty()) note = text_of(d.file_note);
  danger_note_->setText(note);
  const bool pickled =
      d.snapshot && (d.entry.record.layer == Layer::fx_graph || d.entry.record.layer == Layer::aot_autograd);
  tabs_->setTabVisible(kPickle, pickled);
  tabs_->setTabText(kPickle, d.suspicious.empty() ? QStringLiteral("Pickle")
                                                  : QStringLiteral("Pickle: suspicious (%1)").arg(d.suspicious.size()));
  calls_->set(std::move(calls));
  calls_view_->setColumnWidth(0, 230);
  tree_->setPlainText(text_of(d.tree));
}

}  // namespace keyhole::inspector
