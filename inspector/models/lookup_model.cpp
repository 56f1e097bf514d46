// SPDX-License-Identifier: Apache-2.0
#include "inspector/models/lookup_model.h"

#include "inspector/core/format.h"

namespace keyhole::inspector {
namespace {

struct LookupColumnInfo {
  const char* title;
  bool number;
  const char* help;
};
constexpr LookupColumnInfo kShownColumns[kLookupColumns] = {
    {"Time", false, "when the cache was asked"},
    {"Outcome", false, "what became of it"},
    {"Layer", false, "which cache"},
    {"Compile", false, "Dynamo's compile id: frame / compile of the frame"},
    {"Run", false, "the run it belongs to"},
    {"Rank", true, "the rank of its process"},
    {"Function", false, "the compiled function"},
    {"Key", false, "the key it was looked up by; copied whole"},
    {"Lost", true, "compile time that the miss led to"},
    {"Saved", true, "compile time that the hit saved"},
    {"Took", true, "time of the lookup itself"},
    {"Status and reason", false, "as the producer says"},
};

QString shown(const LookupRow& row, LookupColumn column) {
  const LookupRecord& r = row.record;
  switch (column) {
    case LookupColumn::time:
      return clock_text(r.time);
    case LookupColumn::outcome:
      return title_of(r.outcome);
    case LookupColumn::layer: {
      const QString direction = title_of(r.direction);
      return direction.isEmpty() ? title_of(r.layer) : title_of(r.layer) + u' ' + direction;
    }
    case LookupColumn::compile:
      return text_of(r.compile.text());
    case LookupColumn::run:
      return text_of(row.run_name);
    case LookupColumn::rank:
      return row.rank ? QString::number(*row.rank) : QString();
    case LookupColumn::function:
      return text_of(row.function);
    case LookupColumn::key:
      return short_digest(text_of(r.key));
    case LookupColumn::cost:
      return duration_text(r.cost);
    case LookupColumn::saved:
      return duration_text(r.saved);
    case LookupColumn::duration:
      return duration_text(r.duration);
    case LookupColumn::reason: {
      const std::string& reason = !r.reason.empty() ? r.reason : !r.load_error.empty() ? r.load_error : r.status;
      return one_line(text_of(reason));
    }
  }
  return {};
}

// Only what says more than the cell does.
QString exact(const LookupRow& row, LookupColumn column) {
  const LookupRecord& r = row.record;
  switch (column) {
    case LookupColumn::time:
      return exact_time(r.time);
    case LookupColumn::key:
      return text_of(r.key);
    case LookupColumn::cost:
      return exact_duration(r.cost);
    case LookupColumn::saved:
      return exact_duration(r.saved);
    case LookupColumn::duration:
      return exact_duration(r.duration);
    case LookupColumn::reason:
      return text_of(r.reason.empty() ? r.load_error : r.reason);
    case LookupColumn::function:
      return row.filename.empty() ? QString() : QStringLiteral("%1:%2").arg(text_of(row.filename)).arg(row.line);
    default:
      return {};
  }
}

}  // namespace

bool LookupModel::is_number(int column) {
  return kShownColumns[column].number;
}

QVariant LookupModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal || section < 0 || section >= kLookupColumns) return {};
  const LookupColumnInfo& info = kShownColumns[section];
  if (role == Qt::DisplayRole) return QString::fromLatin1(info.title);
  if (role == Qt::ToolTipRole) return QString::fromLatin1(info.help);
  if (role == Qt::TextAlignmentRole) return int((info.number ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
  return {};
}

QVariant LookupModel::cell(const LookupRow& row, int column, int role) const {
  const auto which = LookupColumn(column);
  switch (role) {
    case Qt::DisplayRole:
      return shown(row, which);
    case Qt::ToolTipRole: {
      const QString tip = exact(row, which);
      return tip.isEmpty() ? QVariant() : QVariant(tip);
    }
    case Qt::TextAlignmentRole:
      return int((kShownColumns[column].number ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
    case ExactRole: {
      const LookupRecord& r = row.record;
      if (which == LookupColumn::cost) return r.cost < 0 ? QString() : QString::number(r.cost);
      if (which == LookupColumn::saved) return r.saved < 0 ? QString() : QString::number(r.saved);
      if (which == LookupColumn::duration) return r.duration < 0 ? QString() : QString::number(r.duration);
      if (which == LookupColumn::outcome) return QString::fromLatin1(name_of(r.outcome));
      if (which == LookupColumn::layer) return QString::fromLatin1(name_of(r.layer));
      const QString value = which == LookupColumn::function ? QString() : exact(row, which);
      return value.isEmpty() ? shown(row, which) : value;
    }
    case IdRole:
      return qlonglong(row.id);
    case OutcomeRole:
      return which == LookupColumn::outcome ? QVariant(int(row.record.outcome)) : QVariant();
    case StyleRole:
      return int(which == LookupColumn::key                                         ? CellStyle::code
                 : which == LookupColumn::reason || which == LookupColumn::duration ? CellStyle::muted
                                                                                    : CellStyle::normal);
    default:
      return {};
  }
}

void LookupModel::sort(int column, Qt::SortOrder order) {
  LookupQuery q = query();
  q.sort = column < 0 ? LookupColumn::time : LookupColumn(column);
  q.descending = column < 0 || order == Qt::DescendingOrder;
  if (q.sort != query().sort || q.descending != query().descending) set_query(std::move(q));
}

Result<std::vector<LookupRow>> LookupModel::fetch(Source& source, const LookupQuery& query, qint64 first,
                                                  std::size_t limit) const {
  return source.rows(query, first, limit);
}

Result<LookupQuery> LookupModel::as_of_now(Source& source, LookupQuery query) const {
  auto last = source.last_lookup();
  if (!last) return tl::unexpected(last.error());
  FilterNode both;
  both.children = {parse_filter(QStringLiteral("id<=%1").arg(*last)).root, query.filter};
  query.filter = std::move(both);
  return query;
}

Result<RowCount> LookupModel::count(Source& source, const LookupQuery& query, const Ticket& ticket) const {
  return source.count(query, ticket);
}

}  // namespace keyhole::inspector
