// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QAbstractItemModel>
#include <QIODevice>
#include <memory>

namespace keyhole::inspector {

enum class ExportFormat { csv, json, tabs };  ///< tabs: for the clipboard

/// Writes rows to a device, one by one: of a result of millions nothing is gathered.
class RowWriter {
 public:
  RowWriter(std::unique_ptr<QIODevice> out, ExportFormat format, QStringList titles, bool headers);
  void row(const QStringList& fields);
  /// After the last row. False: the device took less than was written; see device().errorString().
  bool finish();
  [[nodiscard]] QIODevice& device() { return *out_; }
  [[nodiscard]] qint64 rows() const { return rows_; }

 private:
  void write(const QByteArray& bytes) { whole_ = out_->write(bytes) == bytes.size() && whole_; }

  std::unique_ptr<QIODevice> out_;
  ExportFormat format_;
  QStringList titles_;
  qint64 rows_ = 0;
  bool whole_ = true;
};

QStringList column_titles(const QAbstractItemModel& model);
/// What a cell is exported as: its exact value.
QString exact_text(const QModelIndex& index);
/// The rows as text, with the exact values of ExactRole.
QByteArray export_rows(const QAbstractItemModel& model, const QModelIndexList& rows, ExportFormat format, bool headers);
/// Every row of a model, those of branches below theirs.
QModelIndexList all_rows(const QAbstractItemModel& model);

}  // namespace keyhole::inspector
