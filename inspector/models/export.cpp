// SPDX-License-Identifier: Apache-2.0
#include "inspector/models/export.h"

#include <QBuffer>
#include <QJsonDocument>
#include <QJsonObject>
#include <functional>

#include "inspector/models/roles.h"

namespace keyhole::inspector {
namespace {

QString field(QString text, ExportFormat format) {
  if (format == ExportFormat::tabs) return text.replace(u'\t', u' ').replace(u'\n', u' ');
  static const QString special = QStringLiteral(",\"\r\n");
  const bool quote = std::any_of(text.begin(), text.end(), [](QChar c) { return special.contains(c); });
  return quote ? u'"' + text.replace(u'"', QStringLiteral("\"\"")) + u'"' : text;
}

QByteArray line(const QStringList& fields, ExportFormat format) {
  QStringList quoted;
  for (const QString& f : fields) quoted << field(f, format);
  return (quoted.join(format == ExportFormat::tabs ? QStringLiteral("\t") : QStringLiteral(",")) +
          (format == ExportFormat::tabs ? QStringLiteral("\n") : QStringLiteral("\r\n")))
      .toUtf8();
}

}  // namespace

RowWriter::RowWriter(std::unique_ptr<QIODevice> out, ExportFormat format, QStringList titles, bool headers)
    : out_(std::move(out)), format_(format), titles_(std::move(titles)) {
  if (headers && format_ != ExportFormat::json) write(line(titles_, format_));
}

void RowWriter::row(const QStringList& fields) {
  if (format_ == ExportFormat::json) {
    QJsonObject object;
    for (qsizetype c = 0; c < titles_.size() && c < fields.size(); ++c) object.insert(titles_[c], fields[c]);
    write((rows_ == 0 ? "[\n" : ",\n") + QJsonDocument(object).toJson(QJsonDocument::Compact));
  } else {
    write(line(fields, format_));
  }
  ++rows_;
}

bool RowWriter::finish() {
  if (format_ == ExportFormat::json) write(rows_ == 0 ? "[]\n" : "\n]\n");
  return whole_;
}

QStringList column_titles(const QAbstractItemModel& model) {
  QStringList titles;
  for (int c = 0; c < model.columnCount(); ++c)
    titles << model.headerData(c, Qt::Horizontal, Qt::DisplayRole).toString();
  return titles;
}

QString exact_text(const QModelIndex& index) {
  const QVariant exact = index.data(ExactRole);
  return exact.isValid() ? exact.toString() : index.data(Qt::DisplayRole).toString();
}

QByteArray export_rows(const QAbstractItemModel& model, const QModelIndexList& rows, ExportFormat format,
                       bool headers) {
  auto buffer = std::make_unique<QBuffer>();
  buffer->open(QIODevice::WriteOnly);
  const QBuffer& bytes = *buffer;
  RowWriter writer(std::move(buffer), format, column_titles(model), headers);
  for (const QModelIndex& row : rows) {
    QStringList fields;
    for (int c = 0; c < model.columnCount(); ++c) fields << exact_text(row.siblingAtColumn(c));
    writer.row(fields);
  }
  writer.finish();
  return bytes.data();
}

QModelIndexList all_rows(const QAbstractItemModel& model) {
  QModelIndexList rows;
  const std::function<void(const QModelIndex&)> add = [&](const QModelIndex& parent) {
    for (int r = 0; r < model.rowCount(parent); ++r) {
      rows << model.index(r, 0, parent);
      add(rows.back());
    }
  };
  add({});
  return rows;
}

}  // namespace keyhole::inspector
