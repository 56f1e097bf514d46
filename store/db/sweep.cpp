// SPDX-License-Identifier: Apache-2.0
// Component sets, groups, components and texts that nothing refers to. What is in use is found by reading, without a
// lock; what is not is deleted in turns. A writer that finds such a row again meanwhile notes it in table `kept` (see
// Interner::reused), in the transaction that refers to it, and noted rows stay. A writer's memory of ids from before is
// emptied by meta.generation.
#include <algorithm>
#include <array>

#include "encoding.h"
#include "intern.h"
#include "turns.h"

namespace keyhole {
namespace {

constexpr std::size_t kPiece = 200;  // rows between two looks at the clock: some milliseconds
constexpr std::int64_t kReasonAskedFor = 4;

/// Ids that are in use.
class Marks {
 public:
  void add(std::int64_t id) {
    if (id <= 0) return;
    if (bits_.size() <= static_cast<std::size_t>(id)) bits_.resize(static_cast<std::size_t>(id) + 1 + bits_.size() / 2);
    bits_[static_cast<std::size_t>(id)] = true;
  }
  [[nodiscard]] bool has(std::int64_t id) const {
    return id > 0 && static_cast<std::size_t>(id) < bits_.size() && bits_[static_cast<std::size_t>(id)];
  }

 private:
  std::vector<bool> bits_;
};

/// One state of the store for the time of its scope; keeps no writer waiting.
class Look {
 public:
  explicit Look(Db& db) : db_(db) { db.exec("BEGIN"); }
  Look(const Look&) = delete;
  Look& operator=(const Look&) = delete;
  ~Look() { db_.end_reading(); }

 private:
  Db& db_;
};

class Sweeper {
 public:
  Sweeper(Db& db, Turns& turns) : db_(db), turns_(turns) {}

  void begin() {
    turns_.next();
    db_.exec(
        "DELETE FROM kept; UPDATE meta SET value = value + 1 WHERE name = 'generation';"
        "UPDATE meta SET value = 1 WHERE name = 'sweeping'");
    turns_.end();
  }
  void end() {
    turns_.next();
    db_.exec("UPDATE meta SET value = 0 WHERE name = 'sweeping'; DELETE FROM kept");
    turns_.end();
  }

  void component_sets() {
    Ids gone;
    std::vector<std::array<std::int64_t, 3>> trails;
    {
      const Look look(db_);
      Marks looked_up, used;
      for (Query q(db_, "SELECT component_set FROM lookup WHERE component_set IS NOT NULL"); q.next();)
        looked_up.add(q.integer(0)), used.add(q.integer(0));
      for (Query q(db_, "SELECT component_set FROM entry WHERE component_set IS NOT NULL"); q.next();)
        used.add(q.integer(0));
      for (Query q(db_, "SELECT subject, layer, component_set FROM trail"); q.next();)
        if (!looked_up.has(q.integer(2))) trails.push_back({q.integer(0), q.integer(1), q.integer(2)});
      gone = unused("SELECT id FROM component_set", used);
    }
    pieces(trails, [&](const auto& t) {
      if (kept(Kept::set, t[2])) return;
      Query(db_, "DELETE FROM trail WHERE subject = ? AND layer = ? AND component_set = ?", t[0], t[1], t[2]).run();
    });
    remove(Kept::set, gone, "DELETE FROM component_set WHERE id = ?");
  }

  void groups() {
    Ids gone;
    {
      const Look look(db_);
      Marks used;
      for (Query q(db_, "SELECT groups FROM component_set"); q.next();)
        for (const auto id : decode_ids(q.text(0)).value_or(Ids{})) used.add(id);
      Ids bases;
      for (Query q(db_, "SELECT id, base FROM component_group WHERE base IS NOT NULL"); q.next();)
        if (used.has(q.integer(0))) bases.push_back(q.integer(1));
      for (const auto base : bases) used.add(base);
      gone = unused("SELECT id FROM component_group", used);
      // A difference goes before what it is a difference to.
      Marks whole;
      for (Query q(db_, "SELECT id FROM component_group WHERE base IS NULL"); q.next();) whole.add(q.integer(0));
      std::stable_partition(gone.begin(), gone.end(), [&](std::int64_t id) { return !whole.has(id); });
    }
    remove(Kept::group, gone, "DELETE FROM component_group WHERE id = ?");
  }

  void components() {
    Ids gone;
    {
      const Look look(db_);
      Marks used;
      for (Query q(db_, "SELECT members, base FROM component_group"); q.next();) {
        auto ids = q.null(1) ? decode_ids(q.text(0)) : of_difference(q.integer(1), std::string(q.text(0)));
        for (const auto id : ids.value_or(Ids{})) used.add(id);
      }
      gone = unused("SELECT id FROM component", used);
    }
    pieces(gone, [&](std::int64_t id) {
      if (kept(Kept::component, id)) return;
      Query(db_, "DELETE FROM component WHERE id = ?", id).run();
      Query(db_, "DELETE FROM component_variant WHERE component = ?", id).run();
    });
  }

  /// A key that no run and no snapshot holds any more was known once: its tombstone says so.
  void keys() {
    Ids gone;
    {
      const Look look(db_);
      for (Query q(
               db_,
               "SELECT k.id FROM key k WHERE NOT EXISTS (SELECT 1 FROM lookup l WHERE l.key = k.id AND l.key <> 0) AND "
               "NOT EXISTS (SELECT 1 FROM entry e WHERE e.key = k.id) AND NOT EXISTS (SELECT 1 FROM tombstone t WHERE "
               "t.key = k.id)");
           q.next();)
        gone.push_back(q.integer(0));
    }
    const std::int64_t now = os().now();
    pieces(gone, [&](std::int64_t id) {
      Query(db_, "INSERT INTO tombstone(layer, key, reason, time) VALUES (0, ?, ?, ?)", id, kReasonAskedFor, now).run();
    });
  }

  void texts() {
    static constexpr const char* kTextColumns[] = {
        "SELECT argv, cwd, env, git_commit, versions FROM run",
        "SELECT host, cache_dir, versions FROM process",
        "SELECT function, filename, recompile_reason, fail_reason FROM compile",
        "SELECT symbol, value, source, user_file, user_code FROM symbol",
        "SELECT name, text FROM compile_text",
        "SELECT name, text FROM component",
        "SELECT text FROM component_variant",
        "SELECT kind FROM component_group",
        "SELECT graph FROM component_set",
        "SELECT status, guard, reason, load_error, save_error FROM lookup",
        "SELECT subject FROM trail",
        "SELECT location, read_from FROM snapshot",
        "SELECT location FROM presence",
        "SELECT name, path, state_reason, guard, code_key, needs, metadata FROM entry",
        "SELECT source, what, hint FROM problem"};
    Ids gone;
    {
      const Look look(db_);
      Marks used;
      for (const char* columns : kTextColumns)
        for (Query q(db_, std::string(columns)); q.next();)
          for (int i = 0; i < q.columns(); ++i) used.add(q.integer(i));
      gone = unused("SELECT id FROM text", used);
    }
    remove(Kept::text, gone, "DELETE FROM text WHERE id = ?");
  }

 private:
  template <class Items, class Work>
  void pieces(const Items& items, Work work) {
    std::size_t n = 0;
    for (const auto& item : items) {
      if (n++ % kPiece == 0) turns_.next();
      if (!db_.ok()) return;
      work(item);
    }
    turns_.end();
  }
  void remove(Kept kind, const Ids& ids, const char* statement) {
    pieces(ids, [&](std::int64_t id) {
      if (kept(kind, id)) return;
      Query(db_, statement, id).run();
    });
  }
  bool kept(Kept kind, std::int64_t id) {
    Query q(db_, "SELECT 1 FROM kept WHERE kind = ? AND id = ?", static_cast<std::int64_t>(kind), id);
    return q.next();
  }
  Ids unused(const char* all, const Marks& used) {
    Ids out;
    for (Query q(db_, std::string(all)); q.next();)
      if (!used.has(q.integer(0))) out.push_back(q.integer(0));
    return out;
  }
  std::optional<Ids> of_difference(std::int64_t base, const std::string& difference) {
    Query q(db_, "SELECT members FROM component_group WHERE id = ?", base);
    if (!q.next()) return std::nullopt;
    const auto whole = decode_ids(q.text(0));
    return whole ? apply_difference(*whole, difference) : std::nullopt;
  }

  Db& db_;
  Turns& turns_;
};

}  // namespace

Result<void> sweep(Db& history, Turns& turns) {
  Sweeper sweeper(history, turns);
  sweeper.begin();
  sweeper.component_sets();
  sweeper.groups();
  sweeper.components();
  sweeper.keys();
  sweeper.texts();
  sweeper.end();
  return history.status();
}

}  // namespace keyhole
