// SPDX-License-Identifier: Apache-2.0
#include "keyhole/db/sqlite.h"

#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "keyhole/base/os.h"

namespace keyhole {

struct KeptStatement {
  sqlite3_stmt* handle = nullptr;
  bool in_use = false;
};

struct Db::Impl {
  sqlite3* handle = nullptr;
  std::string path;
  pid_t owner = ::getpid();
  std::optional<Error> error;
  std::unordered_map<const char*, KeptStatement> kept;

  ~Impl() {
    if (::getpid() != owner) return;  // closing a parent's handle would run its checkpoint and delete its journal
    for (auto& [sql, statement] : kept) sqlite3_finalize(statement.handle);
    sqlite3_close_v2(handle);
  }
};

namespace {

Error error_of(sqlite3* handle, int code, const char* doing, const std::string& path) {
  Error e{ErrorKind::internal, {}, path, {}};
  const char* message = handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
  e.what = std::string(doing) + ": " + message;
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      e.kind = ErrorKind::busy;
      e.what = "another process holds the lock of the store";
      e.hint = "try again in a moment";
      break;
    case SQLITE_CORRUPT:
      e.kind = ErrorKind::corrupt;
      e.hint = "run `keyhole verify --repair`";
      break;
    case SQLITE_NOTADB:
      e.kind = ErrorKind::bad_input;
      e.what = "this is not a file of Keyhole";
      e.hint = "choose another folder with --store";
      break;
    case SQLITE_FULL:
      e.kind = ErrorKind::io;
      e.what = "the disk is full";
      e.hint = "free some space, then run the same command again: what was committed is kept";
      break;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN: {
      // SQLite tells which of its steps failed; what the operating system said is what helps.
      const int code_of_system = handle != nullptr ? sqlite3_system_errno(handle) : 0;
      if (code_of_system != 0) e = os_error(code_of_system, "read or write the store", path);
      e.kind = ErrorKind::io;
      break;
    }
    case SQLITE_READONLY:
    case SQLITE_PERM:
      e.kind = ErrorKind::io;
      e.hint = "choose a folder that you may write, with --store or KEYHOLE_STORE";
      break;
    case SQLITE_TOOBIG:
      e.kind = ErrorKind::bad_input;
      break;
    default:
      break;
  }
  return e;
}

/// SQLite's own handler sleeps up to 100 ms at a time, which starves a waiter among many writers. A put holds the lock
/// for a quarter of a millisecond: this one looks again after about 0.1 ms, and waits longer each time, up to 4 ms,
/// until the time is over. The low bits of the clock keep two waiters from meeting again.
int keep_trying(void* limit, int count) {
  static thread_local std::int64_t since = 0;
  const std::int64_t now = os().monotonic();
  if (count == 0) since = now;
  if (now - since >= static_cast<std::int64_t>(reinterpret_cast<std::intptr_t>(limit)) * 1'000'000) return 0;
  const std::int64_t most = std::min<std::int64_t>(4'000, std::int64_t{100} << std::min(count, 6));
  ::usleep(static_cast<unsigned>(most / 2 + (now >> 6) % (most / 2)));
  return 1;
}

}  // namespace

Db::Db(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Db::Db(Db&&) noexcept = default;
Db& Db::operator=(Db&&) noexcept = default;
Db::~Db() {
  if (impl_ && ::getpid() != impl_->owner) static_cast<void>(impl_.release());
}

Result<Db> Db::open(const std::string& path, const Options& options) {
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  std::string name = path;
  switch (options.mode) {
    case Mode::read:
      flags |= SQLITE_OPEN_READONLY;
      break;
    case Mode::write:
      flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
      break;
    case Mode::memory:
      flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
      name = ":memory:";
      break;
    case Mode::immutable: {
      flags |= SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
      name = "file:";
      for (const char c : path) {
        if (c == '?' || c == '#' || c == '%') {
          static constexpr char kHex[] = "0123456789abcdef";
          name += {'%', kHex[(c >> 4) & 15], kHex[c & 15]};
        } else {
          name += c;
        }
      }
      name += "?immutable=1";
      break;
    }
  }
  const int code = sqlite3_open_v2(name.c_str(), &impl->handle, flags, options.vfs);
  if (code != SQLITE_OK) return tl::make_unexpected(error_of(impl->handle, code, "cannot open the store", path));
  sqlite3_busy_handler(impl->handle, keep_trying, reinterpret_cast<void*>(static_cast<std::intptr_t>(options.busy_ms)));
  sqlite3_db_config(impl->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(impl->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_limit(impl->handle, SQLITE_LIMIT_ATTACHED, 2);
  return Db(std::move(impl));
}

bool Db::ok() const {
  return !impl_->error;
}
const Error& Db::error() const {
  static const Error none;
  return impl_->error ? *impl_->error : none;
}
void Db::clear_error() {
  impl_->error.reset();
}
Result<void> Db::status() const {
  if (impl_->error) return tl::make_unexpected(*impl_->error);
  return {};
}
void Db::set_error(Error error) {
  if (!impl_->error) impl_->error = std::move(error);
}
std::int64_t Db::last_insert_id() const {
  return sqlite3_last_insert_rowid(impl_->handle);
}
std::int64_t Db::changes() const {
  return sqlite3_changes64(impl_->handle);
}
bool Db::in_transaction() const {
  return sqlite3_get_autocommit(impl_->handle) == 0;
}
sqlite3* Db::handle() const {
  return impl_->handle;
}
const std::string& Db::path() const {
  return impl_->path;
}

void Db::fail_here(int code, const char* doing) {
  set_error(error_of(impl_->handle, code, doing, impl_->path));
}

bool Db::usable() {
  if (::getpid() != impl_->owner)
    set_error(
        {ErrorKind::usage, "this store was opened before fork()", impl_->path, "open it anew in the child process"});
  return ok();
}

bool Db::exec(const char* sql) {
  if (!usable()) return false;
  const int code = sqlite3_exec(impl_->handle, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail_here(code, "the store refused a statement");
  return code == SQLITE_OK;
}

void Db::end_reading() {
  if (in_transaction()) sqlite3_exec(impl_->handle, "COMMIT", nullptr, nullptr, nullptr);
}

std::optional<std::int64_t> Db::value(const char* sql) {
  Query q(*this, std::string(sql));
  if (!q.next()) return std::nullopt;
  return q.maybe(0);
}

sqlite3_stmt* Db::prepare(std::string_view sql, bool lasting) {
  if (!usable()) return nullptr;
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(impl_->handle, sql.data(), static_cast<int>(sql.size()),
                                      lasting ? SQLITE_PREPARE_PERSISTENT : 0, &statement, nullptr);
  if (code != SQLITE_OK) fail_here(code, "the store refused a statement");
  return statement;
}

KeptStatement* Db::take(const char* literal) {
  if (!ok()) return nullptr;
  KeptStatement& statement = impl_->kept[literal];
  if (statement.in_use) return nullptr;
  if (statement.handle == nullptr) statement.handle = prepare(literal, true);
  statement.in_use = statement.handle != nullptr;
  return statement.in_use ? &statement : nullptr;
}

Query::Query(Db& db, const char* literal, std::nullptr_t) : db_(&db), kept_(db.take(literal)) {
  if (kept_ != nullptr)
    statement_ = kept_->handle;
  else if (db.ok())  // a query within one of the same text
    statement_ = db.prepare(literal, false);
}

Query::~Query() {
  if (statement_ == nullptr) return;
  if (kept_ == nullptr) {
    sqlite3_finalize(statement_);
    return;
  }
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  kept_->in_use = false;
}

void Query::bind(std::int64_t v) {
  ++bound_;
  if (statement_ != nullptr) sqlite3_bind_int64(statement_, bound_, v);
}
void Query::bind(double v) {
  ++bound_;
  if (statement_ != nullptr) sqlite3_bind_double(statement_, bound_, v);
}
void Query::bind(std::string_view v) {
  ++bound_;
  if (statement_ == nullptr) return;
  const int code = sqlite3_bind_text64(statement_, bound_, v.data() != nullptr ? v.data() : "", v.size(), SQLITE_STATIC,
                                       SQLITE_UTF8);
  if (code != SQLITE_OK) db_->fail_here(code, "cannot store a text");
}
void Query::bind(Blob v) {
  ++bound_;
  if (statement_ == nullptr) return;
  const int code = sqlite3_bind_blob64(statement_, bound_, v.bytes.data() != nullptr ? v.bytes.data() : "",
                                       v.bytes.size(), SQLITE_STATIC);
  if (code != SQLITE_OK) db_->fail_here(code, "cannot store a blob");
}
void Query::bind(std::nullopt_t) {
  ++bound_;
}  // unbound parameters are NULL

bool Query::next() {
  if (statement_ == nullptr || !db_->ok()) return false;
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) db_->fail_here(code, "the store refused a statement");
  return false;
}

void Query::rewind() {
  bound_ = 0;
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

int Query::columns() const {
  return sqlite3_column_count(statement_);
}
bool Query::null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}
bool Query::is_blob(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_BLOB;
}
std::int64_t Query::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}
std::int64_t Query::integer_or(int column, std::int64_t absent) const {
  return null(column) ? absent : integer(column);
}
std::optional<std::int64_t> Query::maybe(int column) const {
  if (null(column)) return std::nullopt;
  return integer(column);
}
double Query::real(int column) const {
  return sqlite3_column_double(statement_, column);
}
std::string_view Query::text(int column) const {
  // Of a text too: sqlite3_column_text() would copy it to put a NUL behind it. Numbers become texts.
  const void* bytes = sqlite3_column_blob(statement_, column);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes), static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

Transaction::Transaction(Db& db, const char* begin) : db_(&db), open_(db.exec(begin)) {}
Transaction::~Transaction() {
  if (!open_ || !db_->in_transaction()) return;
  sqlite3_exec(db_->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}
Result<void> Transaction::commit() {
  if (open_ && db_->ok()) db_->exec("COMMIT");
  if (db_->ok()) open_ = false;
  return db_->status();
}

}  // namespace keyhole
