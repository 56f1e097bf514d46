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
  /// Begins a call: errors of the one before are forgotten, memory is bounded.
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
  ComponentPtr component(std::int64_t id, ComponentPool& pool);

  Db db;

 private:
  struct RawComponent {
    std::int64_t name = 0, text = 0;
    Digest digest;
  };
  std::unordered_map<std::int64_t, std::string> texts_;
  std::unordered_map<std::int64_t, std::string> keys_;
  std::unordered_map<std::int64_t, Ids> groups_;
  std::unordered_map<std::int64_t, RawComponent> components_;
  std::size_t text_bytes_ = 0;
};

}  // namespace keyhole
