// SPDX-License-Identifier: Apache-2.0
#include "keyhole/db/recorder.h"

#include <algorithm>
#include <ctime>

#include "keyhole/base/os.h"
#include "keyhole/db/store.h"
#include "recorder_impl.h"

namespace keyhole {
namespace {

constexpr std::int64_t kBatchNanoseconds =
    25'000'000;  // half of the 50 ms that a lock may last: the last record may be large
constexpr Nanoseconds kNearTime = 3600LL * 1'000'000'000;

std::string join_lines(const std::vector<std::string>& lines) {
  std::string joined;
  for (const auto& line : lines) {
    joined += line;
    joined += '\0';
  }
  return joined;
}

std::string name_for(const RunRecord& run) {
  std::string name;
  for (const auto& a : run.argv) {
    if (!name.empty()) name += ' ';
    name += name.empty() ? a.substr(a.find_last_of('/') + 1) : a;
  }
  if (name.empty()) name = "import";
  if (run.start != kUnknownTime) {
    const std::time_t seconds = run.start / 1'000'000'000;
    std::tm parts{};
    char text[32];
    gmtime_r(&seconds, &parts);
    std::strftime(text, sizeof text, ", %Y-%m-%d %H:%M:%S", &parts);
    name += text;
    char fraction[16];
    std::snprintf(fraction, sizeof fraction, ".%06d", static_cast<int>(run.start % 1'000'000'000 / 1000));
    name += fraction;
  }
  return name;
}

}  // namespace

Result<std::unique_ptr<Recorder>> Recorder::open(const std::string& store, bool durable) {
  auto db = open_history(store);
  if (!db) return tl::make_unexpected(db.error());
  if (!durable) db->exec("PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 0");
  if (!db->ok()) return tl::make_unexpected(db->error());
  return std::unique_ptr<Recorder>(std::make_unique<RecorderImpl>(std::move(*db)));
}

Recorder::~Recorder() = default;

RecorderImpl::~RecorderImpl() {
  static_cast<void>(commit());
  if (db_.in_transaction()) {
    db_.clear_error();
    db_.exec("ROLLBACK");
  }
}

void RecorderImpl::RunDelta::count(Outcome outcome, std::int64_t by) {
  lookups += by;
  if (outcome == Outcome::hit) hits += by;
  if (outcome == Outcome::miss || outcome == Outcome::guard_miss) misses += by;
  if (outcome == Outcome::bypass) bypasses += by;
}

void RecorderImpl::RunDelta::saw(Nanoseconds time) {
  if (time != kUnknownTime && (earliest == kUnknownTime || time < earliest)) earliest = time;
}

void RecorderImpl::begin_batch() {
  if (!db_.ok() || db_.in_transaction()) return;
  if (!db_.exec("BEGIN IMMEDIATE")) return;
  batch_began_ = os().monotonic();
  std::int64_t version = 0;
  if (Query q(db_, "PRAGMA data_version"); q.next()) version = q.integer(0);
  if (version == data_version_) return;
  data_version_ = version;
  std::int64_t generation = 0;  // counts deletions of rows that an Interner may remember
  if (Query q(db_, "SELECT value FROM meta WHERE name = 'generation'"); q.next()) generation = q.integer(0);
  if (Query q(db_, "SELECT value FROM meta WHERE name = 'sweeping'"); q.next()) intern_.note_reuse(q.integer(0) != 0);
  if (generation_ != -1 && generation != generation_) {
    intern_.forget();
    trail_.clear();
    compiles_.clear();
  }
  generation_ = generation;
}

void RecorderImpl::end_batch() {
  if (db_.in_transaction() && os().monotonic() - batch_began_ > kBatchNanoseconds) flush();
}

void RecorderImpl::flush() {
  if (!db_.ok() || !db_.in_transaction()) return;
  for (const auto& [run, d] : deltas_) {
    Query(db_,
          "UPDATE run SET lookups = lookups + ?2, hits = hits + ?3, misses = misses + ?4, bypasses = bypasses + ?5, "
          "position = coalesce(start, min(coalesce(position, ?6), ?6), position) WHERE id = ?1",
          run, d.lookups, d.hits, d.misses, d.bypasses, known(d.earliest))
        .run();
  }
  deltas_.clear();
  db_.exec("COMMIT");
}

Result<void> RecorderImpl::commit() {
  end_snapshot();
  flush();
  return db_.status();
}

std::optional<std::int64_t> RecorderImpl::text_cell(std::string_view text) {
  return nonzero(intern_.text(text));
}
std::optional<std::int64_t> RecorderImpl::volatile_cell(std::string_view text) {
  return nonzero(intern_.volatile_text(text));
}

void RecorderImpl::write_run(RowId id, const RunRecord& run) {
  Cells<9> cells{run.argv.empty() ? std::nullopt : text_cell(join_lines(run.argv)),
                 text_cell(run.cwd),
                 text_cell(run.env_json),
                 text_cell(run.git_commit),
                 run.git_commit.empty() ? std::nullopt : std::optional<std::int64_t>(run.git_dirty),
                 text_cell(run.versions_json),
                 known(run.start),
                 known(run.end),
                 run.exit_status ? std::optional<std::int64_t>(*run.exit_status) : std::nullopt};
  bool changed = false;
  {
    Query q(db_,
            "SELECT argv, cwd, env, git_commit, git_dirty, versions, start, end, exit_status FROM run WHERE id = ?",
            id);
    changed = q.next() && merge_cells(cells, q, 0);
  }
  if (!changed) return;
  Query q(db_,
          "UPDATE run SET argv = ?2, cwd = ?3, env = ?4, git_commit = ?5, git_dirty = ?6, versions = ?7, start = ?8, "
          "end = ?9, "
          "exit_status = ?10, position = coalesce(?8, position) WHERE id = ?1",
          id);
  bind_cells(q, cells);
  q.run();
}

Result<RowId> RecorderImpl::begin_run(const RunRecord& run) {
  const Batch batch(*this);
  const std::string name = run.name.empty() ? name_for(run) : run.name;
  RowId id = 0;
  if (Query q(db_, "SELECT id FROM run WHERE name = ?", name); q.next()) id = q.integer(0);
  if (id == 0 && db_.ok()) {
    Query(db_, "INSERT INTO run(name) VALUES (?)", name).run();
    id = db_.last_insert_id();
  }
  write_run(id, run);
  if (!db_.ok()) return tl::make_unexpected(db_.error());
  run_ = id;
  return id;
}

Result<void> RecorderImpl::update_run(const RunRecord& run) {
  const Batch batch(*this);
  write_run(present_run(), run);
  return db_.status();
}

RowId RecorderImpl::present_run() {
  if (run_ == 0) static_cast<void>(begin_run({}));
  return run_;
}

std::int64_t RecorderImpl::source_taken(std::string_view identity) {
  Query q(db_, "SELECT size FROM source WHERE identity = ?", identity);
  return q.next() ? q.integer(0) : 0;
}

void RecorderImpl::note_source(std::string_view identity, std::int64_t size) {
  const Batch batch(*this);
  Query(
      db_,
      "INSERT INTO source VALUES (?1, ?2, ?3) ON CONFLICT(identity) DO UPDATE SET size = max(size, ?2) WHERE size < ?2",
      identity, size, nonzero(run_))
      .run();
}

/// A debug log and a trace of one process are declared as two: they are one where pid and rank agree, the times are
/// near, and nothing else in the run fits as well.
std::int64_t RecorderImpl::find_process(const ProcessRecord& record) {
  const auto hash = static_cast<std::int64_t>(hash64(record.identity));
  {
    Query q(db_, "SELECT p.id FROM process_identity i JOIN process p ON p.id = i.process WHERE i.hash = ?", hash);
    if (q.next()) return q.integer(0);
  }
  if (record.pid < 0) return 0;
  const bool is_log = record.identity.starts_with("log:");
  std::vector<std::int64_t> fits;
  {
    Query q(db_,
            "SELECT id, identity, rank, start, (SELECT max(time) FROM lookup l WHERE l.process = p.id) "
            "FROM process p WHERE run = ? AND pid = ?",
            present_run(), record.pid);
    while (q.next()) {
      if (q.text(1).starts_with("log:") == is_log) continue;
      const bool ranks_agree = record.rank && !q.null(2) && *record.rank == q.integer(2);
      if (record.rank && !q.null(2) && !ranks_agree) continue;
      if (record.start != kUnknownTime && !q.null(3)) {
        const Nanoseconds begin = q.integer(3), end = std::max(begin, q.integer_or(4, begin));
        if (record.start < begin - kNearTime || record.start > end + kNearTime) continue;
      }
      fits.push_back(q.integer(0));
    }
  }
  if (fits.size() > 1)
    problem(
        {record.identity, -1,
         "several processes of this run have pid " + std::to_string(record.pid) + ": what the log says is kept apart",
         "import the log together with the trace of its own process, as a run of its own"});
  if (fits.size() != 1) return 0;
  if (!is_log) Query(db_, "UPDATE process SET identity = ? WHERE id = ?", record.identity, fits[0]).run();
  Query(db_, "INSERT OR IGNORE INTO process_identity VALUES (?, ?)", hash, fits[0]).run();
  return fits[0];
}

RecordSink::ProcessId RecorderImpl::process(const ProcessRecord& record) {
  const Batch batch(*this);
  std::int64_t id = find_process(record);
  if (id == 0 && db_.ok()) {
    Query(db_, "INSERT INTO process(run, identity) VALUES (?, ?)", present_run(), record.identity).run();
    id = db_.last_insert_id();
    Query(db_, "INSERT INTO process_identity VALUES (?, ?)", static_cast<std::int64_t>(hash64(record.identity)), id)
        .run();
  }
  Cells<6> cells{text_cell(record.host),
                 known(record.pid),
                 record.rank ? std::optional<std::int64_t>(*record.rank) : std::nullopt,
                 known(record.start),
                 text_cell(record.cache_dir),
                 text_cell(record.versions_json)};
  bool changed = false;
  RowId run = 0;
  {
    Query q(db_, "SELECT run, host, pid, rank, start, cache_dir, versions FROM process WHERE id = ?", id);
    if (q.next()) {
      run = q.integer(0);
      changed = merge_cells(cells, q, 1);
    }
  }
  if (changed) {
    Query q(
        db_,
        "UPDATE process SET host = ?2, pid = ?3, rank = ?4, start = ?5, cache_dir = ?6, versions = ?7 WHERE id = ?1",
        id);
    bind_cells(q, cells);
    q.run();
  }
  run_of_process_[id] = run;
  deltas_[run].saw(record.start);
  return id;
}

RecorderImpl::CompileState& RecorderImpl::compile_state(ProcessId process, const CompileId& id) {
  CompileState& state = compiles_[{process, id}];
  if (state.id != 0 || !db_.ok()) return state;
  Query(
      db_,
      "INSERT OR IGNORE INTO compile(process, frame, frame_compile, attempt, compiled_autograd) VALUES (?, ?, ?, ?, ?)",
      process, id.frame, id.frame_compile, id.attempt, id.compiled_autograd)
      .run();
  if (db_.changes() == 1) {
    state.id = db_.last_insert_id();
    return state;
  }
  {
    Query q(db_,
            "SELECT id, function, filename FROM compile WHERE process = ? AND frame = ? AND frame_compile = ? AND "
            "attempt = ? "
            "AND compiled_autograd = ?",
            process, id.frame, id.frame_compile, id.attempt, id.compiled_autograd);
    if (!q.next()) return state;
    state.id = q.integer(0);
    state.function = q.integer(1);
    state.filename = q.integer(2);
  }
  Query q(db_, "SELECT DISTINCT layer, component_set FROM lookup WHERE compile = ? AND component_set IS NOT NULL",
          state.id);
  while (q.next()) state.sets.emplace(static_cast<Layer>(q.integer(0)), q.integer(1));
  return state;
}

void RecorderImpl::note_trail(std::int64_t subject, Layer layer, std::int64_t set) {
  if (subject == 0 || set == 0 || !trail_.insert({subject, static_cast<std::int64_t>(layer), set}).second) return;
  Query(db_, "INSERT OR IGNORE INTO trail VALUES (?, ?, ?)", subject, static_cast<int>(layer), set).run();
}

void RecorderImpl::compile(ProcessId process, const CompileRecord& record) {
  const Batch batch(*this);
  CompileState& state = compile_state(process, record.id);
  Cells<10> cells{text_cell(record.function),
                  text_cell(record.filename),
                  known(record.line),
                  known(record.start),
                  known(record.total),
                  known(record.backend),
                  known(record.inductor),
                  volatile_cell(record.recompile_reason),
                  volatile_cell(record.fail_reason),
                  record.finished ? std::optional<std::int64_t>(1) : std::nullopt};
  bool changed = false;
  {
    Query q(db_,
            "SELECT function, filename, line, start, total, backend, inductor, recompile_reason, fail_reason, finished "
            "FROM compile WHERE id = ?",
            state.id);
    changed = q.next() && merge_cells(cells, q, 0);
  }
  if (changed) {
    Query q(db_,
            "UPDATE compile SET function = ?2, filename = ?3, line = ?4, start = ?5, total = ?6, backend = ?7, "
            "inductor = ?8, "
            "recompile_reason = ?9, fail_reason = ?10, finished = ?11 WHERE id = ?1",
            state.id);
    bind_cells(q, cells);
    q.run();
  }
  deltas_[run_of_process_[process]].saw(record.start);
  if (record.function.empty() || (cells[0] == state.function && state.subject != 0)) return;
  state.function = cells[0].value_or(0);
  state.subject = intern_.text(record.filename + ":" + record.function);
  for (const auto& [layer, set] : state.sets) note_trail(state.subject, layer, set);
}

void RecorderImpl::symbol(ProcessId process, const SymbolRecord& record) {
  const Batch batch(*this);
  const CompileState& state = compile_state(process, record.compile);
  Query q(
      db_,
      "INSERT INTO symbol VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET value = coalesce(?3, value), "
      "source = coalesce(?4, source), user_file = coalesce(?5, user_file), user_line = coalesce(?6, user_line), "
      "user_code = coalesce(?7, user_code) WHERE value IS NOT coalesce(?3, value) OR source IS NOT coalesce(?4, "
      "source) OR "
      "user_file IS NOT coalesce(?5, user_file) OR user_line IS NOT coalesce(?6, user_line) OR "
      "user_code IS NOT coalesce(?7, user_code)",
      state.id, intern_.text(record.symbol), text_cell(record.value), text_cell(record.source),
      text_cell(record.user_file), known(record.user_line), text_cell(record.user_code));
  q.run();
}

void RecorderImpl::text(ProcessId process, const TextRecord& record) {
  const Batch batch(*this);
  const CompileState& state = compile_state(process, record.compile);
  const auto body = intern_.volatile_text(record.text);  // guards hold object ids, graphs end in "# graph id: 1397…"
  if (body == 0) return;
  Query(db_, "INSERT OR IGNORE INTO compile_text VALUES (?, ?, ?, ?)", state.id, static_cast<int>(record.kind),
        intern_.text(record.name), body)
      .run();
}

void RecorderImpl::lookup(ProcessId process, const LookupRecord& record) {
  const Batch batch(*this);
  CompileState* state = record.compile.known() ? &compile_state(process, record.compile) : nullptr;
  const std::int64_t set = intern_.component_set(record.components);
  const std::int64_t key = intern_.key(record.key);
  // What was switched off has no key to be known by: it is known by its compile.
  const std::int64_t ordinal = record.cache_off ? -1 - (state != nullptr ? state->id : 0) : record.ordinal;
  Cells<14> cells{state != nullptr ? std::optional(state->id) : std::nullopt,
                  static_cast<std::int64_t>(record.outcome),
                  text_cell(record.status),
                  nonzero(static_cast<std::int64_t>(record.direction)),
                  known(record.time),
                  known(record.duration),
                  known(record.cost),
                  known(record.saved),
                  text_cell(record.guard),
                  volatile_cell(record.reason),
                  nonzero(set),
                  record.cache_off ? std::optional<std::int64_t>(1) : std::nullopt,
                  volatile_cell(record.load_error),
                  volatile_cell(record.save_error)};
  if (!db_.ok()) return;
  RunDelta& delta = deltas_[run_of_process_[process]];
  delta.saw(record.time);
  {
    Query q(db_,
            "INSERT OR IGNORE INTO lookup(process, layer, key, ordinal, compile, outcome, status, direction, time, "
            "duration, cost, "
            "saved, guard, reason, component_set, cache_off, load_error, save_error) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            process, static_cast<int>(record.layer), key, ordinal);
    bind_cells(q, cells);
    q.run();
  }
  if (db_.changes() == 1) {
    delta.count(record.outcome, 1);
  } else {
    std::int64_t id = 0;
    Outcome before = record.outcome, after = record.outcome;
    bool changed = false;
    {
      Query q(db_,
              "SELECT id, compile, outcome, status, direction, time, duration, cost, saved, guard, reason, "
              "component_set, cache_off, "
              "load_error, save_error FROM lookup WHERE process = ? AND layer = ? AND key = ? AND ordinal = ?",
              process, static_cast<int>(record.layer), key, ordinal);
      if (q.next()) {
        id = q.integer(0);
        before = static_cast<Outcome>(q.integer(2));
        // A log knows no more than that it missed; who gave a status knew whether a guard did.
        if (record.status.empty() && !q.null(3)) after = before;
        cells[1] = static_cast<std::int64_t>(after);
        changed = merge_cells(cells, q, 1);
      }
    }
    if (changed) {
      Query q(db_,
              "UPDATE lookup SET compile = ?2, outcome = ?3, status = ?4, direction = ?5, time = ?6, duration = ?7, "
              "cost = ?8, "
              "saved = ?9, guard = ?10, reason = ?11, component_set = ?12, cache_off = ?13, load_error = ?14, "
              "save_error = ?15 "
              "WHERE id = ?1",
              id);
      bind_cells(q, cells);
      q.run();
      delta.count(before, -1);
      delta.count(after, 1);
    }
  }
  if (set == 0 || state == nullptr) return;
  if (state->subject == 0 && state->function != 0) blaze_trail(*state);
  state->sets.emplace(record.layer, set);
  note_trail(state->subject, record.layer, set);
  note_trail(intern_.text(record.compile.text()), record.layer, set);
}

/// The trail's subject of a compile that was recorded by an earlier process of ours.
void RecorderImpl::blaze_trail(CompileState& state) {
  std::string name;
  for (const auto id : {state.filename, state.function}) {
    Query q(db_, "SELECT body FROM text WHERE id = ?", id);
    if (q.next()) name += text_body(q, 0).value_or("");
    if (id == state.filename) name += ':';
  }
  state.subject = intern_.text(name);
}

void RecorderImpl::problem(const Problem& p) {
  const Batch batch(*this);
  const auto source = intern_.text(p.source), what = intern_.volatile_text(p.what);
  {
    Query q(db_, "SELECT 1 FROM problem WHERE source = ? AND offset IS ? AND what = ?", source, known(p.offset), what);
    if (q.next()) return;
  }
  Query(db_, "INSERT INTO problem(run, source, offset, what, hint) VALUES (?, ?, ?, ?, ?)", nonzero(run_), source,
        known(p.offset), what, text_cell(p.hint))
      .run();
}

}  // namespace keyhole
