// SPDX-License-Identifier: Apache-2.0
#include "inspector/models/export.h"

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <functional>

#include "inspector/models/roles.h"

namespace keyhole::inspector {
namespace {

QString exact_text(const QModelIndex& index) {
  const QVariant exact = index.data(ExactRole);
  return exact.isValid() ? exact.toString() : index.data(Qt::DisplayRole).toString();
}

QString field(QString text, ExportFormat format) {
  if (format == ExportFormat::tabs) return text.replace(u'\t', u' ').replace(u'\n', u' ');
  static const QString special = QStringLiteral(",\"\r\n");
  const bool quote = std::any_of(text.begin(), text.end(), [](QChar c) { return special.contains(c); });
  return quote ? u'"' + text.replace(u'"', QStringLiteral("\"\"")) + u'"' : text;
}

}  // namespace

QByteArray export_rows(const QAbstractItemModel& model, const QModelIndexList& rows, ExportFormat format,
                       bool headers) {
  const int columns = model.columnCount();
  QStringList titles;
  for (int c = 0; c < columns; ++c) titles << model.headerData(c, Qt::Horizontal, Qt::DisplayRole).toString();
  if (format == ExportFormat::json) {
    QJsonArray array;
    for (const QModelIndex& row : rows) {
      QJsonObject object;
      for (int c = 0; c < columns; ++c) object.insert(titles[c], exact_text(row.siblingAtColumn(c)));
      array.append(object);
    }
    return QJsonDocument(array).toJson();
  }
  const QString separator = format == ExportFormat::tabs ? QStringLiteral("\t") : QStringLiteral(",");
  const QString newline = format == ExportFormat::tabs ? QStringLiteral("\n") : QStringLiteral("\r\n");
  QString out;
  const auto line = [&](const QStringList& fields) {
    QStringList quoted;
    for (const QString& f : fields) quoted << field(f, format);
    out += quoted.join(separator) + newline;
  };
  if (headers) line(titles);
  for (const QModelIndex& row : rows) {
    QStringList fields;
    for (int c = 0; c < columns; ++c) fields << exact_text(row.siblingAtColumn(c));
    line(fields);
  }
  return out.toUtf8();
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
