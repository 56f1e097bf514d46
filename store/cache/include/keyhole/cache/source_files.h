// SPDX-License-Identifier: Apache-2.0
// Files as PyTorch lays them out under its cache root: their names are the hashes of what is in them.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "keyhole/base/error.h"
#include "keyhole/key/hash.h"
#include "keyhole/key/path.h"

namespace keyhole {

struct SourceToWrite {
  HashContent content = {};
  std::string_view ext = {};
  std::string_view extra = {};
  std::string_view kind = "code";
  std::string folder = {};
  std::string_view key = {};  ///< used as it is; empty: the hash of the stripped content
};
/// Writes the content, not stripped, where nothing stands yet: the first writer wins.
Result<CodePath> write_source(const std::string& root, const SourceToWrite& source);
/// The same with extension txt; only the path.
Result<std::string> write_text(const std::string& root, std::string_view text);

/// Temporary name beside the file, then rename; mode 0666 less umask; no fsync. A kill leaves a file whose name begins
/// with a dot, which readers of the folder pass over.
Result<void> write_atomic(const std::string& path, std::string_view bytes, bool make_dirs = false);

/// The lock of a key: <folder>/<key>.lock, flock(2), kept until the end of the scope. The file stays. What the lock
/// protects must be looked for once more when it is held.
class [[nodiscard]] FileLock {
 public:
  /// TORCHINDUCTOR_FILE_LOCK_TIMEOUT in seconds, else 600.
  static std::chrono::milliseconds default_timeout();
  /// busy when the time is over. Counts pytorch.filelock: enter, region, exit.
  static Result<FileLock> take(const std::string& folder, std::string_view key,
                               std::chrono::milliseconds timeout = default_timeout());
  FileLock(FileLock&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace keyhole
