// SPDX-License-Identifier: Apache-2.0
// Forgetting runs: rows of a run first, in small steps; then what no run refers to any more.
#include <unordered_set>

#include "encoding.h"
#include "keyhole/base/os.h"
#include "keyhole/db/store.h"
#include "keyhole/db/upkeep.h"

namespace keyhole {
namespace {

constexpr std::int64_t kStepNanoseconds = 25'000'000;
constexpr std::int64_t kReasonAskedFor = 4;

std::int64_t size_of(const std::string& store) {
  FileInfo info;
  return os().stat(store + "/history.db", info) == 0 ? info.size : 0;
}

/// Runs `statement` (which deletes a bounded number of rows) until it deletes none, a transaction about every 25 ms.
bool until_none(Db& db, const char* statement, std::optional<std::int64_t> argument = {}) {
  for (bool more = true; more && db.ok();) {
    Transaction transaction(db);
    const auto began = os().monotonic();
    while (more && db.ok() && os().monotonic() - began < kStepNanoseconds) {
      Query q(db, std::string(statement));
      if (argument) q.bind(*argument);
      q.run();
      more = db.changes() > 0;
    }
    if (!transaction.commit()) return false;
  }
  return db.ok();
}

bool forget_run(Db& db, RowId run, std::int64_t& lookups) {
  lookups += db.value(("SELECT lookups FROM run WHERE id = " + std::to_string(run)).c_str()).value_or(0);
  static constexpr const char* kSteps[] = {
      "DELETE FROM symbol WHERE compile IN (SELECT c.id FROM compile c JOIN process p ON p.id = c.process WHERE p.run = ? AND EXISTS "
      "(SELECT 1 FROM symbol s WHERE s.compile = c.id) LIMIT 50)",
      "DELETE FROM compile_text WHERE compile IN (SELECT c.id FROM compile c JOIN process p ON p.id = c.process WHERE p.run = ? AND "
      "EXISTS (SELECT 1 FROM compile_text t WHERE t.compile = c.id) LIMIT 50)",
      "DELETE FROM lookup WHERE id IN (SELECT l.id FROM process p JOIN lookup l ON l.process = p.id WHERE p.run = ? LIMIT 500)",
      "DELETE FROM compile WHERE id IN (SELECT c.id FROM process p JOIN compile c ON c.process = p.id WHERE p.run = ? LIMIT 500)",
      "DELETE FROM process_identity WHERE process IN (SELECT id FROM process WHERE run = ?)",
      "DELETE FROM process WHERE run = ?",
      "DELETE FROM problem WHERE run = ?",
      "DELETE FROM source WHERE run = ?",
      "UPDATE snapshot SET run = NULL WHERE run = ?",
      "DELETE FROM run WHERE id = ?"};
  for (const char* step : kSteps)
    if (!until_none(db, step, run)) return false;
  return true;
}

void mark(Db& db, const char* insert, const std::optional<Ids>& ids, std::unordered_set<std::int64_t>& marked) {
  if (!ids) return;
  for (const auto id : *ids)
    if (marked.insert(id).second) {
      Query q(db, std::string(insert));
      q.bind(id);
      q.run();
    }
}

/// Component sets, groups, components, keys and texts that nothing refers to. One transaction: whoever records meanwhile
/// waits, and must not find again by its memory what goes here (meta.generation tells it).
Result<void> sweep(Db& db) {
  Transaction transaction(db);
  const std::int64_t now = os().now();
  db.exec("UPDATE meta SET value = value + 1 WHERE name = 'generation';"
          "DELETE FROM trail WHERE component_set NOT IN (SELECT component_set FROM lookup WHERE component_set IS NOT NULL);"
          "DELETE FROM component_set WHERE id NOT IN (SELECT component_set FROM lookup WHERE component_set IS NOT NULL) "
          "AND id NOT IN (SELECT component_set FROM entry WHERE component_set IS NOT NULL);"
          "CREATE TEMP TABLE used_group(id INTEGER PRIMARY KEY); CREATE TEMP TABLE used_component(id INTEGER PRIMARY KEY);");
  {
    Query q(db, std::string("SELECT groups FROM component_set"));
    std::unordered_set<std::int64_t> marked;
    while (q.next()) mark(db, "INSERT INTO temp.used_group VALUES (?)", decode_ids(q.text(0)), marked);
  }
  db.exec("INSERT OR IGNORE INTO used_group SELECT base FROM component_group WHERE base IS NOT NULL AND id IN used_group;"
          "DELETE FROM component_group WHERE id NOT IN used_group;");
  {
    std::unordered_set<std::int64_t> marked;
    Query q(db, std::string("SELECT members, base FROM component_group"));
    while (q.next()) {
      std::optional<Ids> ids;
      if (q.null(1)) {
        ids = decode_ids(q.text(0));
      } else {
        const std::string members(q.text(0));
        Query base(db, "SELECT members FROM component_group WHERE id = ?", q.integer(1));
        if (base.next())
          if (const auto whole = decode_ids(base.text(0))) ids = apply_difference(*whole, members);
      }
      mark(db, "INSERT INTO temp.used_component VALUES (?)", ids, marked);
    }
  }
  db.exec("DELETE FROM component WHERE id NOT IN used_component;"
          "DELETE FROM component_variant WHERE component NOT IN used_component;"
          "DROP TABLE temp.used_group; DROP TABLE temp.used_component;");
  db.exec(("INSERT INTO tombstone(layer, key, reason, time) SELECT 0, k.id, " + std::to_string(kReasonAskedFor) + ", " +
           std::to_string(now) +
           " FROM key k WHERE NOT EXISTS (SELECT 1 FROM lookup l WHERE l.key = k.id AND l.key <> 0) AND NOT EXISTS "
           "(SELECT 1 FROM entry e WHERE e.key = k.id) AND NOT EXISTS (SELECT 1 FROM tombstone t WHERE t.key = k.id)")
              .c_str());
  db.exec(
      "CREATE TEMP TABLE used_text(id INTEGER PRIMARY KEY);"
      "INSERT OR IGNORE INTO used_text SELECT argv FROM run UNION SELECT cwd FROM run UNION SELECT env FROM run UNION SELECT git_commit FROM "
      "run UNION SELECT versions FROM run UNION SELECT host FROM process UNION SELECT cache_dir FROM process UNION SELECT versions FROM "
      "process UNION SELECT function FROM compile UNION SELECT filename FROM compile UNION SELECT recompile_reason FROM compile UNION "
      "SELECT fail_reason FROM compile UNION SELECT symbol FROM symbol UNION SELECT value FROM symbol UNION SELECT source FROM symbol UNION "
      "SELECT user_file FROM symbol UNION SELECT user_code FROM symbol UNION SELECT name FROM compile_text UNION SELECT text FROM "
      "compile_text UNION SELECT name FROM component UNION SELECT text FROM component UNION SELECT text FROM component_variant UNION "
      "SELECT kind FROM component_group UNION SELECT graph FROM component_set UNION SELECT status FROM lookup UNION SELECT guard FROM "
      "lookup UNION SELECT reason FROM lookup UNION SELECT load_error FROM lookup UNION SELECT save_error FROM lookup UNION SELECT subject "
      "FROM trail UNION SELECT location FROM snapshot UNION SELECT read_from FROM snapshot UNION SELECT name FROM entry UNION SELECT path "
      "FROM entry UNION SELECT state_reason FROM entry UNION SELECT guard FROM entry UNION SELECT code_key FROM entry UNION SELECT needs "
      "FROM entry UNION SELECT metadata FROM entry UNION SELECT source FROM problem UNION SELECT what FROM problem UNION SELECT hint FROM "
      "problem;"
      "DELETE FROM text WHERE id NOT IN used_text; DROP TABLE temp.used_text;");
  return transaction.commit();
}

}  // namespace

Result<ForgetReport> forget_runs(const std::string& store, const std::vector<RowId>& runs) {
  auto opened = open_history(store);
  if (!opened) return tl::make_unexpected(opened.error());
  Db& db = *opened;
  ForgetReport report;
  db.value("PRAGMA wal_checkpoint(TRUNCATE)");
  report.bytes_before = size_of(store);
  for (const RowId run : runs) {
    if (!forget_run(db, run, report.lookups)) return tl::make_unexpected(db.error());
    ++report.runs;
  }
  if (auto swept = sweep(db); !swept) return tl::make_unexpected(swept.error());
  db.exec("VACUUM");
  db.value("PRAGMA wal_checkpoint(TRUNCATE)");
  report.bytes_after = size_of(store);
  if (!db.ok()) return tl::make_unexpected(db.error());
  return report;
}

}  // namespace keyhole
