// SPDX-License-Identifier: Apache-2.0
#include "inspector/ui/key_page.h"

#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QSplitter>
#include <QTreeView>
#include <QVBoxLayout>
#include <map>

#include "inspector/core/format.h"
#include "inspector/models/node_model.h"
#include "inspector/ui/theme.h"
#include "inspector/ui/views.h"

namespace keyhole::inspector {

KeyPage::KeyPage(Workspace& workspace, QWidget* parent)
    : Page(workspace, parent), head_(make_label({}, "muted")), find_(new QLineEdit),
      model_(new NodeModel({QStringLiteral("Component"), QStringLiteral("Value"), QStringLiteral("Digest"),
                            QStringLiteral("Shared by"), QStringLiteral("Values seen")}, this)),
      view_(make_tree(model_, QStringLiteral("Components of the key"), workspace)), text_(new QPlainTextEdit) {
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
  auto* splitter = new QSplitter(Qt::Vertical);
  splitter->addWidget(view_);
  splitter->addWidget(text_);
  splitter->setSizes({420, 120});
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
  connect(&workspace_, &Workspace::selection_changed, this, &KeyPage::touch);
}

void KeyPage::clear() {
  breakdown_ = {};
  model_->set({});
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
  workspace_.session()->ask(Session::Lane::slow, this, 0, [id](Source& s, const Ticket& t) { return s.breakdown(id, t); },
                            [this](Result<KeyBreakdown> breakdown) {
                              if (!breakdown) return workspace_.report(breakdown.error());
                              breakdown_ = std::move(*breakdown);
                              show_components();
                            });
}

void KeyPage::show_components() {
  const LookupRow& lookup = breakdown_.lookup;
  const QString key = text_of(lookup.record.key);
  if (breakdown_.components.empty()) {
    head_->setText(lookup.record.layer == Layer::aot_autograd
                       ? QStringLiteral("The components of %1 were not recorded. PyTorch leaves AOTAutograd's out unless its "
                                        "debug log is on: keyhole record switches it on.").arg(short_digest(key))
                       : QStringLiteral("The components of this lookup were not recorded."));
  } else {
    head_->setText(QStringLiteral("%1  ·  %2 %3  ·  %4").arg(short_digest(key), title_of(lookup.record.layer), text_of(lookup.record.compile.text()),
                       plural(std::int64_t(breakdown_.components.size()), QStringLiteral("component"), QStringLiteral("components"))) +
                   (breakdown_.keys > 1 ? QStringLiteral("  ·  compared with %1").arg(plural(breakdown_.keys - 1, QStringLiteral("other key"), QStringLiteral("other keys"))) : QString()));
  }
  head_->setToolTip(key);
  const QString wanted = find_->text();
  std::map<QString, Node> groups;
  std::vector<QString> order;
  for (const ComponentShare& share : breakdown_.components) {
    const Component& c = *share.component;
    const QString name = text_of(c.name), value = text_of(c.text);
    if (!wanted.isEmpty() && !name.contains(wanted, Qt::CaseInsensitive) && !value.contains(wanted, Qt::CaseInsensitive)) continue;
    const QString group = name.section(u'[', 0, 0);
    Node node;
    const QString digest = text_of(c.digest.base32());
    Cell digest_cell(short_digest(digest), CellStyle::code);
    digest_cell.tip = digest_cell.exact = digest;
    Cell shown(one_line(value, 160), CellStyle::code);
    shown.exact = value;
    const auto figure = [](std::int64_t n) { return n < 0 ? Cell::figure({}, {}, -1) : Cell::figure(count_text(n), {}, double(n)); };
    Cell shared = figure(share.shared_by);
    if (share.shared_by >= 0) shared.tip = QStringLiteral("%1 other keys hold the same value").arg(count_text(share.shared_by));
    if (share.shared_by >= 0 && breakdown_.keys > 1) shared.fraction = double(share.shared_by) / double(breakdown_.keys - 1);
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
    const auto figure = [](double n) { return n < 0 ? Cell::figure({}, {}, -1) : Cell::figure(count_text(std::int64_t(n)), {}, n); };
    group.cells = {Cell(name, CellStyle::strong),
                   Cell(plural(std::int64_t(group.children.size()), QStringLiteral("component"), QStringLiteral("components")), CellStyle::muted), Cell(),
                   figure(least), figure(most)};
    rows.push_back(std::move(group));
  }
  model_->set(std::move(rows));
  view_->header()->setSortIndicator(-1, Qt::AscendingOrder);
  const int widths[] = {270, 380, 100, 80, 90};
  for (int c = 0; c < 5; ++c) view_->setColumnWidth(c, widths[c]);
  if (!wanted.isEmpty()) view_->expandAll();
}

}  // namespace keyhole::inspector
