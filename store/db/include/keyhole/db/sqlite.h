// SPDX-License-Identifier: Apache-2.0
// RAII over the C API of SQLite, for the rooms that hold SQL. Errors stick to the connection: after the first failure
// every query yields no rows, and the caller asks once, at the end, whether all went well. That keeps a function that
// runs ten statements readable, and no failure can be overlooked by forgetting one check in ten.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "keyhole/base/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace keyhole {

struct KeptStatement;

/// Bytes bound or read as a BLOB.
struct Blob {
  std::string_view bytes;
};

/// One connection. One thread at a time; does not cross fork(): in a child it fails with `usage`, and its destructor
/// leaves the parent's handle alone.
class Db {
 public:
  enum class Mode {
    read,       ///< must exist
    write,      ///< created where there is none
    immutable,  ///< must exist; no locks, no journal: for folders that may not be written and that nobody writes
    memory      ///< private, in memory; the path is ignored
  };
  struct Options {
    Mode mode = Mode::write;
    int busy_ms = 5000;         ///< how long a lock of another is waited for
    const char* vfs = nullptr;  ///< null: the default
  };
  static Result<Db> open(const std::string& path, const Options& options);
  Db(Db&&) noexcept;
  Db& operator=(Db&&) noexcept;
  ~Db();

  [[nodiscard]] bool ok() const;
  [[nodiscard]] const Error& error() const;  ///< the first failure; meaningless while ok()
  void clear_error();
  /// ok() as a Result.
  [[nodiscard]] Result<void> status() const;
  /// Makes the connection fail with what is not SQLite's own error.
  void set_error(Error error);

  bool exec(const char* sql);                          ///< one or more statements without rows
  void end_reading();                                  ///< ends a read transaction, also after a failure
  std::optional<std::int64_t> value(const char* sql);  ///< first column of the first row
  [[nodiscard]] std::int64_t last_insert_id() const;
  [[nodiscard]] std::int64_t changes() const;
  [[nodiscard]] bool in_transaction() const;
  [[nodiscard]] sqlite3* handle() const;
  [[nodiscard]] const std::string& path() const;

 private:
  friend class Query;
  struct Impl;
  explicit Db(std::unique_ptr<Impl> impl);
  KeptStatement* take(const char* literal);  ///< null: failed, or in use
  sqlite3_stmt* prepare(std::string_view sql, bool lasting);
  bool usable();
  void fail_here(int code, const char* doing);
  std::unique_ptr<Impl> impl_;
};

/// One use of a statement: bound when made, reset when it goes out of scope.
///   Query q(db, "SELECT name FROM key WHERE id = ?", id);
///   while (q.next()) use(q.text(0));
class Query {
 public:
  /// `literal` must be a string literal: the prepared statement is kept under its address.
  template <class... Args>
  Query(Db& db, const char* literal, const Args&... args) : Query(db, literal, nullptr) {
    (bind(args), ...);
  }
  /// For SQL that is composed: prepared for this use only.
  Query(Db& db, const std::string& sql) : db_(&db), statement_(db.prepare(sql, false)) {}
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;
  ~Query();

  void bind(std::int64_t v);
  void bind(int v) { bind(static_cast<std::int64_t>(v)); }
  void bind(bool v) { bind(static_cast<std::int64_t>(v)); }
  void bind(double v);
  void bind(std::string_view v);
  void bind(const std::string& v) { bind(std::string_view(v)); }
  void bind(const char* v) { bind(std::string_view(v)); }
  void bind(Blob v);
  void bind(std::nullopt_t);
  template <class T>
  void bind(const std::optional<T>& v) {
    if (v)
      bind(*v);
    else
      bind(std::nullopt);
  }

  bool next();                                 ///< false: no (further) row, or failed (see Db::ok)
  bool run() { return !next() && db_->ok(); }  ///< for statements without rows
  void rewind();                               ///< to bind and run again

  // Columns of the present row; views live until the next call of next().
  [[nodiscard]] int columns() const;
  [[nodiscard]] bool null(int column) const;
  [[nodiscard]] bool is_blob(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const;  ///< NULL: 0
  [[nodiscard]] std::int64_t integer_or(int column, std::int64_t absent) const;
  [[nodiscard]] std::optional<std::int64_t> maybe(int column) const;
  [[nodiscard]] double real(int column) const;
  [[nodiscard]] std::string_view text(int column) const;  ///< NULL: empty; of BLOB columns the bytes

 private:
  Query(Db& db, const char* literal, std::nullptr_t);

  Db* db_;
  KeptStatement* kept_ = nullptr;
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
};

/// BEGIN IMMEDIATE; rolled back when it goes out of scope without commit().
class [[nodiscard]] Transaction {
 public:
  explicit Transaction(Db& db, const char* begin = "BEGIN IMMEDIATE");
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();
  Result<void> commit();

 private:
  Db* db_;
  bool open_;
};

}  // namespace keyhole
