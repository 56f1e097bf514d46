// SPDX-License-Identifier: Apache-2.0
#include "inspector/models/node_model.h"

#include <algorithm>
#include <functional>

#include "inspector/core/format.h"

namespace keyhole::inspector {
namespace {

// "a2" before "a10", without regard to case.
int compare_naturally(const QString& a, const QString& b) {
  qsizetype i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (a[i].isDigit() && b[j].isDigit()) {
      const auto number = [](const QString& text, qsizetype& at) {
        while (at < text.size() && text[at] == u'0') ++at;
        const qsizetype begin = at;
        while (at < text.size() && text[at].isDigit()) ++at;
        return QStringView(text).mid(begin, at - begin);
      };
      const QStringView x = number(a, i), y = number(b, j);
      if (x.size() != y.size()) return x.size() < y.size() ? -1 : 1;
      if (const int order = x.compare(y); order != 0) return order;
    } else if (const QChar x = a[i++].toCaseFolded(), y = b[j++].toCaseFolded(); x != y) {
      return x < y ? -1 : 1;
    }
  }
  return int(a.size() - i) - int(b.size() - j);
}

}  // namespace

Cell Cell::figure(QString text, QString tip, double value) {
  Cell cell(std::move(text));
  cell.tip = std::move(tip);
  cell.sort = value;
  cell.number = true;
  return cell;
}

Cell Cell::of(Outcome outcome) {
  Cell cell(title_of(outcome));
  cell.outcome = outcome;
  return cell;
}

NodeModel::NodeModel(QStringList header, QObject* parent)
    : QAbstractItemModel(parent), header_(std::move(header)), root_(std::make_unique<Link>()) {}

NodeModel::~NodeModel() = default;

void NodeModel::set(std::vector<Node> rows) {
  beginResetModel();
  rows_ = std::move(rows);
  relink();
  endResetModel();
}

void NodeModel::set_header(QStringList header) {
  beginResetModel();
  header_ = std::move(header);
  endResetModel();
}

void NodeModel::relink() {
  root_ = std::make_unique<Link>();
  link(*root_, rows_);
}

void NodeModel::link(Link& at, const std::vector<Node>& nodes) {
  at.children.reserve(nodes.size());
  for (const Node& node : nodes) {
    auto child = std::make_unique<Link>(Link{&node, &at, int(at.children.size()), {}});
    link(*child, node.children);
    at.children.push_back(std::move(child));
  }
}

const Node* NodeModel::node(const QModelIndex& index) const {
  return index.isValid() ? static_cast<const Link*>(index.internalPointer())->node : nullptr;
}

QModelIndex NodeModel::index_of(qint64 id) const {
  const std::function<QModelIndex(const Link&)> find = [&](const Link& at) -> QModelIndex {
    for (const auto& child : at.children) {
      if (child->node->id == id) return createIndex(child->row, 0, child.get());
      if (const QModelIndex below = find(*child); below.isValid()) return below;
    }
    return {};
  };
  return find(*root_);
}

QModelIndex NodeModel::index(int row, int column, const QModelIndex& parent) const {
  if (!hasIndex(row, column, parent)) return {};
  const Link* at = parent.isValid() ? static_cast<const Link*>(parent.internalPointer()) : root_.get();
  return createIndex(row, column, at->children[std::size_t(row)].get());
}

QModelIndex NodeModel::parent(const QModelIndex& child) const {
  if (!child.isValid()) return {};
  Link* up = static_cast<const Link*>(child.internalPointer())->parent;
  return up == root_.get() ? QModelIndex() : createIndex(up->row, 0, up);
}

int NodeModel::rowCount(const QModelIndex& parent) const {
  if (parent.column() > 0) return 0;
  const Link* at = parent.isValid() ? static_cast<const Link*>(parent.internalPointer()) : root_.get();
  return int(at->children.size());
}

int NodeModel::columnCount(const QModelIndex&) const {
  return int(header_.size());
}

QVariant NodeModel::data(const QModelIndex& index, int role) const {
  const Node* row = node(index);
  if (!row) return {};
  if (role == IdRole) return row->id != 0 ? QVariant(row->id) : QVariant();
  if (role == FilterRole) return row->filter.isEmpty() ? QVariant() : QVariant(row->filter);
  if (role == PayloadRole) return row->payload;
  if (std::size_t(index.column()) >= row->cells.size()) return {};
  const Cell& cell = row->cells[std::size_t(index.column())];
  switch (role) {
    case Qt::DisplayRole:
      return cell.text;
    case Qt::ToolTipRole:
      return cell.tip.isEmpty() ? QVariant() : QVariant(cell.tip);
    case Qt::TextAlignmentRole:
      return int((cell.number ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
    case OutcomeRole:
      return cell.outcome ? QVariant(int(*cell.outcome)) : QVariant();
    case StyleRole:
      return int(cell.style);
    case ExactRole:
      return cell.exact.isEmpty() ? cell.text : cell.exact;
    case FractionRole:
      return cell.fraction >= 0 ? QVariant(cell.fraction) : QVariant();
    default:
      return {};
  }
}

QVariant NodeModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal || section < 0 || section >= header_.size()) return {};
  if (role == Qt::DisplayRole) return header_[section];
  if (role == Qt::TextAlignmentRole) {
    const bool number =
        !rows_.empty() && std::size_t(section) < rows_[0].cells.size() && rows_[0].cells[std::size_t(section)].number;
    return int((number ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
  }
  return {};
}

void NodeModel::sort(int column, Qt::SortOrder order) {
  if (column < 0) return;
  const auto less = [&](const Node& a, const Node& b) {
    if (std::size_t(column) >= a.cells.size() || std::size_t(column) >= b.cells.size()) return false;
    const Cell& x = a.cells[std::size_t(column)];
    const Cell& y = b.cells[std::size_t(column)];
    if (x.sort.isValid() && y.sort.isValid()) return x.sort.toDouble() < y.sort.toDouble();
    return compare_naturally(x.text, y.text) < 0;
  };
  const std::function<void(std::vector<Node>&)> arrange = [&](std::vector<Node>& nodes) {
    if (order == Qt::AscendingOrder)
      std::stable_sort(nodes.begin(), nodes.end(), less);
    else
      std::stable_sort(nodes.begin(), nodes.end(), [&](const Node& a, const Node& b) { return less(b, a); });
    for (Node& node : nodes) arrange(node.children);
  };
  beginResetModel();
  arrange(rows_);
  relink();
  endResetModel();
}

}  // namespace keyhole::inspector
