// SPDX-License-Identifier: Apache-2.0
// Entries that the cache threw out, as the history keeps them.
#include <algorithm>
#include <array>

#include "intern.h"
#include "keyhole/db/store.h"
#include "keyhole/db/upkeep.h"
#include "reader_impl.h"
#include "turns.h"

namespace keyhole {
namespace {

/// The numbers reach the disk: reason 1 and up.
constexpr std::array<std::string_view, 4> kReasons = {"age", "size", "damaged", "removed"};

}  // namespace

Result<void> note_tombstones(const std::string& store, const std::vector<TombstoneRow>& rows) {
  if (rows.empty()) return {};
  auto db = open_history(store);
  if (!db) return tl::make_unexpected(db.error());
  Interner intern(*db);
  Turns turns(*db);
  for (const TombstoneRow& row : rows) {
    turns.next();
    const auto key = intern.key(row.key);
    const auto layer = static_cast<std::int64_t>(row.layer);
    if (Query q(*db, "SELECT 1 FROM tombstone WHERE key = ? AND layer = ? AND time = ?", key, layer, row.time);
        q.next())
      continue;
    std::int64_t reason = 1;
    while (reason < 4 && kReasons[static_cast<std::size_t>(reason) - 1] != row.reason) ++reason;
    Query(*db, "INSERT INTO tombstone(layer, key, reason, time, size) VALUES (?, ?, ?, ?, ?)", layer, key, reason,
          row.time, row.size)
        .run();
  }
  turns.end();
  return db->status();
}

std::string Reader::version_note() {
  return keyhole::version_note(impl_->db);
}

Result<std::optional<TombstoneRow>> Reader::tombstone(Layer layer, std::string_view key) {
  const Call call(*impl_);
  std::optional<TombstoneRow> row;
  Query q(
      impl_->db,
      "SELECT t.reason, t.time, t.size FROM tombstone t JOIN key k ON k.id = t.key WHERE k.name = ? AND t.layer = ? "
      "ORDER BY t.time DESC LIMIT 1",
      key, static_cast<std::int64_t>(layer));
  if (q.next()) {
    const auto reason = std::clamp<std::int64_t>(q.integer(0), 1, 4);
    row = TombstoneRow{layer, std::string(key), std::string(kReasons[static_cast<std::size_t>(reason) - 1]),
                       q.integer_or(1, kUnknownTime), q.integer(2)};
  }
  return impl_->end(std::move(row));
}

}  // namespace keyhole
