// SPDX-License-Identifier: Apache-2.0
#include "output.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <vector>

#include "keyhole/base/os.h"
#include "stamp.h"

namespace keyhole {

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

bool is_plain_output(const std::string& path) {
  struct stat s {};
  return ::lstat(path.c_str(), &s) != 0 || (S_ISREG(s.st_mode) && s.st_nlink == 1);
}

bool put_output(const std::string& path, std::string_view bytes, bool program) {
  struct stat s {};
  const bool special = ::stat(path.c_str(), &s) == 0 && !S_ISREG(s.st_mode);
  const std::string temporary = special ? path : path + ".keyhole-" + std::to_string(::getpid());
  const int fd =
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | (special ? 0 : O_EXCL), program ? 0777 : 0666);
  if (fd < 0) return false;
  const bool whole = write_all(fd, bytes);
  const bool closed = ::close(fd) == 0;
  // As assemblers do; ext4 writes a file that replaces another to the disk at once.
  if (whole && closed && !special && !program) ::unlink(path.c_str());
  if (whole && closed && (special || ::rename(temporary.c_str(), path.c_str()) == 0)) return true;
  if (!special) ::unlink(temporary.c_str());
  return false;
}

Turn::Turn(std::string path) : path_(std::move(path)) {
  for (;;) {
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd_ < 0) return;
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      waited_ = true;
      while (::flock(fd_, LOCK_EX) != 0)
        if (errno != EINTR) return;
    }
    struct stat s {};
    if (::fstat(fd_, &s) == 0 && s.st_nlink > 0) return;
    ::close(fd_);  // the one before has removed the file: another may hold its successor
  }
}

Turn::~Turn() {
  if (fd_ < 0) return;
  ::unlink(path_.c_str());
  ::close(fd_);
}

void sweep_kept(const std::string& folder, const std::string& locks) {
  std::vector<std::string> names;
  if (os().list(folder, names) != 0) return;
  for (const auto& name : names) {
    const int fd = ::open(joined(locks, name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) continue;
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) {
      remove_folder(joined(folder, name));
      ::unlink(joined(locks, name).c_str());
    }
    ::close(fd);
  }
}

}  // namespace keyhole
