// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QAbstractItemModel>
#include <QString>
#include <QStringList>
#include <memory>
#include <optional>
#include <vector>

#include "inspector/models/roles.h"
#include "keyhole/base/records.h"

namespace keyhole::inspector {

/// One cell of a small table or tree.
struct Cell {
  QString text;
  QString tip;    ///< the exact value; empty: none
  QString exact;  ///< for copying and export; empty: the text
  QVariant sort;  ///< what the column sorts by; invalid: the text
  CellStyle style = CellStyle::normal;
  bool number = false;  ///< right-aligned
  std::optional<Outcome> outcome;
  double fraction = -1;  ///< 0 to 1: a bar behind the text; negative: none

  Cell() = default;
  Cell(QString t, CellStyle s = CellStyle::normal) : text(std::move(t)), style(s) {}  // NOLINT: cells are made of texts
  static Cell figure(QString text, QString tip, double value);
  static Cell of(Outcome outcome);
};

/// A row, with its children.
struct Node {
  std::vector<Cell> cells;
  qint64 id = 0;   ///< 0: none
  QString filter;  ///< leads to the rows behind it; empty: nowhere
  QVariant payload;
  std::vector<Node> children;
};

/// A small table or tree held in memory: runs, causes, components, guards. Whole contents are set at once.
/// Sorting is stable and keeps children under their parents.
class NodeModel : public QAbstractItemModel {
  Q_OBJECT
 public:
  explicit NodeModel(QStringList header, QObject* parent = nullptr);
  ~NodeModel() override;

  void set(std::vector<Node> rows);
  void set_header(QStringList header);
  [[nodiscard]] const std::vector<Node>& rows() const { return rows_; }
  [[nodiscard]] const Node* node(const QModelIndex& index) const;
  /// The first row with this id, at any depth; invalid where there is none.
  [[nodiscard]] QModelIndex index_of(qint64 id) const;

  QModelIndex index(int row, int column, const QModelIndex& parent = {}) const override;
  QModelIndex parent(const QModelIndex& child) const override;
  using QObject::parent;
  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;
  void sort(int column, Qt::SortOrder order) override;

 private:
  struct Link {  // where a node stands, so that parent() is a look-up
    const Node* node;
    Link* parent;
    int row;
    std::vector<std::unique_ptr<Link>> children;
  };
  void link(Link& at, const std::vector<Node>& nodes);
  void relink();

  QStringList header_;
  std::vector<Node> rows_;
  std::unique_ptr<Link> root_;
};

}  // namespace keyhole::inspector
