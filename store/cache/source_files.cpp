// SPDX-License-Identifier: Apache-2.0
#include "keyhole/cache/source_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <functional>
#include <thread>

#include "keyhole/base/os.h"
#include "keyhole/cache/counters.h"

namespace keyhole {

Result<CodePath> write_source(const std::string& root, const SourceToWrite& source) {
  std::string key(source.key);
  if (key.empty()) {
    HashContent stripped = source.content;
    stripped.bytes = stripped.text ? strip_text(stripped.bytes) : strip_bytes(stripped.bytes);
    auto hash = get_hash(stripped, source.extra, source.kind);
    if (!hash) return tl::unexpected(hash.error());
    key = std::move(*hash);
  }
  auto path = code_path(root, key, source.ext, source.folder);
  FileInfo info;
  if (os().stat(path.path, info) == 0) return path;
  if (auto written = write_atomic(path.path, source.content.bytes, true); !written)
    return tl::unexpected(written.error());
  return path;
}

Result<std::string> write_text(const std::string& root, std::string_view text) {
  auto written = write_source(root, {.content = {text, true}, .ext = "txt"});
  if (!written) return tl::unexpected(written.error());
  return std::move(written->path);
}

Result<void> write_atomic(const std::string& path, std::string_view bytes, bool make_dirs) {
  const auto slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash);
  if (make_dirs)
    if (auto made = make_folders(folder); !made) return made;
  const auto thread = std::hash<std::thread::id>{}(std::this_thread::get_id());
  const std::string temporary = folder + "/." + std::to_string(getpid()) + "." + std::to_string(thread) + ".tmp";
  const int fd = os().open(temporary, O_WRONLY | O_CREAT | O_TRUNC);
  if (fd < 0) return tl::unexpected(os_error(errno, "create the file", path));
  int code = 0;
  while (!bytes.empty() && code == 0) {
    const auto n = os().write(fd, bytes.data(), bytes.size());
    if (n < 0)
      code = errno;
    else
      bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  if (os().close(fd) != 0 && code == 0) code = errno;
  if (code == 0 && os().rename(temporary, path) != 0) code = errno;
  if (code == 0) return {};
  os().unlink(temporary);
  return tl::unexpected(os_error(code, "write the file", path));
}

std::chrono::milliseconds FileLock::default_timeout() {
  const char* seconds = std::getenv("TORCHINDUCTOR_FILE_LOCK_TIMEOUT");
  return std::chrono::seconds(seconds == nullptr || *seconds == '\0' ? 600 : std::strtol(seconds, nullptr, 10));
}

Result<FileLock> FileLock::take(const std::string& folder, std::string_view key, std::chrono::milliseconds timeout) {
  counters().add("pytorch.filelock", "enter");
  const std::string path = folder + "/" + std::string(key) + ".lock";
  if (auto made = make_folders(folder); !made) return tl::unexpected(made.error());
  const int fd = os().open(path, O_RDWR | O_CREAT);
  if (fd < 0) return tl::unexpected(os_error(errno, "open the lock", path));
  const std::int64_t until = os().monotonic() + std::chrono::nanoseconds(timeout).count();
  for (unsigned pause = 500; os().flock(fd, LOCK_EX | LOCK_NB) != 0; pause = std::min(pause * 2, 20000U)) {
    if (errno != EWOULDBLOCK || os().monotonic() >= until) {
      const int code = errno;
      os().close(fd);
      if (code != EWOULDBLOCK) return tl::unexpected(os_error(code, "take the lock", path));
      return fail(ErrorKind::busy, "the lock was not given in " + std::to_string(timeout.count()) + " ms", path,
                  "TORCHINDUCTOR_FILE_LOCK_TIMEOUT sets how long it is waited for");
    }
    usleep(pause);
  }
  counters().add("pytorch.filelock", "region");
  return FileLock(fd);
}

FileLock::~FileLock() {
  if (fd_ < 0) return;
  os().close(fd_);
  counters().add("pytorch.filelock", "exit");
}

}  // namespace keyhole
