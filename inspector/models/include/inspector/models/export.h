// SPDX-License-Identifier: Apache-2.0
// What a view shows, as text: for the clipboard, CSV (RFC 4180) and JSON (an array of objects keyed by the headers).
#pragma once

#include <QAbstractItemModel>
#include <QByteArray>
#include <QList>

namespace keyhole::inspector {

enum class ExportFormat { tabs, csv, json };

/// The rows of `rows` (any column; children not included unless listed), all columns, exact values.
/// `headers`: with a first line of titles; JSON always names its fields.
QByteArray export_rows(const QAbstractItemModel& model, const QModelIndexList& rows, ExportFormat format, bool headers);
/// Every row that the model holds now, children after their parents.
QModelIndexList all_rows(const QAbstractItemModel& model);

}  // namespace keyhole::inspector
