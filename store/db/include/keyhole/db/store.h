// SPDX-License-Identifier: Apache-2.0
// A store is a folder:
//   history.db   runs, lookups, keys, components, snapshots: precious
//   cache.db     entries and their guards: can be thrown away
//   blobs/ journal/
#pragma once

#include <string>

#include "keyhole/base/error.h"
#include "keyhole/db/sqlite.h"

namespace keyhole {

/// "KyHi" in the header of history.db (SQLite's application_id).
inline constexpr std::int64_t kHistoryApplicationId = 0x4b794869;
/// Newest version of history.db that this program knows (SQLite's user_version).
extern const int kHistoryVersion;

/// $KEYHOLE_STORE, else $XDG_DATA_HOME/keyhole, else ~/.local/share/keyhole.
[[nodiscard]] std::string default_store();

/// Opens history.db for writing; makes the folder and the file where there are none, and migrates an older one. Safe
/// with many processes at once. unsupported: network filesystem, or newer than this program; bad_input: another
/// program's file; busy: locked for 5 s; io: not writable.
Result<Db> open_history(const std::string& store);
/// Opens history.db for reading only, also in a folder that may not be written. not_found: there is none; unsupported:
/// so much newer that reading it would give wrong answers.
Result<Db> open_history_to_read(const std::string& store);
/// A newer file is read as far as this program knows it: says so, in one line. Empty: nothing to say.
[[nodiscard]] std::string version_note(Db& history);

/// A store for one command (`why PATH` without a store): a private folder that is removed at the end. Nothing in it is
/// made durable. Move-only.
class TemporaryStore {
 public:
  static Result<TemporaryStore> make();
  TemporaryStore(TemporaryStore&& other) noexcept;
  TemporaryStore& operator=(TemporaryStore&&) = delete;
  ~TemporaryStore();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  explicit TemporaryStore(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace keyhole
