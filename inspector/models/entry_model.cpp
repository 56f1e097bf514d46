// SPDX-License-Identifier: Apache-2.0
#include "inspector/models/entry_model.h"

#include "inspector/core/format.h"

namespace keyhole::inspector {
namespace {

struct ColumnInfo {
  const char* title;
  bool number;
};
constexpr ColumnInfo kColumns[kEntryColumns] = {
    {"Layer", false},    {"Key", false},  {"File", false},      {"State", false}, {"Size", true},
    {"Modified", false}, {"Saves", true}, {"Direction", false}, {"Guard", false}, {"Location", false},
};

// The end of a path tells locations apart: "…/fixtures/B".
QString short_path(const QString& path) {
  constexpr qsizetype kWhole = 24;
  const QString end = path.section(u'/', -2);
  return path.size() <= kWhole || end.size() + 2 >= path.size() ? path : QStringLiteral("…/") + end;
}

QString shown(const EntryRow& row, EntryColumn column) {
  const EntryRecord& r = row.record;
  switch (column) {
    case EntryColumn::layer:
      return title_of(r.layer);
    case EntryColumn::key:
      return short_digest(text_of(r.key));
    case EntryColumn::file:
      return text_of(r.path);
    case EntryColumn::state:
      return QString::fromLatin1(name_of(r.state));
    case EntryColumn::size:
      return bytes_text(r.size);
    case EntryColumn::modified:
      return date_clock_text(r.modified);
    case EntryColumn::cost:
      return duration_text(r.cost);
    case EntryColumn::direction:
      return title_of(r.direction);
    case EntryColumn::guard:
      return one_line(text_of(r.guard));
    case EntryColumn::location:
      return row.location_id == 0 ? QStringLiteral("this store") : short_path(text_of(row.location));
  }
  return {};
}

QString exact(const EntryRow& row, EntryColumn column) {
  const EntryRecord& r = row.record;
  switch (column) {
    case EntryColumn::key:
      return text_of(r.key);
    case EntryColumn::state:
      return text_of(r.state_reason);
    case EntryColumn::size:
      return exact_bytes(r.size);
    case EntryColumn::modified:
      return exact_time(r.modified);
    case EntryColumn::cost:
      return exact_duration(r.cost);
    case EntryColumn::guard:
      return text_of(r.guard);
    case EntryColumn::location:
      return text_of(row.location);
    default:
      return {};
  }
}

}  // namespace

QVariant EntryModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal || section < 0 || section >= kEntryColumns) return {};
  if (role == Qt::DisplayRole) return QString::fromLatin1(kColumns[section].title);
  if (role == Qt::TextAlignmentRole)
    return int((kColumns[section].number ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
  return {};
}

QVariant EntryModel::cell(const EntryRow& row, int column, int role) const {
  const auto which = EntryColumn(column);
  const EntryRecord& r = row.record;
  switch (role) {
    case Qt::DisplayRole:
      return shown(row, which);
    case Qt::ToolTipRole: {
      const QString tip = exact(row, which);
      return tip.isEmpty() ? QVariant() : QVariant(tip);
    }
    case Qt::TextAlignmentRole:
      return int((kColumns[column].number ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
    case ExactRole:
      if (which == EntryColumn::size) return QString::number(r.size);
      if (which == EntryColumn::cost) return r.cost < 0 ? QString() : QString::number(r.cost);
      if (which == EntryColumn::layer) return QString::fromLatin1(name_of(r.layer));
      if (which == EntryColumn::key || which == EntryColumn::guard) return exact(row, which);
      if (which == EntryColumn::location) return text_of(row.location);
      return shown(row, which);
    case IdRole:
      return qlonglong(row.id);
    case OutcomeRole:
      return which == EntryColumn::state && r.state != EntryState::ok ? QVariant(int(Outcome::error)) : QVariant();
    case StyleRole:
      return int(which == EntryColumn::key || which == EntryColumn::guard       ? CellStyle::code
                 : which == EntryColumn::file || which == EntryColumn::location ? CellStyle::muted
                                                                                : CellStyle::normal);
    default:
      return {};
  }
}

void EntryModel::sort(int column, Qt::SortOrder order) {
  EntryQuery q = query();
  q.sort = column < 0 ? EntryColumn::modified : EntryColumn(column);
  q.descending = column < 0 || order == Qt::DescendingOrder;
  if (q.sort != query().sort || q.descending != query().descending) set_query(std::move(q));
}

Result<std::vector<EntryRow>> EntryModel::fetch(Source& source, const EntryQuery& query, qint64 first,
                                                std::size_t limit) const {
  return source.entries(query, first, limit);
}

Result<RowCount> EntryModel::count(Source& source, const EntryQuery& query, const Ticket& ticket) const {
  return source.count_entries(query, ticket);
}

}  // namespace keyhole::inspector
