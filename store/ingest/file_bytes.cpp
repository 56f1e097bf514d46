// SPDX-License-Identifier: Apache-2.0
#include "file_bytes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace keyhole {
namespace {

FileBytes failed(int error) {
  FileBytes f;
  f.state = error == ENOENT || error == ESTALE ? EntryState::vanished : EntryState::unreadable;
  f.reason = std::strerror(error);
  return f;
}

FileBytes judge(const struct stat& s) {
  FileBytes f;
  f.size = s.st_size;
  f.modified = std::int64_t{s.st_mtim.tv_sec} * 1'000'000'000 + s.st_mtim.tv_nsec;
  if (S_ISDIR(s.st_mode)) {
    f.state = EntryState::unreadable;
    f.reason = "a folder stands in the file's place";
    f.size = 0;
  } else if (!S_ISREG(s.st_mode)) {
    f.state = EntryState::unreadable;
    f.reason = "it is no regular file";
    f.size = 0;
  }
  return f;
}

}  // namespace

FileBytes stat_file_bytes(const std::string& path) {
  struct stat s {};
  if (::stat(path.c_str(), &s) != 0) return failed(errno);
  FileBytes f = judge(s);
  if (f.state == EntryState::ok && ::access(path.c_str(), R_OK) != 0) {
    f.state = EntryState::unreadable;
    f.reason = std::strerror(errno);
  }
  return f;
}

FileBytes read_file_bytes(const std::string& path, std::int64_t limit) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe in the file's place must not block
  if (fd < 0) {
    const int error = errno;
    FileBytes f = stat_file_bytes(path);
    return f.state == EntryState::ok ? failed(error) : f;
  }
  struct stat s {};
  FileBytes f = ::fstat(fd, &s) == 0 ? judge(s) : failed(errno);
  if (f.state == EntryState::ok && f.size > limit) {
    f.too_large = true;
  } else if (f.state == EntryState::ok) {
    // Not more than the size at opening: what is appended meanwhile belongs to the next reading.
    f.bytes.resize(static_cast<std::size_t>(f.size));
    std::size_t done = 0;
    while (done < f.bytes.size()) {
      const auto n = ::read(fd, f.bytes.data() + done, f.bytes.size() - done);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) {
        f.state = EntryState::unreadable;
        f.reason = std::strerror(errno);
      }
      if (n <= 0) break;
      done += static_cast<std::size_t>(n);
    }
    f.bytes.resize(done);
  }
  ::close(fd);
  return f;
}

}  // namespace keyhole
