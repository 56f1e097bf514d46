// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unordered_map>

#include "encoding.h"
#include "intern.h"
#include "keyhole/db/reader.h"
#include "keyhole/db/sqlite.h"

namespace keyhole {

struct Reader::Impl {
  explicit Impl(Db opened) : db(std::move(opened)) {}

  /// The text of an id; empty for 0 or a missing row. The reference lives until forget_texts().
  const std::string& text(std::int64_t id);
  std::string text_cell(const Query& q, int column) { return q.null(column) ? std::string() : text(q.integer(column)); }
  std::string key_name(std::int64_t id);
  /// Errors of the call before are forgotten, memory is bounded.
  void begin();
  /// `value`, or what went wrong since begin().
  template <class T>
  Result<T> end(T value) {
    if (!db.ok()) return tl::make_unexpected(db.error());
    return value;
  }

  RunRow run_row(const Query& q);
  LookupRow lookup_row(const Query& q);
  std::vector<LookupRow> lookup_rows(Query& q);
  std::optional<LookupRow> lookup(RowId id);
  EntryRow entry_row(const Query& q);

  std::optional<Ids> groups_of(RowId set);
  const Ids& members_of(std::int64_t group);
  /// Brings components into `pool`; afterwards component() gives them.
  void load_components(Ids ids, ComponentPool& pool);
  ComponentPtr component(std::int64_t id);

  Db db;

 private:
  std::unordered_map<std::int64_t, std::string> texts_;
  std::unordered_map<std::int64_t, std::string> keys_;
  std::unordered_map<std::int64_t, Ids> groups_;
  std::unordered_map<std::int64_t, ComponentPtr> components_;  // of the pool that was asked for last
  std::uint64_t pool_ = 0;
  std::size_t text_bytes_ = 0;
};

/// Scope of one call: one read transaction, so that it sees one state of the store and takes its locks once.
class Reader::Call {
 public:
  explicit Call(Impl& impl);
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call();

 private:
  Impl& impl_;
};

}  // namespace keyhole
