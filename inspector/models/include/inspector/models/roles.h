// SPDX-License-Identifier: Apache-2.0
// The roles that all models of the window share. Models hold no colours and no fonts: a cell says what it is, the
// delegate of ui decides how that looks.
#pragma once

#include <QVariant>
#include <Qt>

namespace keyhole::inspector {

enum ItemRole {
  IdRole = Qt::UserRole + 1,  ///< qlonglong: the row's id; absent: the row stands for nothing in the store
  OutcomeRole,                ///< int: Outcome
  StyleRole,                  ///< int: CellStyle
  ExactRole,                  ///< QString: the value for export and copying, where it differs from what is shown
  FilterRole,                 ///< QString: the filter that leads to the rows behind a figure
  PayloadRole,                ///< whatever the page that made the row put there
  FractionRole,               ///< double 0 to 1: drawn as a bar behind the text
};

enum class CellStyle { normal, code, muted, strong, link };

}  // namespace keyhole::inspector
