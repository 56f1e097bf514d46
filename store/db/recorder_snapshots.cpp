// SPDX-License-Identifier: Apache-2.0
// Snapshots: an entry is stored once, and its presence in a location as an interval of snapshots. A snapshot that finds
// what the one before it found writes nothing but its own row.
#include "recorder_impl.h"

namespace keyhole {
namespace {

std::string join(const std::vector<std::string>& lines) {
  std::string joined;
  for (const auto& line : lines) {
    if (!joined.empty()) joined += '\n';
    joined += line;
  }
  return joined;
}

}  // namespace

RecordSink::SnapshotId RecorderImpl::begin_snapshot(const SnapshotRecord& record) {
  end_snapshot();
  const Batch batch(*this);
  const auto location = intern_.text(record.location), read_from = intern_.text(record.read_from);
  std::int64_t id = 0;
  {
    Query q(db_, "SELECT id FROM snapshot WHERE location = ? AND read_from = ? AND time IS ? AND moment = ?", location,
            read_from, known(record.time), static_cast<int>(record.moment));
    if (q.next()) id = q.integer(0);
  }
  if (id == 0 && db_.ok()) {
    Query(db_,
          "INSERT INTO snapshot(run, location, read_from, time, moment, newest_run) "
          "VALUES (?, ?, ?, ?, ?, (SELECT coalesce(max(id), 0) FROM run))",
          nonzero(run_), location, read_from, known(record.time), static_cast<int>(record.moment))
        .run();
    id = db_.last_insert_id();
  }
  snapshot_ = {id, location, false, {}};
  return id;
}

std::int64_t RecorderImpl::entry_row(const EntryRecord& record) {
  const Cells<15> cells{static_cast<std::int64_t>(record.layer),
                        intern_.key(record.key),
                        intern_.text(record.name),
                        intern_.text(record.path),
                        static_cast<std::int64_t>(record.state),
                        volatile_cell(record.state_reason),
                        record.size,
                        known(record.modified),
                        text_cell(record.guard),
                        nonzero(static_cast<std::int64_t>(record.direction)),
                        known(record.cost),
                        nonzero(intern_.component_set(record.components)),
                        text_cell(record.code_key),
                        text_cell(join(record.needs)),
                        text_cell(record.metadata_json)};
  std::array<std::int64_t, 15> flat{};
  for (std::size_t i = 0; i < flat.size(); ++i) flat[i] = cells[i].value_or(INT64_MIN);
  const auto hash = static_cast<std::int64_t>(hash64({reinterpret_cast<const char*>(flat.data()), sizeof flat}));
  {
    Query q(db_,
            "SELECT id, layer, key, name, path, state, state_reason, size, modified, guard, direction, cost, "
            "component_set, code_key, "
            "needs, metadata FROM entry WHERE hash = ?",
            hash);
    while (q.next()) {
      bool same = true;
      for (std::size_t i = 0; i < cells.size(); ++i) same = same && q.maybe(static_cast<int>(i) + 1) == cells[i];
      if (same) return q.integer(0);
    }
  }
  if (!db_.ok()) return 0;
  Query q(
      db_,
      "INSERT INTO entry(hash, layer, key, name, path, state, state_reason, size, modified, guard, direction, cost, "
      "component_set, code_key, needs, metadata) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      hash);
  bind_cells(q, cells);
  q.run();
  return db_.last_insert_id();
}

void RecorderImpl::entry(SnapshotId snapshot, const EntryRecord& record) {
  const Batch batch(*this);
  const std::int64_t id = entry_row(record);
  if (id == 0 || !db_.ok()) return;
  std::int64_t location = snapshot_.location;
  bool newest = true;
  if (snapshot == snapshot_.id) {
    snapshot_.seen.insert(id);
    snapshot_.ended = false;
  } else {
    Query q(db_, "SELECT location FROM snapshot WHERE id = ?", snapshot);
    if (!q.next()) return db_.set_error({ErrorKind::usage, "an entry of a snapshot that was never begun", {}, {}});
    location = q.integer(0);
  }
  {
    Query q(db_,
            "SELECT 1 FROM presence WHERE location = ? AND entry = ? AND since <= ?3 AND (until IS NULL OR until > ?3)",
            location, id, snapshot);
    if (q.next()) return;
  }
  std::optional<std::int64_t> next;
  {
    Query q(db_, "SELECT min(id) FROM snapshot WHERE location = ? AND id > ?", location, snapshot);
    if (q.next()) next = q.maybe(0);
    newest = !next;
  }
  Query(db_, "INSERT OR REPLACE INTO presence VALUES (?, ?, ?, ?)", location, id, snapshot,
        newest ? std::nullopt : next)
      .run();
}

void RecorderImpl::end_snapshot() {
  if (snapshot_.ended || !db_.ok()) return;
  snapshot_.ended = true;
  const Batch batch(*this);
  const std::int64_t id = snapshot_.id;
  std::optional<std::int64_t> next;
  {
    Query q(db_, "SELECT min(id) FROM snapshot WHERE location = ? AND id > ?", snapshot_.location, id);
    if (q.next()) next = q.maybe(0);
  }
  std::vector<std::array<std::int64_t, 3>> gone;  // entry, since, until
  {
    Query q(
        db_,
        "SELECT entry, since, until FROM presence WHERE location = ? AND since <= ?2 AND (until IS NULL OR until > ?2)",
        snapshot_.location, id);
    while (q.next())
      if (!snapshot_.seen.contains(q.integer(0))) gone.push_back({q.integer(0), q.integer(1), q.integer_or(2, 0)});
  }
  for (const auto& [entry, since, until] : gone) {
    if (since == id) {
      Query(db_, "DELETE FROM presence WHERE location = ? AND entry = ? AND since = ?", snapshot_.location, entry,
            since)
          .run();
    } else {
      Query(db_, "UPDATE presence SET until = ?4 WHERE location = ?1 AND entry = ?2 AND since = ?3", snapshot_.location,
            entry, since, id)
          .run();
    }
    if (!next || (until != 0 && until <= *next)) continue;  // a later snapshot, of another process, still holds it
    Query(db_, "INSERT OR REPLACE INTO presence VALUES (?, ?, ?, ?)", snapshot_.location, entry, *next, nonzero(until))
        .run();
  }
}

}  // namespace keyhole
