// SPDX-License-Identifier: Apache-2.0
#include "keyhole/db/upkeep.h"

#include <fcntl.h>
#include <sqlite3.h>

#include <cerrno>
#include <unordered_map>
#include <unordered_set>

#include "intern.h"
#include "keyhole/base/os.h"
#include "keyhole/db/store.h"
#include "schema.h"

namespace keyhole {
namespace {

constexpr const char* kCountersAgree =
    "SELECT r.id FROM run r LEFT JOIN (SELECT p.run, count(*) n, sum(outcome = 1) h, sum(outcome IN (2, 3)) m, "
    "sum(outcome = 4) b "
    "FROM lookup l JOIN process p ON p.id = l.process GROUP BY p.run) c ON c.run = r.id "
    "WHERE r.lookups <> coalesce(c.n, 0) OR r.hits <> coalesce(c.h, 0) OR r.misses <> coalesce(c.m, 0) OR r.bypasses "
    "<> coalesce(c.b, 0)";

/// A reference that leads nowhere, and what to do about it.
struct Reference {
  const char* what;
  const char* find;
  const char* mend;
};
constexpr Reference kReferences[] = {
    {"lookups without a process", "SELECT count(*) FROM lookup WHERE process NOT IN (SELECT id FROM process)",
     "DELETE FROM lookup WHERE process NOT IN (SELECT id FROM process)"},
    {"processes without a run", "SELECT count(*) FROM process WHERE run NOT IN (SELECT id FROM run)",
     "INSERT OR IGNORE INTO run(id, name) SELECT DISTINCT run, 'recovered ' || run FROM process WHERE run NOT IN "
     "(SELECT id FROM run)"},
    {"lookups without their key", "SELECT count(*) FROM lookup WHERE key <> 0 AND key NOT IN (SELECT id FROM key)",
     "DELETE FROM lookup WHERE key <> 0 AND key NOT IN (SELECT id FROM key)"},
    {"lookups without their compile",
     "SELECT count(*) FROM lookup WHERE compile IS NOT NULL AND compile NOT IN (SELECT id FROM compile)",
     "UPDATE lookup SET compile = NULL WHERE compile IS NOT NULL AND compile NOT IN (SELECT id FROM compile)"},
    {"lookups without their components",
     "SELECT count(*) FROM lookup WHERE component_set IS NOT NULL AND component_set NOT IN (SELECT id FROM "
     "component_set)",
     "UPDATE lookup SET component_set = NULL WHERE component_set IS NOT NULL AND component_set NOT IN (SELECT id FROM "
     "component_set)"},
    {"compiles without a process", "SELECT count(*) FROM compile WHERE process NOT IN (SELECT id FROM process)",
     "DELETE FROM compile WHERE process NOT IN (SELECT id FROM process)"},
    {"texts that a compile names and that are gone",
     "SELECT count(*) FROM compile_text WHERE text NOT IN (SELECT id FROM text)",
     "DELETE FROM compile_text WHERE text NOT IN (SELECT id FROM text)"},
    {"snapshot entries that are gone", "SELECT count(*) FROM presence WHERE entry NOT IN (SELECT id FROM entry)",
     "DELETE FROM presence WHERE entry NOT IN (SELECT id FROM entry)"},
};

std::vector<std::string> structure_faults(Db& db) {
  std::vector<std::string> faults;
  {
    Query q(db, std::string("PRAGMA integrity_check(20)"));
    while (q.next())
      if (q.text(0) != "ok") faults.emplace_back(q.text(0));
  }
  if (!db.ok()) {
    faults.push_back(db.error().what);
    db.clear_error();
  }
  return faults;
}

/// Copies the rows `low` to `high` of a table; where one cannot be read, the halves are tried by themselves.
void salvage(Db& to, const std::string& table, std::int64_t low, std::int64_t high) {
  const std::string range = " WHERE rowid BETWEEN " + std::to_string(low) + " AND " + std::to_string(high);
  if (to.exec(("INSERT OR IGNORE INTO main." + table + " SELECT * FROM damaged." + table + range).c_str())) return;
  if (to.error().kind != ErrorKind::corrupt) return;
  to.clear_error();
  if (low >= high) return;
  const std::int64_t middle = low + (high - low) / 2;
  salvage(to, table, low, middle);
  salvage(to, table, middle + 1, high);
}

/// Sets history.db aside and moves what can be read of it into a new one.
Result<std::string> rebuild(const std::string& store) {
  const std::string path = store + "/history.db";
  const std::string aside = path + ".damaged-" + std::to_string(os().now() / 1'000'000'000);
  for (const char* part : {"-wal", "-shm", ""})
    if (FileInfo info; os().stat(path + part, info) == 0 && os().rename(path + part, aside + part) != 0)
      return tl::make_unexpected(os_error(errno, "set the damaged file aside", path));
  auto fresh = open_history(store);
  if (!fresh) return tl::make_unexpected(fresh.error());
  Db& db = *fresh;
  {
    Query q(db, std::string("ATTACH ? AS damaged"));
    q.bind(aside);
    q.run();
  }
  if (!db.ok()) return aside;  // not even its header can be read: the history begins anew
  std::vector<std::pair<std::string, bool>> tables;
  {
    Query q(db, std::string("SELECT name, sql LIKE '%WITHOUT ROWID%' FROM main.sqlite_schema WHERE type = 'table' AND "
                            "name NOT IN ('meta', 'kept')"));
    while (q.next()) tables.emplace_back(q.text(0), q.integer(1) != 0);
  }
  for (const auto& [table, without_rowid] : tables) {
    // Each statement commits by itself: SQLite refuses to commit what a damaged file had a part in failing.
    if (without_rowid) {
      db.exec(("INSERT OR IGNORE INTO main." + table + " SELECT * FROM damaged." + table).c_str());
    } else {
      const auto last = db.value(("SELECT max(rowid) FROM damaged." + table).c_str());
      salvage(db, table, 1, last.value_or(db.ok() ? 0 : 1 << 24));
    }
    if (!db.ok() && db.error().kind == ErrorKind::corrupt) db.clear_error();
    if (!db.ok()) return tl::make_unexpected(db.error());
  }
  return aside;
}

class Checker {
 public:
  Checker(Db& db, VerifyReport& report, bool repair) : db_(db), report_(report), repair_(repair) {}

  void all() {
    texts();
    component_sets();
    references();
    counters();
  }

 private:
  void texts() {
    std::vector<std::int64_t> bad;
    {
      Query q(db_, "SELECT id, body FROM text");
      for (; q.next(); ++report_.texts)
        if (!text_body(q, 1)) bad.push_back(q.integer(0));
    }
    for (const auto id : bad) {
      found("text " + std::to_string(id) + " does not unpack");
      if (repair_) Query(db_, "UPDATE text SET body = '(lost)' WHERE id = ?", id).run();
    }
  }

  void component_sets() {
    std::unordered_set<std::int64_t> components;
    {
      Query q(db_,
              "SELECT c.id FROM component c JOIN text n ON n.id = c.name JOIN text t ON t.id = c.text WHERE "
              "length(c.digest) = 32");
      while (q.next()) components.insert(q.integer(0));
    }
    std::unordered_map<std::int64_t, Ids> whole;
    std::unordered_set<std::int64_t> groups;
    const auto sound = [&](const std::optional<Ids>& ids) {
      if (!ids) return false;
      for (const auto id : *ids)
        if (!components.contains(id)) return false;
      return true;
    };
    for (const bool with_base : {false, true}) {
      Query q(db_, "SELECT id, base, members FROM component_group WHERE (base IS NOT NULL) = ?", with_base);
      while (q.next()) {
        const auto base = whole.find(q.integer(1));
        if (with_base && base == whole.end()) continue;
        auto ids = with_base ? apply_difference(base->second, q.text(2)) : decode_ids(q.text(2));
        if (!sound(ids)) continue;
        groups.insert(q.integer(0));
        if (!with_base) whole.emplace(q.integer(0), std::move(*ids));
      }
    }
    std::vector<std::int64_t> bad;
    {
      Query q(db_, "SELECT id, groups FROM component_set");
      for (; q.next(); ++report_.component_sets) {
        const auto ids = decode_ids(q.text(1));
        bool whole_set = ids.has_value();
        for (std::size_t i = 0; whole_set && i < ids->size(); ++i) whole_set = groups.contains((*ids)[i]);
        if (!whole_set) bad.push_back(q.integer(0));
      }
    }
    for (const auto id : bad) {
      found("component set " + std::to_string(id) + " cannot be put together");
      if (!repair_) continue;
      Query(db_, "UPDATE lookup SET component_set = NULL WHERE component_set = ?", id).run();
      Query(db_, "UPDATE entry SET component_set = NULL WHERE component_set = ?", id).run();
      Query(db_, "DELETE FROM trail WHERE component_set = ?", id).run();
      Query(db_, "DELETE FROM component_set WHERE id = ?", id).run();
    }
  }

  void references() {
    for (const auto& r : kReferences) {
      const auto n = db_.value(r.find).value_or(0);
      if (n == 0) continue;
      found(std::to_string(n) + " " + r.what);
      if (repair_) db_.exec(r.mend);
    }
    report_.lookups = db_.value("SELECT count(*) FROM lookup").value_or(0);
  }

  void counters() {
    std::vector<std::int64_t> wrong;
    {
      Query q(db_, std::string(kCountersAgree));
      while (q.next()) wrong.push_back(q.integer(0));
    }
    if (wrong.empty()) return;
    found("the counters of " + std::to_string(wrong.size()) + " runs are wrong");
    if (!repair_) return;
    for (const auto id : wrong)
      Query(db_,
            "UPDATE run SET (lookups, hits, misses, bypasses) = (SELECT count(*), coalesce(sum(outcome = 1), 0), "
            "coalesce(sum(outcome IN (2, 3)), 0), coalesce(sum(outcome = 4), 0) FROM lookup l JOIN process p ON p.id = "
            "l.process "
            "WHERE p.run = ?1) WHERE id = ?1",
            id)
          .run();
  }

  void found(std::string what) { report_.faults.push_back({std::move(what), repair_}); }

  Db& db_;
  VerifyReport& report_;
  bool repair_;
};

}  // namespace

Result<VerifyReport> verify_history(const std::string& store, bool repair) {
  VerifyReport report;
  auto opened = repair ? open_history(store) : open_history_to_read(store);
  std::vector<std::string> broken;
  if (opened)
    broken = structure_faults(*opened);
  else if (opened.error().kind == ErrorKind::corrupt)
    broken.push_back(opened.error().what);
  else
    return tl::make_unexpected(opened.error());
  for (const auto& fault : broken) report.faults.push_back({fault, repair});
  if (!broken.empty()) {
    if (!repair) return report;
    if (opened) opened->exec("REINDEX");
    if (!opened || !opened->ok() || !structure_faults(*opened).empty()) {
      opened = fail(ErrorKind::internal, "closed");  // the file must not be open when it is moved
      auto aside = rebuild(store);
      if (!aside) return tl::make_unexpected(aside.error());
      report.set_aside = *aside;
      opened = open_history(store);
      if (!opened) return tl::make_unexpected(opened.error());
    }
  }
  Db& db = *opened;
  if (repair && broken.empty()) {
    // Mending locks others out for as long as the store is large: only where there is something to mend.
    VerifyReport seen;
    db.exec("BEGIN");
    Checker(db, seen, false).all();
    db.end_reading();
    if (!db.ok()) return tl::make_unexpected(db.error());
    if (seen.faults.empty()) return seen;
  }
  if (repair) {
    Transaction transaction(db);
    db.exec("UPDATE meta SET value = value + 1 WHERE name = 'generation'");
    Checker(db, report, true).all();
    if (auto done = transaction.commit(); !done) return tl::make_unexpected(done.error());
  } else {
    db.exec("BEGIN");
    Checker(db, report, false).all();
    db.end_reading();
  }
  if (!db.ok()) return tl::make_unexpected(db.error());
  return report;
}

Result<void> backup_history(const std::string& store, const std::string& file) {
  FileInfo info;
  if (os().stat(file, info) == 0) return fail(ErrorKind::usage, "the file is there already", file, "name a new one");
  auto from = open_history_to_read(store);
  if (!from) return tl::make_unexpected(from.error());
  const std::string unfinished = file + ".unfinished";
  os().unlink(unfinished);
  Result<void> result;
  {
    auto to = Db::open(unfinished, {});
    if (!to) return tl::make_unexpected(to.error());
    sqlite3_backup* backup = sqlite3_backup_init(to->handle(), "main", from->handle(), "main");
    int code = SQLITE_ERROR;
    if (backup != nullptr) {
      sqlite3_backup_step(backup, -1);  // a reader keeps no writer waiting: one step sees one state
      code = sqlite3_backup_finish(backup);
    }
    if (code != SQLITE_OK)
      result = fail(ErrorKind::io, std::string("cannot copy the store: ") + sqlite3_errmsg(to->handle()), file);
    else
      to->value("PRAGMA journal_mode = DELETE");  // one file, without a log beside it
  }
  if (result) {
    const int fd = os().open(unfinished, O_RDONLY);
    if (fd < 0 || os().fsync(fd) != 0 || os().rename(unfinished, file) != 0)
      result = tl::make_unexpected(os_error(errno, "put the copy into place", file));
    if (fd >= 0) os().close(fd);
  }
  if (!result) os().unlink(unfinished);
  return result;
}

Result<std::string> set_cache_aside(const std::string& store) {
  const std::string path = store + "/cache.db";
  const std::string aside = path + ".damaged-" + std::to_string(os().now() / 1'000'000'000);
  FileInfo info;
  if (os().stat(path, info) != 0) return fail(ErrorKind::not_found, "there is no cache.db", store);
  for (const char* part : {"-wal", "-shm", ""})
    if (os().stat(path + part, info) == 0 && os().rename(path + part, aside + part) != 0)
      return tl::make_unexpected(os_error(errno, "set the damaged file aside", path));
  return aside;
}

}  // namespace keyhole
