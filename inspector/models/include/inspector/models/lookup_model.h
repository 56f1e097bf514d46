// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "inspector/models/paged_model.h"

namespace keyhole::inspector {

/// The lookups of a query; the columns are those of LookupColumn.
class LookupModel : public PagedModel<LookupRow, LookupQuery> {
 public:
  explicit LookupModel(QObject* parent = nullptr) : PagedModel(parent) {}
  int columnCount(const QModelIndex& parent = {}) const override { return parent.isValid() ? 0 : kLookupColumns; }
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;
  void sort(int column, Qt::SortOrder order) override;
  [[nodiscard]] static bool is_number(int column);

 protected:
  QVariant cell(const LookupRow& row, int column, int role) const override;
  Result<std::vector<LookupRow>> fetch(Source& source, const LookupQuery& query, qint64 first,
                                       std::size_t limit) const override;
  Result<LookupQuery> as_of_now(Source& source, LookupQuery query) const override;
  Result<RowCount> count(Source& source, const LookupQuery& query, const Ticket& ticket) const override;
};

}  // namespace keyhole::inspector
