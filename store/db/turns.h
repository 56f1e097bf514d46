// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "keyhole/base/os.h"
#include "keyhole/db/sqlite.h"

namespace keyhole {

/// Long work on a store that others record into: write transactions of about 25 ms, and between two of them a pause in
/// which a writer that waits gets the lock (SQLite's locks know no order, and a waiter looks again every 1 to 5 ms).
class Turns {
 public:
  explicit Turns(Db& db) : db_(db) {}

  /// Before each bounded piece of work: in a transaction, a new one where the last has lasted long enough.
  void next() {
    if (transaction_ && os().monotonic() - began_ > kTurn) {
      end();
      os().sleep(kPause);
    }
    if (transaction_ || !db_.ok()) return;
    transaction_.emplace(db_);
    began_ = os().monotonic();
  }
  /// Commits what was done.
  bool end() {
    if (transaction_) static_cast<void>(transaction_->commit());  // a failure stays with the connection
    transaction_.reset();
    return db_.ok();
  }

 private:
  static constexpr std::int64_t kTurn = 25'000'000, kPause = 6'000'000;
  Db& db_;
  std::optional<Transaction> transaction_;
  std::int64_t began_ = 0;
};

/// Deletes what no run refers to any more, in turns; others may record meanwhile. One process at a time.
Result<void> sweep(Db& history, Turns& turns);

}  // namespace keyhole
