// SPDX-License-Identifier: Apache-2.0
#include "inspector/ui/key_page.h"

#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QSplitter>
#include <QTabWidget>
#include <QTreeView>
#include <QVBoxLayout>
#include <map>

#include "inspector/core/format.h"
#include "inspector/models/node_model.h"
#include "inspector/ui/theme.h"
#include "inspector/ui/views.h"

namespace keyhole::inspector {
namespace {

enum KeyChannel { kBreakdown, kChanging };

}  // namespace

KeyPage::KeyPage(Workspace& workspace, QWidget* parent)
    : Page(workspace, parent),
      head_(make_label({}, "muted")),
      find_(new QLineEdit),
      model_(new NodeModel({QStringLiteral("Component"), QStringLiteral("Value"), QStringLiteral("Digest"),
                            QStringLiteral("Shared by"), QStringLiteral("Values seen")},
                           this)),
      changing_(new NodeModel({QStringLiteral("Component"), QStringLiteral("Changes"), QStringLiteral("Values"),
                               QStringLiteral("Newest change")},
                              this)),
      view_(make_tree(model_, QStringLiteral("Components of the key"), workspace)),
      changing_view_(make_tree(changing_, QStringLiteral("Components by how often they change"), workspace)),
      tabs_(new QTabWidget),
      changing_note_(make_label({}, "muted")),
      text_(new QPlainTextEdit) {
  find_->setPlaceholderText(QStringLiteral("Find a component or a value"));
  find_->setAccessibleName(QStringLiteral("Find a component"));
  find_->setClearButtonEnabled(true);
  text_->setReadOnly(true);
  text_->setFont(code_font());
  text_->setAccessibleName(QStringLiteral("The whole value of the component"));
  text_->setPlaceholderText(QStringLiteral("Choose a component to see its whole value."));
  view_->setSortingEnabled(true);
  view_->header()->setSortIndicator(-1, Qt::AscendingOrder);
  view_->header()->setStretchLastSection(false);
  view_->header()->setSectionResizeMode(1, QHeaderView::Stretch);
  auto* splitter = new QSplitter(Qt::Vertical);
  splitter->addWidget(view_);
  tabs_->setDocumentMode(true);
  tabs_->setAccessibleName(QStringLiteral("Below the components"));
  text_->setFrameShape(QFrame::NoFrame);
  tabs_->addTab(text_, QStringLiteral("Whole value"));
  auto* often = new QWidget;
  auto* often_layout = new QVBoxLayout(often);
  often_layout->setContentsMargins(0, 4, 0, 0);
  often_layout->addWidget(changing_note_);
  often_layout->addWidget(changing_view_, 1);
  changing_view_->setRootIsDecorated(false);
  tabs_->addTab(often, QStringLiteral("Changes most often"));
  splitter->addWidget(tabs_);
  splitter->setSizes({400, 200});
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(14, 12, 14, 12);
  head_->setWordWrap(true);
  layout->addWidget(head_);
  layout->addWidget(find_);
  layout->addWidget(splitter, 1);
  connect(find_, &QLineEdit::textChanged, this, &KeyPage::show_components);
  connect(view_->selectionModel(), &QItemSelectionModel::currentChanged, this, [this](const QModelIndex& index) {
    if (const Node* node = model_->node(index)) text_->setPlainText(node->payload.toString());
  });
  connect(changing_view_, &QTreeView::activated, this, [this](const QModelIndex& index) {
    if (const Node* node = changing_->node(index); node && node->id != 0) workspace_.explain(node->id);
  });
  connect(&workspace_, &Workspace::selection_changed, this, &KeyPage::touch);
}

void KeyPage::clear() {
  breakdown_ = {};
  model_->set({});
  changing_->set({});
  changing_note_->clear();
  text_->clear();
  head_->clear();
}

void KeyPage::load() {
  const RowId id = workspace_.selected();
  if (id == 0) {
    head_->setText(QStringLiteral("No lookup selected: choose one on the left, in the timeline, or with Ctrl+K."));
    model_->set({});
    return;
  }
  workspace_.session()->ask(
      Session::Lane::slow, this, kBreakdown, [id](Source& s, const Ticket& t) { return s.breakdown(id, t); },
      [this](Result<KeyBreakdown> breakdown) {
        if (!breakdown) return workspace_.report(breakdown.error());
        breakdown_ = std::move(*breakdown);
        show_components();
        const Layer layer = breakdown_.lookup.record.layer;
        workspace_.session()->ask(
            Session::Lane::slow, this, kChanging, [layer](Source& s, const Ticket& t) { return s.changing(layer, t); },
            [this](const Result<Changing>& changing) {
              if (!changing) return workspace_.report(changing.error());
              show_changing(*changing);
            });
      });
}

void KeyPage::show_changing(const Changing& changing) {
  changing_note_->setText(
      changing.compared == 0
          ? QStringLiteral("No compile of this layer was looked up twice with its components recorded.")
          : QStringLiteral("%1 of the newest %2 lookups of this layer, each with the one before of the same compile. "
                           "Enter explains the newest change.")
                .arg(plural(changing.compared, QStringLiteral("pair"), QStringLiteral("pairs")),
                     count_text(changing.lookups)));
  std::vector<Node> rows;
  const double most = changing.rows.empty() ? 0 : double(changing.rows.front().changes);
  for (const Changing::Row& row : changing.rows) {
    Node node;
    node.id = row.lookup;
    Cell changes = Cell::figure(
        count_text(row.changes),
        QStringLiteral("in %1 of %2")
            .arg(count_text(row.changes), plural(changing.compared, QStringLiteral("pair"), QStringLiteral("pairs"))),
        double(row.changes));
    if (most > 0) changes.fraction = double(row.changes) / most;
    const auto side = [](const std::string& text) {
      return text.empty() ? QStringLiteral("(none)") : one_line(value_text(text), 80);
    };
    Cell newest(row.before == row.after ? QStringLiteral("only its digest")
                                        : side(row.before) + QStringLiteral(" → ") + side(row.after),
                CellStyle::code);
    newest.tip = one_line(text_of(row.before), 400) + QStringLiteral("\n→ ") + one_line(text_of(row.after), 400);
    node.cells = {Cell(text_of(row.component), CellStyle::strong), changes,
                  Cell::figure(count_text(row.values), {}, double(row.values)), newest};
    rows.push_back(std::move(node));
  }
  changing_->set(std::move(rows));
  const int widths[] = {270, 80, 80};
  for (int c = 0; c < 3; ++c) changing_view_->setColumnWidth(c, widths[c]);
}

void KeyPage::show_components() {
  const LookupRow& lookup = breakdown_.lookup;
  const QString key = text_of(lookup.record.key);
  if (breakdown_.components.empty()) {
    head_->setText(
        lookup.record.layer == Layer::aot_autograd
            ? QStringLiteral("The components of %1 were not recorded. PyTorch leaves AOTAutograd's out unless its "
                             "debug log is on: keyhole record switches it on.")
                  .arg(short_digest(key))
            : QStringLiteral("The components of this lookup were not recorded."));
  } else {
    head_->setText(QStringLiteral("%1  ·  %2 %3  ·  %4")
                       .arg(short_digest(key), title_of(lookup.record.layer), text_of(lookup.record.compile.text()),
                            plural(std::int64_t(breakdown_.components.size()), QStringLiteral("component"),
                                   QStringLiteral("components"))) +
                   (breakdown_.keys > 1 ? QStringLiteral("  ·  compared with %1")
                                              .arg(plural(breakdown_.keys - 1, QStringLiteral("other key"),
                                                          QStringLiteral("other keys")))
                                        : QString()));
  }
  head_->setToolTip(key);
  const QString wanted = find_->text();
  std::map<QString, Node> groups;
  std::vector<QString> order;
  for (const ComponentShare& share : breakdown_.components) {
    const Component& c = *share.component;
    const QString name = text_of(c.name), value = value_text(c.text);
    if (!wanted.isEmpty() && !name.contains(wanted, Qt::CaseInsensitive) &&
        !value.contains(wanted, Qt::CaseInsensitive))
      continue;
    const QString group = name.section(u'[', 0, 0);
    Node node;
    const QString digest = text_of(c.digest.base32());
    Cell digest_cell(short_digest(digest), CellStyle::code);
    digest_cell.tip = digest_cell.exact = digest;
    Cell shown(one_line(value, 160), CellStyle::code);
    shown.exact = value;
    const auto figure = [](std::int64_t n) {
      return n < 0 ? Cell::figure({}, {}, -1) : Cell::figure(count_text(n), {}, double(n));
    };
    Cell shared = figure(share.shared_by);
    if (share.shared_by >= 0)
      shared.tip = QStringLiteral("%1 other keys hold the same value").arg(count_text(share.shared_by));
    if (share.shared_by >= 0 && breakdown_.keys > 1)
      shared.fraction = double(share.shared_by) / double(breakdown_.keys - 1);
    Cell values = figure(share.values);
    if (share.values > 1) values.style = CellStyle::strong;
    node.cells = {Cell(name), shown, digest_cell, shared, values};
    node.payload = value;
    if (!groups.count(group)) order.push_back(group);
    groups[group].children.push_back(std::move(node));
  }
  std::vector<Node> rows;
  for (const QString& name : order) {
    Node& group = groups[name];
    if (group.children.size() == 1) {
      rows.push_back(std::move(group.children[0]));
      continue;
    }
    double most = 0, least = double(breakdown_.keys);
    for (const Node& child : group.children) {
      most = std::max(most, child.cells[4].sort.toDouble());
      least = std::min(least, child.cells[3].sort.toDouble());
    }
    const auto figure = [](double n) {
      return n < 0 ? Cell::figure({}, {}, -1) : Cell::figure(count_text(std::int64_t(n)), {}, n);
    };
    group.cells = {
        Cell(name, CellStyle::strong),
        Cell(plural(std::int64_t(group.children.size()), QStringLiteral("component"), QStringLiteral("components")),
             CellStyle::muted),
        Cell(), figure(least), figure(most)};
    rows.push_back(std::move(group));
  }
  model_->set(std::move(rows));
  view_->header()->setSortIndicator(-1, Qt::AscendingOrder);
  for (const auto& [column, width] : {std::pair{0, 240}, {2, 92}, {3, 76}, {4, 88}})
    view_->setColumnWidth(column, width);
  if (!wanted.isEmpty()) view_->expandAll();
}

}  // namespace keyhole::inspector
