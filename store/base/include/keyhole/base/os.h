// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "keyhole/base/error.h"

namespace keyhole {

/// What statfs says of the filesystem that holds a path.
struct FilesystemInfo {
  std::int64_t magic = 0;       ///< f_type of statfs(2)
  std::int64_t free_bytes = 0;  ///< for an unprivileged user
  std::int64_t total_bytes = 0;
  bool read_only = false;
};

/// What stat says of a path.
struct FileInfo {
  bool directory = false;
  std::int64_t size = 0;
  std::int64_t modified = -1;  ///< nanoseconds since 1970
};

/// The operating system as Keyhole's own files see it. The default is the real one; a test puts its own in front to
/// fill the disk, fail the n-th operation, turn the clock back or fake a network filesystem. SQLite does its own I/O,
/// which tests reach by an SQLite VFS. Functions that return int or a count give -1 and set errno, as the system calls
/// do. Thread-safe.
class Os {
 public:
  virtual ~Os() = default;

  virtual int open(const std::string& path, int flags, unsigned mode = 0666);
  virtual std::int64_t read(int fd, void* into, std::size_t size);
  virtual std::int64_t write(int fd, const void* from, std::size_t size);  ///< may write less
  virtual int fsync(int fd);
  virtual int close(int fd);
  virtual int rename(const std::string& from, const std::string& to);
  virtual int unlink(const std::string& path);
  virtual int rmdir(const std::string& path);
  virtual int mkdir(const std::string& path, unsigned mode = 0777);
  virtual int stat(const std::string& path, FileInfo& info);
  virtual int statfs(const std::string& path, FilesystemInfo& info);
  virtual int access(const std::string& path, int mode);
  virtual int flock(int fd, int operation);
  /// Names in a folder without "." and "..", sorted. -1: cannot be read.
  virtual int list(const std::string& folder, std::vector<std::string>& names);
  virtual std::int64_t now();        ///< wall clock, nanoseconds since 1970
  virtual std::int64_t monotonic();  ///< nanoseconds since some moment, never back
  virtual void sleep(std::int64_t nanoseconds);
};

/// The Os that everything uses.
[[nodiscard]] Os& os();
/// Puts `replacement` in place (null: the real one again) and gives back what was there. For tests; not while other
/// threads run.
Os* replace_os(Os* replacement);

/// The error of errno `code`: "cannot <doing>: No space left on device", with a hint for the codes that have a way out.
[[nodiscard]] Error os_error(int code, std::string_view doing, std::string where);

/// Makes the folder and what is missing above it. Nothing to do where it is there.
Result<void> make_folders(const std::string& folder);
/// Whether a filesystem of this statfs magic is on a network (NFS, SMB, 9p, Lustre, ...); its name, or nullptr.
[[nodiscard]] const char* network_filesystem(std::int64_t magic);
/// Writes the whole file through a temporary name, fsync and rename: after a crash there is the old file or the new
/// one.
Result<void> write_file_atomic(const std::string& path, std::string_view bytes);
/// The whole file; io where it is larger than `limit`.
Result<std::string> read_file(const std::string& path, std::size_t limit = std::size_t{1} << 31);
/// The same into memory that is there; where it fails, `bytes` is anything.
Result<void> read_file(const std::string& path, std::string& bytes, std::size_t limit = std::size_t{1} << 31);
/// Removes a folder with all that is in it; follows no links. Best effort.
void remove_folder(const std::string& folder);

}  // namespace keyhole
