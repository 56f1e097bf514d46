// SPDX-License-Identifier: Apache-2.0
// A table over a query result of any size. Holds the pages around what is looked at and asks the session for others,
// one at a time, the newest wish first; a cell whose page is under way shows an ellipsis. The rows of the former query
// stay until the first page of the new one is there. Nothing here blocks.
#pragma once

#include <QAbstractTableModel>
#include <QElapsedTimer>
#include <QPointer>
#include <QTimer>
#include <algorithm>
#include <functional>
#include <limits>
#include <map>

#include "inspector/core/session.h"
#include "inspector/models/export.h"
#include "inspector/models/roles.h"

namespace keyhole::inspector {

class PagedModelBase : public QAbstractTableModel {
  Q_OBJECT
 public:
  using QAbstractTableModel::QAbstractTableModel;
  [[nodiscard]] virtual qint64 total() const = 0;  ///< rows of the result; -1: not counted yet
  [[nodiscard]] virtual qint64 counted_so_far() const = 0;
  /// The rows are still those of the query before: the new one was asked, and its first page is not here yet.
  [[nodiscard]] virtual bool is_waiting() const = 0;
  /// A view shows one stretch of a long result at a time: where it begins.
  [[nodiscard]] virtual qint64 stretch() const = 0;
  virtual void set_stretch(qint64 first) = 0;
  virtual void reload() = 0;  ///< asks again, keeping what is shown until the answer is there

  struct Span {
    int first = 0;
    qint64 count = 0;
  };
  /// Whether these rows of the stretch are at hand.
  [[nodiscard]] virtual bool at_hand(const std::vector<Span>& spans) const = 0;
  /// Writes rows of the stretch (none named: the whole result, from its first row on) on another thread; `told` hears,
  /// some times a second, how far it came and whether that was all. Of the lookups that were there when it began.
  using Told = std::function<void(const Result<qint64>& rows, bool done)>;
  virtual void write_rows(std::vector<Span> spans, std::shared_ptr<RowWriter> writer, Told told) = 0;
 Q_SIGNALS:
  void asked();   ///< a new query
  void loaded();  ///< the first page of a query, or all that there is
  void counted(qint64 rows);
  void counting();  ///< counted_so_far() has grown
  void failed(const keyhole::Error& error);
};

/// `Row` has an `id`. A deriving class names the columns and shows a row.
template <class Row, class Query>
class PagedModel : public PagedModelBase {
 public:
  static constexpr int kPage = 200;
  static constexpr std::size_t kPages = 40;  // 8,000 rows of about 1 KB
  // Of one stretch. A header view keeps 8 bytes a row and walks over them whenever rows come or go: 10 million rows
  // hold up the window for 100 ms, a million for less than 10.
  static constexpr qint64 kStretch = 1'000'000;
  // The rows of a stretch come this many at a time, with events between: a header view takes 70 ms for a million.
  static constexpr qint64 kRowsAtOnce = 40'000;

  explicit PagedModel(QObject* parent) : PagedModelBase(parent) {}

  void set_session(Session* session) {
    beginResetModel();
    session_ = session;
    pages_.clear();
    rows_ = 0;
    counted_ = -1;
    so_far_ = first_row_ = 0;
    first_here_ = false;
    in_flight_ = wanted_ = -1;
    endResetModel();
    if (session_) restart();
  }
  void set_query(Query query) {
    query_ = std::move(query);
    first_row_ = 0;
    if (session_) restart();
  }
  [[nodiscard]] const Query& query() const { return query_; }
  [[nodiscard]] Session* session() const { return session_; }
  void reload() override {
    if (!session_) return;
    if (!first_here_) return restart();
    for (auto& [number, page] : pages_) page.stale = true;
    ask_count();
    if (rows_ > 0) Q_EMIT dataChanged(index(0, 0), index(rows_ - 1, columnCount() - 1));
    if (rows_ == 0) restart();
  }
  [[nodiscard]] qint64 total() const override { return counted_; }
  [[nodiscard]] qint64 counted_so_far() const override { return so_far_; }
  [[nodiscard]] bool is_waiting() const override { return session_ && !first_here_; }
  [[nodiscard]] qint64 stretch() const override { return first_row_; }
  void set_stretch(qint64 first) override {
    first = std::max<qint64>(0, first / kStretch * kStretch);
    if (first == first_row_ || first >= so_far_ || !session_) return;
    beginResetModel();
    session_->drop(this, kPageChannel);
    in_flight_ = wanted_ = -1;
    pages_.clear();
    first_row_ = first;
    rows_ = int(std::min<qint64>(rows_of_stretch(), kRowsAtOnce));
    endResetModel();
    grow();
  }

  /// Null where the page is not there (it is asked for).
  const Row* row_at(int row) const {
    const auto it = pages_.find(row / kPage);
    if (it == pages_.end()) {
      const_cast<PagedModel*>(this)->want(row / kPage);
      return nullptr;
    }
    it->second.used = ++clock_;
    if (it->second.stale) const_cast<PagedModel*>(this)->want(row / kPage);
    const auto offset = std::size_t(row % kPage);
    return offset < it->second.rows.size() ? &it->second.rows[offset] : nullptr;
  }
  /// Where a row stands among the pages at hand; -1: not there.
  [[nodiscard]] int row_of(RowId id) const {
    for (const auto& [number, page] : pages_)
      for (std::size_t i = 0; i < page.rows.size(); ++i)
        if (page.rows[i].id == id) return number * kPage + int(i);
    return -1;
  }

  bool at_hand(const std::vector<Span>& spans) const override {
    for (const Span& span : spans)
      for (qint64 page = span.first / kPage; page * kPage < span.first + span.count; ++page)
        if (pages_.find(int(page)) == pages_.end()) return false;
    return true;
  }
  void write_rows(std::vector<Span> spans, std::shared_ptr<RowWriter> writer, Told told) override {
    if (!session_) return;
    Writing writing{query_, {}, 0, 0, std::move(writer), std::move(told)};
    for (const Span& span : spans) writing.spans.emplace_back(first_row_ + span.first, span.count);
    if (spans.empty()) writing.spans = {{0, std::numeric_limits<qint64>::max()}};
    write_on(std::make_shared<Writing>(std::move(writing)));
  }

  int rowCount(const QModelIndex& parent = {}) const override { return parent.isValid() ? 0 : rows_; }

  QVariant data(const QModelIndex& index, int role) const override {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid | CheckIndexOption::ParentIsInvalid)) return {};
    if (role == Qt::SizeHintRole) return {};  // never loads
    const Row* row = row_at(index.row());
    if (row) return cell(*row, index.column(), role);
    return role == Qt::DisplayRole && index.column() == 0 ? QVariant(QStringLiteral("…")) : QVariant();
  }

 protected:
  virtual QVariant cell(const Row& row, int column, int role) const = 0;
  virtual Result<std::vector<Row>> fetch(Source& source, const Query& query, qint64 first, std::size_t limit) const = 0;
  virtual Result<RowCount> count(Source& source, const Query& query, const Ticket& ticket) const = 0;
  /// The query without what is recorded from now on.
  virtual Result<Query> as_of_now(Source&, Query query) const { return query; }

 private:
  enum Channel { kFirst, kCount, kPageChannel, kWriting };
  struct Writing {
    Query query;
    std::vector<std::pair<qint64, qint64>> spans;  // place in the result, how many
    std::size_t span = 0;
    qint64 done = 0;  // of that span
    std::shared_ptr<RowWriter> writer;
    Told told;
    bool begun = false;
  };
  struct Page {
    std::vector<Row> rows;
    mutable std::uint64_t used = 0;
    bool stale = false;  ///< shown until the store's present state is here
  };

  // A new query: nothing of the former answer stays once the first page is here.
  void restart() {
    session_->drop(this, kPageChannel);
    in_flight_ = wanted_ = -1;
    first_here_ = false;
    counted_ = -1;
    so_far_ = 0;
    session_->ask(
        Session::Lane::quick, this, kFirst,
        [this, query = query_](Source& s, const Ticket&) { return fetch(s, query, 0, kPage); },
        [this](Result<std::vector<Row>> rows) {
          if (!rows) {
            Q_EMIT failed(rows.error());
            return;
          }
          beginResetModel();
          pages_.clear();
          first_here_ = true;
          if (rows->size() < kPage) counted_ = qint64(rows->size());
          so_far_ = counted_ >= 0 ? counted_ : std::max(so_far_, qint64(rows->size()));
          first_row_ = 0;
          rows_ = int(std::min<qint64>(rows_of_stretch(), kRowsAtOnce));
          pages_[0] = {std::move(*rows), ++clock_, false};
          endResetModel();
          grow();
          Q_EMIT loaded();
          if (counted_ >= 0) Q_EMIT counted(counted_);
        });
    ask_count();
    Q_EMIT asked();
  }

  [[nodiscard]] int rows_of_stretch() const { return int(std::clamp<qint64>(so_far_ - first_row_, 0, kStretch)); }

  void ask_count() {
    session_->ask(
        Session::Lane::scan, this, kCount,
        [this, query = query_](Source& s, const Ticket& t) { return count(s, query, t); },
        [this](Result<RowCount> n) {
          if (!n) {
            Q_EMIT failed(n.error());
            return;
          }
          if (!n->complete) {
            show_count(std::max(so_far_, qint64(n->rows)));
            Q_EMIT counting();
            ask_count();
            return;
          }
          if (n->rows == counted_) return;
          counted_ = n->rows;
          show_count(counted_);
          if (first_here_) Q_EMIT counted(counted_);
        });
  }

  void show_count(qint64 n) {
    so_far_ = n;
    if (!first_here_) return;
    const int rows = rows_of_stretch();
    if (rows < rows_) {
      beginRemoveRows({}, rows, rows_ - 1);
      rows_ = rows;
      endRemoveRows();
    }
    grow();
  }

  void grow() {
    if (growing_) return;
    const int rows = rows_of_stretch(), now = int(std::min<qint64>(rows, rows_ + kRowsAtOnce));
    if (now > rows_) {
      beginInsertRows({}, rows_, now - 1);
      rows_ = now;
      endInsertRows();
    }
    if (now >= rows) return;
    growing_ = true;
    QTimer::singleShot(0, this, [this] {
      growing_ = false;
      grow();
    });
  }

  void write_on(std::shared_ptr<Writing> writing) {
    session_->ask(
        Session::Lane::scan, this, kWriting,
        [this, writing](Source& source, const Ticket& ticket) -> Result<bool> {
          constexpr qint64 kMilliseconds = 200;
          constexpr qint64 kRows = 1000;
          Writing& w = *writing;
          if (!w.begun) {
            auto query = as_of_now(source, w.query);
            if (!query) return tl::unexpected(query.error());
            w.query = std::move(*query);
            w.begun = true;
          }
          QElapsedTimer timer;
          timer.start();
          while (w.span < w.spans.size() && !ticket.stale() && timer.elapsed() < kMilliseconds) {
            const auto [first, count] = w.spans[w.span];
            const auto wanted = std::min(kRows, count - w.done);
            auto rows = fetch(source, w.query, first + w.done, std::size_t(wanted));
            if (!rows) return tl::unexpected(rows.error());
            for (const Row& row : *rows) {
              QStringList fields;
              for (int c = 0; c < columnCount(); ++c) {
                const QVariant exact = cell(row, c, ExactRole);
                fields << (exact.isValid() ? exact : cell(row, c, Qt::DisplayRole)).toString();
              }
              w.writer->row(fields);
            }
            w.done += qint64(rows->size());
            if (qint64(rows->size()) < wanted || w.done >= count) ++w.span, w.done = 0;
          }
          return w.span >= w.spans.size();
        },
        [this, writing](const Result<bool>& done) {
          if (!done) return writing->told(tl::unexpected(done.error()), true);
          writing->told(writing->writer->rows(), *done);
          if (!*done) write_on(writing);
        });
  }

  void want(int page) {
    wanted_ = page;
    if (in_flight_ >= 0 || !session_) return;
    in_flight_ = page;
    session_->ask(
        Session::Lane::quick, this, kPageChannel,
        [this, query = query_, from = first_row_ + qint64(page) * kPage](Source& s, const Ticket&) {
          return fetch(s, query, from, kPage);
        },
        [this, page](Result<std::vector<Row>> rows) {
          in_flight_ = -1;
          if (!rows) {
            Q_EMIT failed(rows.error());
            return;
          }
          if (pages_.size() >= kPages) {
            const auto oldest = std::min_element(pages_.begin(), pages_.end(), [](const auto& a, const auto& b) {
              return a.second.used < b.second.used;
            });
            pages_.erase(oldest);
          }
          pages_[page] = {std::move(*rows), ++clock_, false};
          const int first = page * kPage, last = std::min(rows_, first + kPage) - 1;
          if (first <= last) Q_EMIT dataChanged(index(first, 0), index(last, columnCount() - 1));
          if (const auto next = pages_.find(wanted_); wanted_ >= 0 && (next == pages_.end() || next->second.stale))
            want(wanted_);
        });
  }

  QPointer<Session> session_;  // goes with its store, before the page hears of the next one
  Query query_;
  std::map<int, Page> pages_;
  mutable std::uint64_t clock_ = 0;
  int rows_ = 0, in_flight_ = -1, wanted_ = -1;
  qint64 counted_ = -1, so_far_ = 0, first_row_ = 0;
  bool first_here_ = false, growing_ = false;
};

}  // namespace keyhole::inspector
