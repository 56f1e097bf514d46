// SPDX-License-Identifier: Apache-2.0
// What the pages of a window share: the store, the filter, the selected lookup, where one stands, and what went wrong.
#pragma once

#include <QObject>
#include <QString>
#include <memory>
#include <vector>

#include "inspector/core/session.h"
#include "inspector/models/filter_stack.h"

namespace keyhole::inspector {

enum class PageId { start, overview, history, entries, compiles, diagnose, compare };

/// Somewhere to come back to.
struct Place {
  PageId page = PageId::overview;
  QString filter;
  RowId lookup = 0;
  RowId against = 0;  ///< baseline chosen by the user; in compare: the other run
  QString tab;        ///< within diagnose: "why" or "key"
  friend bool operator==(const Place&, const Place&) = default;
};

class Workspace : public QObject {
  Q_OBJECT
 public:
  explicit Workspace(QObject* parent = nullptr);
  ~Workspace() override;

  /// Replaces the store. `name` is what its recent list and its layouts are kept under.
  void open(Session::Opener opener, const QString& name);
  void close();
  /// The store could not be opened: back to the start page, the message stays.
  void close_failed();
  [[nodiscard]] Session* session() const { return session_.get(); }
  [[nodiscard]] const QString& store_name() const { return name_; }

  [[nodiscard]] FilterStack& lookup_filter() { return lookup_filter_; }
  [[nodiscard]] FilterStack& entry_filter() { return entry_filter_; }
  // Of lookups:
  [[nodiscard]] const Filter& filter() const { return lookup_filter_.filter(); }
  [[nodiscard]] const Filter& good_filter() const { return lookup_filter_.good(); }
  void set_filter(const QString& text, bool typed = false) { lookup_filter_.set(text, typed); }
  void undo_filter() { lookup_filter_.undo(); }
  void redo_filter() { lookup_filter_.redo(); }
  [[nodiscard]] bool can_undo_filter() const { return lookup_filter_.can_undo(); }
  [[nodiscard]] bool can_redo_filter() const { return lookup_filter_.can_redo(); }

  [[nodiscard]] RowId selected() const { return place_.lookup; }
  void select(RowId lookup);  ///< without a step in the history: moving along a table is not a journey

  [[nodiscard]] const Place& place() const { return place_; }
  void go(Place place);
  void go(PageId page);
  /// Shows the rows behind a figure.
  void go_to_rows(const QString& filter);
  void explain(RowId lookup);
  void back();
  void forward();
  [[nodiscard]] bool can_go_back() const { return at_ > 0; }
  [[nodiscard]] bool can_go_forward() const { return at_ + 1 < places_.size(); }

  void report(const Error& error) { Q_EMIT failed(error); }
  void say(const QString& message) { Q_EMIT said(message); }

 Q_SIGNALS:
  void store_changed();  ///< another store, or none
  void opened();
  void rows_changed();  ///< the store has grown
  void filter_changed();
  void selection_changed(keyhole::RowId lookup);
  void place_changed();
  void failed(const keyhole::Error& error);
  void said(const QString& message);

 private:
  void apply(const Place& place);

  std::unique_ptr<Session> session_;
  QString name_;
  FilterStack lookup_filter_{false}, entry_filter_{true};
  Place place_{PageId::start, {}, 0, 0, {}};
  std::vector<Place> places_{place_};
  std::size_t at_ = 0;
};

}  // namespace keyhole::inspector
