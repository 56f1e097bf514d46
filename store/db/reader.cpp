// SPDX-License-Identifier: Apache-2.0
#include "keyhole/db/reader.h"

#include <sqlite3.h>

#include <algorithm>
#include <unordered_set>

#include "keyhole/db/store.h"
#include "reader_impl.h"

namespace keyhole {
namespace {

#define RUN_SELECT                                                                     \
  "SELECT r.id, r.name, r.argv, r.cwd, r.env, r.git_commit, r.git_dirty, r.versions, " \
  "coalesce(r.start, r.position), r.end, r.exit_status, "                              \
  "(SELECT count(*) FROM process p WHERE p.run = r.id), r.lookups, r.hits, r.misses, r.bypasses FROM run r "

std::vector<std::string> split(std::string_view joined, char by, bool terminated) {
  std::vector<std::string> parts;
  while (!joined.empty()) {
    const auto at = joined.find(by);
    parts.emplace_back(joined.substr(0, at));
    if (at == std::string_view::npos) break;
    joined.remove_prefix(at + 1);
    if (joined.empty() && !terminated) parts.emplace_back();
  }
  return parts;
}

std::optional<int> maybe_int(const Query& q, int column) {
  const auto v = q.maybe(column);
  return v ? std::optional<int>(static_cast<int>(*v)) : std::nullopt;
}

}  // namespace

const std::string& Reader::Impl::text(std::int64_t id) {
  static const std::string none;
  if (id == 0) return none;
  if (const auto found = texts_.find(id); found != texts_.end()) return found->second;
  Query q(db, "SELECT body FROM text WHERE id = ?", id);
  if (!q.next()) return none;
  auto body = text_body(q, 0);
  if (!body) {
    db.set_error({ErrorKind::corrupt, "text " + std::to_string(id) + " of the store does not unpack", db.path(),
                  "run `keyhole verify --repair`"});
    return none;
  }
  text_bytes_ += body->size();
  return texts_.emplace(id, std::move(*body)).first->second;
}

std::string Reader::Impl::key_name(std::int64_t id) {
  if (id == 0) return {};
  if (const auto found = keys_.find(id); found != keys_.end()) return found->second;
  Query q(db, "SELECT name FROM key WHERE id = ?", id);
  if (!q.next()) return {};
  return keys_.emplace(id, q.text(0)).first->second;
}

Reader::Call::Call(Impl& impl) : impl_(impl) {
  impl_.begin();
  Query(impl_.db, "BEGIN").run();
}

Reader::Call::~Call() {
  impl_.db.end_reading();
}

void Reader::Impl::stop_when(std::function<bool()> stop) {
  stop_ = std::move(stop);
  // 2,000 steps of SQLite's machine take about 50 microseconds.
  sqlite3_progress_handler(
      db.handle(), stop_ ? 2'000 : 0, [](void* self) { return static_cast<Impl*>(self)->stop_() ? 1 : 0; }, this);
}

void Reader::Impl::begin() {
  db.clear_error();
  if (text_bytes_ > 64'000'000) {
    texts_.clear();
    text_bytes_ = 0;
  }
  if (keys_.size() > 200'000) keys_.clear();
  if (groups_.size() > 20'000) groups_.clear();
  if (components_.size() > 200'000) components_.clear();
}

LookupRow Reader::Impl::lookup_row(const Query& q) {
  LookupRow row;
  row.id = q.integer(0);
  row.run = q.integer(1);
  row.process = q.integer(2);
  row.compile = q.integer(3);
  row.component_set = q.integer(4);
  row.run_name = q.text(5);
  row.run_order = q.integer(6);
  row.rank = maybe_int(q, 7);
  row.cache_dir = text_cell(q, 8);
  row.function = text_cell(q, 9);
  row.filename = text_cell(q, 10);
  row.line = q.integer_or(11, -1);
  LookupRecord& r = row.record;
  r.layer = static_cast<Layer>(q.integer(12));
  if (row.compile != 0) r.compile = {q.integer(13), q.integer(14), q.integer(15), q.integer(16)};
  r.key = key_name(q.integer(17));
  r.ordinal = std::max<std::int64_t>(q.integer(18), 0);
  r.outcome = static_cast<Outcome>(q.integer(19));
  r.status = text_cell(q, 20);
  r.direction = static_cast<Direction>(q.integer(21));
  r.time = q.integer_or(22, kUnknownTime);
  r.duration = q.integer_or(23, -1);
  r.cost = q.integer_or(24, -1);
  r.saved = q.integer_or(25, -1);
  r.guard = text_cell(q, 26);
  r.reason = text_cell(q, 27);
  r.cache_off = q.integer(28) != 0;
  r.load_error = text_cell(q, 29);
  r.save_error = text_cell(q, 30);
  return row;
}

CompileRow Reader::Impl::compile_row(const Query& q, RowId process, const CompileId& id) {
  CompileRow row;
  row.id = q.integer(0);
  row.process = process;
  CompileRecord& r = row.record;
  r.id = id;
  r.function = text_cell(q, 1);
  r.filename = text_cell(q, 2);
  r.line = q.integer_or(3, -1);
  r.start = q.integer_or(4, kUnknownTime);
  r.total = q.integer_or(5, -1);
  r.backend = q.integer_or(6, -1);
  r.inductor = q.integer_or(7, -1);
  r.recompile_reason = text_cell(q, 8);
  r.fail_reason = text_cell(q, 9);
  r.finished = q.integer(10) != 0;
  return row;
}

std::vector<LookupRow> Reader::Impl::lookup_rows(Query& q) {
  std::vector<LookupRow> rows;
  while (q.next()) rows.push_back(lookup_row(q));
  return rows;
}

std::optional<LookupRow> Reader::Impl::lookup(RowId id) {
  Query q(db, LOOKUP_FROM "WHERE l.id = ?", id);
  if (!q.next()) return std::nullopt;
  return lookup_row(q);
}

RunRow Reader::Impl::run_row(const Query& q) {
  RunRow row;
  row.id = q.integer(0);
  RunRecord& r = row.record;
  r.name = q.text(1);
  r.argv = split(text_cell(q, 2), '\0', true);
  r.cwd = text_cell(q, 3);
  r.env_json = text_cell(q, 4);
  r.git_commit = text_cell(q, 5);
  r.git_dirty = q.integer(6) != 0;
  r.versions_json = text_cell(q, 7);
  r.start = q.integer_or(8, kUnknownTime);
  r.end = q.integer_or(9, kUnknownTime);
  r.exit_status = maybe_int(q, 10);
  row.processes = q.integer(11);
  row.lookups = q.integer(12);
  row.hits = q.integer(13);
  row.misses = q.integer(14);
  row.bypasses = q.integer(15);
  return row;
}

Reader::Reader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Reader::Reader(Reader&&) noexcept = default;
Reader& Reader::operator=(Reader&&) noexcept = default;
Reader::~Reader() = default;

Result<Reader> Reader::open(const std::string& store) {
  auto db = open_history_to_read(store);
  if (!db) return tl::make_unexpected(db.error());
  return Reader(std::make_unique<Impl>(std::move(*db)));
}

void Reader::save_memory() {
  impl_->db.exec("PRAGMA mmap_size = 0; PRAGMA temp_store = FILE; PRAGMA cache_size = -8000");
}

void Reader::stop_when(std::function<bool()> stop) {
  impl_->stop_when(std::move(stop));
}

Result<std::vector<RunRow>> Reader::newest_runs(std::size_t limit) {
  const Call call(*impl_);
  std::vector<RunRow> rows;
  Query q(impl_->db, RUN_SELECT "ORDER BY r.position DESC, r.id DESC LIMIT ?", static_cast<std::int64_t>(limit));
  while (q.next()) rows.push_back(impl_->run_row(q));
  std::reverse(rows.begin(), rows.end());
  return impl_->end(std::move(rows));
}

Result<std::vector<RunRow>> Reader::runs_by_id(const std::vector<RowId>& ids) {
  const Call call(*impl_);
  std::string list;
  for (const auto id : ids) list += (list.empty() ? "" : ",") + std::to_string(id);
  std::vector<RunRow> rows;
  Query q(impl_->db, RUN_SELECT "WHERE r.id IN (" + list + ") ORDER BY r.position, r.id");
  while (q.next()) rows.push_back(impl_->run_row(q));
  return impl_->end(std::move(rows));
}

Result<std::vector<RunRow>> Reader::runs() {
  const Call call(*impl_);
  std::vector<RunRow> rows;
  Query q(impl_->db, RUN_SELECT "ORDER BY r.position, r.id");
  while (q.next()) rows.push_back(impl_->run_row(q));
  return impl_->end(std::move(rows));
}

Result<std::optional<RunRow>> Reader::run_named(std::string_view name) {
  const Call call(*impl_);
  std::optional<RunRow> row;
  Query q(impl_->db, RUN_SELECT "WHERE r.name = ?", name);
  if (q.next()) row = impl_->run_row(q);
  return impl_->end(std::move(row));
}

Result<std::optional<RunRow>> Reader::last_run() {
  const Call call(*impl_);
  std::optional<RunRow> row;
  Query q(impl_->db, RUN_SELECT "ORDER BY r.position DESC, r.id DESC LIMIT 1");
  if (q.next()) row = impl_->run_row(q);
  return impl_->end(std::move(row));
}

Result<std::vector<ProcessRow>> Reader::processes(RowId run) {
  const Call call(*impl_);
  std::vector<ProcessRow> rows;
  Query q(
      impl_->db,
      "SELECT id, identity, host, pid, rank, start, cache_dir, versions FROM process WHERE run = ? ORDER BY start, id",
      run);
  while (q.next())
    rows.push_back({q.integer(0),
                    run,
                    {std::string(q.text(1)), impl_->text_cell(q, 2), q.integer_or(3, -1), maybe_int(q, 4),
                     q.integer_or(5, kUnknownTime), impl_->text_cell(q, 6), impl_->text_cell(q, 7)}});
  return impl_->end(std::move(rows));
}

Result<std::optional<LookupRow>> Reader::lookup(RowId id) {
  const Call call(*impl_);
  return impl_->end(impl_->lookup(id));
}

Result<std::vector<LookupRow>> Reader::lookups_of_run(RowId run, RowId after, std::size_t limit) {
  const Call call(*impl_);
  std::optional<std::int64_t> time;
  if (after != 0) {
    Query q(impl_->db, "SELECT coalesce(time, -1) FROM lookup WHERE id = ?", after);
    if (q.next()) time = q.integer(0);
  }
  Query q(impl_->db,
          LOOKUP_FROM
          "WHERE p.run = ? AND (coalesce(l.time, -1), l.id) > (coalesce(?, -2), ?) "
          "ORDER BY coalesce(l.time, -1), l.id LIMIT ?",
          run, time, after, static_cast<std::int64_t>(limit));
  return impl_->end(impl_->lookup_rows(q));
}

Result<std::vector<LookupRow>> Reader::lookups_of_process(RowId process) {
  const Call call(*impl_);
  Query q(impl_->db, LOOKUP_FROM "WHERE l.process = ? ORDER BY l.time, l.id", process);
  return impl_->end(impl_->lookup_rows(q));
}

Result<std::vector<LookupRow>> Reader::lookups_of_compile(RowId process, const CompileId& id) {
  const Call call(*impl_);
  Query q(impl_->db,
          LOOKUP_FROM
          "WHERE l.compile IN (SELECT id FROM compile WHERE process = ? AND frame = ? AND frame_compile = ? AND "
          "attempt = ? AND compiled_autograd = ?) ORDER BY l.time, l.id",
          process, id.frame, id.frame_compile, id.attempt, id.compiled_autograd);
  return impl_->end(impl_->lookup_rows(q));
}

Result<std::vector<LookupRow>> Reader::lookups_with_key_prefix(std::string_view prefix, std::size_t limit) {
  const Call call(*impl_);
  if (prefix.size() < 4) return fail(ErrorKind::usage, "a key's prefix has at least 4 characters", std::string(prefix));
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff) end.pop_back();
  if (!end.empty()) ++end.back();
  Query q(impl_->db,
          LOOKUP_SELECT
          "FROM (SELECT id FROM key WHERE name >= ?1 AND name < ?2 AND EXISTS (SELECT 1 FROM lookup x WHERE x.key = "
          "key.id AND x.key <> 0) "
          "ORDER BY name LIMIT ?3) k "
          "JOIN lookup l ON l.id = (SELECT id FROM lookup WHERE key = k.id AND key <> 0 ORDER BY coalesce(time, -1) "
          "DESC, id DESC LIMIT 1) " LOOKUP_JOINS,
          prefix, end, static_cast<std::int64_t>(limit));
  return impl_->end(impl_->lookup_rows(q));
}

Result<std::vector<LookupRow>> Reader::lookups_with_key(Layer layer, std::string_view key, RowId before,
                                                        std::size_t limit) {
  const Call call(*impl_);
  std::optional<std::int64_t> time;
  if (before != 0) {
    Query q(impl_->db, "SELECT time FROM lookup WHERE id = ?", before);
    if (q.next()) time = q.maybe(0);
  }
  // Earlier by time; where a time is not known, by the order of recording.
  Query q(impl_->db,
          LOOKUP_FROM
          "WHERE l.key = (SELECT id FROM key WHERE name = ?1) AND l.key <> 0 AND l.layer = ?2 AND (?3 = 0 OR (l.id <> "
          "?3 AND "
          "CASE WHEN ?4 IS NULL OR l.time IS NULL OR l.time = ?4 THEN l.id < ?3 ELSE l.time < ?4 END)) "
          "ORDER BY coalesce(l.time, -1) DESC, l.id DESC LIMIT ?5",
          key, static_cast<int>(layer), before, time, static_cast<std::int64_t>(limit));
  return impl_->end(impl_->lookup_rows(q));
}

/// So many earlier component sets of the graph and of the function are weighed by what differs, and so many kept.
constexpr std::int64_t kReachBack = 64;
constexpr std::size_t kNearest = 4;

Result<std::vector<LookupRow>> Reader::baseline_candidates(const LookupRow& subject, std::size_t limit_each) {
  const Call call(*impl_);
  Db& db = impl_->db;
  const auto layer = static_cast<int>(subject.record.layer);
  const auto limit = static_cast<std::int64_t>(limit_each);
  std::unordered_set<std::int64_t> sets{subject.component_set, 0};
  std::vector<std::int64_t> order;
  const auto take = [&](Query& q) {
    while (q.next())
      if (sets.insert(q.integer(0)).second) order.push_back(q.integer(0));
  };
  // The newest, and of those behind them the ones that differ in the fewest components: in a long history what comes
  // nearest need not be new.
  const auto take_near = [&](Query& q) {
    std::vector<std::int64_t> rest;
    for (std::size_t n = 0; q.next(); ++n) {
      if (!sets.insert(q.integer(0)).second) continue;
      (n < limit_each ? order : rest).push_back(q.integer(0));
    }
    impl_->keep_nearest(subject.component_set, kNearest, rest);
    order.insert(order.end(), rest.begin(), rest.end());
  };
  // Sets made before the subject's first, then those made after it: imports need not come in the order of time.
  const std::int64_t pivot = subject.component_set != 0 ? subject.component_set : INT64_MAX;
  if (subject.component_set != 0) {
    Query earlier(db,
                  "SELECT id FROM component_set WHERE graph = (SELECT graph FROM component_set WHERE id = ?1) AND "
                  "id < ?2 ORDER BY id DESC LIMIT ?3",
                  subject.component_set, pivot, std::max(limit, kReachBack));
    take_near(earlier);
    Query later(db,
                "SELECT id FROM component_set WHERE graph = (SELECT graph FROM component_set WHERE id = ?1) AND id > "
                "?2 ORDER BY id LIMIT ?3",
                subject.component_set, pivot, limit);
    take(later);
  }
  const std::string function = subject.filename + ":" + subject.function;
  for (const std::string& name : {function, subject.record.compile.text()}) {
    if (name.empty() || name == ":") continue;
    const auto hash = static_cast<std::int64_t>(hash64(name));
    const bool near = name == function;
    Query earlier(db,
                  "SELECT component_set FROM trail WHERE subject = (SELECT id FROM text WHERE hash = ?1 AND body = ?2) "
                  "AND layer = ?3 AND component_set < ?4 ORDER BY component_set DESC LIMIT ?5",
                  hash, name, layer, pivot, near ? std::max(limit, kReachBack) : limit);
    near ? take_near(earlier) : take(earlier);
    Query later(db,
                "SELECT component_set FROM trail WHERE subject = (SELECT id FROM text WHERE hash = ?1 AND body = ?2) "
                "AND layer = ?3 AND component_set > ?4 ORDER BY component_set LIMIT ?5",
                hash, name, layer, pivot, limit);
    take(later);
  }
  {
    Query q(db,
            "SELECT component_set FROM lookup WHERE process = ? AND layer = ? AND component_set IS NOT NULL AND id <> "
            "? LIMIT ?",
            subject.process, layer, subject.id, limit * 4);
    take(q);
  }
  {
    Query q(
        db,
        "SELECT l.component_set FROM process p JOIN lookup l ON l.process = p.id WHERE p.run = ? AND l.layer = ? AND "
        "l.component_set IS NOT NULL LIMIT ?",
        subject.run, layer, limit * 4);
    take(q);
  }
  {
    Query q(db,
            "SELECT component_set FROM (SELECT component_set, layer FROM lookup WHERE id < ? ORDER BY id DESC LIMIT ?) "
            "WHERE layer = ? AND component_set IS NOT NULL LIMIT ?",
            subject.id, limit * 8, layer, limit);
    take(q);
  }
  std::vector<LookupRow> rows;
  const auto earlier = [&](std::int64_t id, std::optional<std::int64_t> time) {
    if (id == subject.id) return false;
    if (subject.record.time != kUnknownTime && time && *time != subject.record.time) return *time < subject.record.time;
    return id < subject.id;
  };
  for (const auto set : order) {
    std::int64_t best = 0;
    std::optional<std::int64_t> best_time;
    bool best_beside = false;  // of another process of the subject's run: tells less of what changed than a run before
    for (const char* sql : {"SELECT l.id, l.time, l.layer, l.process, p.run FROM lookup l JOIN process p ON p.id = "
                            "l.process WHERE l.component_set = ?1 AND l.id < ?2 ORDER BY l.id DESC LIMIT 32",
                            "SELECT l.id, l.time, l.layer, l.process, p.run FROM lookup l JOIN process p ON p.id = "
                            "l.process WHERE l.component_set = ?1 AND l.id > ?2 ORDER BY l.id LIMIT 32"}) {
      Query q(db, sql, set, subject.id);
      while (q.next()) {
        if (q.integer(2) != layer || !earlier(q.integer(0), q.maybe(1))) continue;
        const bool beside = q.integer(4) == subject.run && q.integer(3) != subject.process;
        if (best == 0 || (beside == best_beside ? q.maybe(1) > best_time : best_beside)) {
          best = q.integer(0);
          best_time = q.maybe(1);
          best_beside = beside;
        }
      }
    }
    if (best == 0) continue;
    if (auto row = impl_->lookup(best); row && row->record.key != subject.record.key) rows.push_back(std::move(*row));
  }
  return impl_->end(std::move(rows));
}

Result<std::optional<CompileRow>> Reader::compile(RowId process, const CompileId& id) {
  const Call call(*impl_);
  std::optional<CompileRow> row;
  Query q(impl_->db,
          "SELECT id, function, filename, line, start, total, backend, inductor, recompile_reason, fail_reason, "
          "finished FROM compile "
          "WHERE process = ? AND frame = ? AND frame_compile = ? AND attempt = ? AND compiled_autograd = ?",
          process, id.frame, id.frame_compile, id.attempt, id.compiled_autograd);
  if (q.next()) row = impl_->compile_row(q, process, id);
  return impl_->end(std::move(row));
}

Result<std::vector<CompileRow>> Reader::compiles(RowId run, std::size_t limit) {
  const Call call(*impl_);
  std::vector<CompileRow> rows;
  Query q(impl_->db,
          "SELECT c.id, c.function, c.filename, c.line, c.start, c.total, c.backend, c.inductor, c.recompile_reason, "
          "c.fail_reason, c.finished, c.process, c.frame, c.frame_compile, c.attempt, c.compiled_autograd "
          "FROM process p JOIN compile c ON c.process = p.id WHERE p.run = ? ORDER BY c.id LIMIT ?",
          run, static_cast<std::int64_t>(limit));
  while (q.next())
    rows.push_back(
        impl_->compile_row(q, q.integer(11), CompileId{q.integer(12), q.integer(13), q.integer(14), q.integer(15)}));
  return impl_->end(std::move(rows));
}

Result<std::vector<SymbolRecord>> Reader::symbols(RowId process, const CompileId& id) {
  const Call call(*impl_);
  std::vector<SymbolRecord> rows;
  Query q(impl_->db,
          "SELECT s.symbol, s.value, s.source, s.user_file, s.user_line, s.user_code FROM compile c JOIN symbol s ON "
          "s.compile = c.id "
          "WHERE c.process = ? AND c.frame = ? AND c.frame_compile = ? AND c.attempt = ? AND c.compiled_autograd = ?",
          process, id.frame, id.frame_compile, id.attempt, id.compiled_autograd);
  while (q.next())
    rows.push_back({id, impl_->text_cell(q, 0), impl_->text_cell(q, 1), impl_->text_cell(q, 2), impl_->text_cell(q, 3),
                    q.integer_or(4, -1), impl_->text_cell(q, 5)});
  return impl_->end(std::move(rows));
}

Result<std::vector<TextRecord>> Reader::texts(RowId process, const CompileId& id, std::optional<TextKind> kind) {
  const Call call(*impl_);
  std::vector<TextRecord> rows;
  Query q(impl_->db,
          "SELECT t.kind, t.name, t.text FROM compile c JOIN compile_text t ON t.compile = c.id WHERE c.process = ? "
          "AND c.frame = ? AND "
          "c.frame_compile = ? AND c.attempt = ? AND c.compiled_autograd = ? AND (?6 IS NULL OR t.kind = ?6)",
          process, id.frame, id.frame_compile, id.attempt, id.compiled_autograd,
          kind ? std::optional<std::int64_t>(static_cast<std::int64_t>(*kind)) : std::nullopt);
  while (q.next())
    rows.push_back({id, static_cast<TextKind>(q.integer(0)), impl_->text_cell(q, 1), impl_->text_cell(q, 2)});
  return impl_->end(std::move(rows));
}

Result<std::vector<Problem>> Reader::problems(RowId run) {
  const Call call(*impl_);
  std::vector<Problem> rows;
  Query q(impl_->db, "SELECT source, offset, what, hint FROM problem WHERE run IS ? ORDER BY id",
          run == 0 ? std::nullopt : std::optional<std::int64_t>(run));
  while (q.next())
    rows.push_back({impl_->text_cell(q, 0), q.integer_or(1, -1), impl_->text_cell(q, 2), impl_->text_cell(q, 3)});
  return impl_->end(std::move(rows));
}

}  // namespace keyhole
