// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "inspector/models/paged_model.h"

namespace keyhole::inspector {

/// The stored entries of a query; the columns are those of EntryColumn.
class EntryModel : public PagedModel<EntryRow, EntryQuery> {
 public:
  explicit EntryModel(QObject* parent = nullptr) : PagedModel(parent) {}
  int columnCount(const QModelIndex& parent = {}) const override { return parent.isValid() ? 0 : kEntryColumns; }
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;
  void sort(int column, Qt::SortOrder order) override;

 protected:
  QVariant cell(const EntryRow& row, int column, int role) const override;
  Result<std::vector<EntryRow>> fetch(Source& source, const EntryQuery& query, qint64 first,
                                      std::size_t limit) const override;
  Result<RowCount> count(Source& source, const EntryQuery& query, const Ticket& ticket) const override;
};

}  // namespace keyhole::inspector
