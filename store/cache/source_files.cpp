// SPDX-License-Identifier: Apache-2.0
#include "keyhole/cache/source_files.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <functional>
#include <thread>

#include "keyhole/base/os.h"
#include "keyhole/cache/counters.h"

namespace keyhole {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::string absolute(const std::string& path) {
  if (path.starts_with('/')) return path;
  char* cwd = getcwd(nullptr, 0);
  std::string whole = std::string(cwd != nullptr ? cwd : "") + "/" + path;
  std::free(cwd);
  return whole;
}

std::string user_name() {
  for (const char* name : {"LOGNAME", "USER", "LNAME", "USERNAME"})
    if (auto user = variable(name); !user.empty()) return user;
  const passwd* entry = getpwuid(getuid());
  return entry != nullptr ? entry->pw_name : "uid_" + std::to_string(getuid());
}

std::string_view between(std::string_view text, std::size_t from, std::size_t to) {
  if (from >= text.size()) return {};
  return text.substr(from, to - from);
}

/// Length of the white space that begins at `at` in UTF-8; 0: none. The set of Python's str.isspace().
std::size_t space_at(std::string_view s, std::size_t at) {
  const auto byte = [&](std::size_t i) { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0U; };
  const unsigned a = byte(at);
  if ((a >= 0x09 && a <= 0x0d) || (a >= 0x1c && a <= 0x20)) return 1;
  if (a == 0xc2 && (byte(at + 1) == 0x85 || byte(at + 1) == 0xa0)) return 2;
  const unsigned three = a << 16 | byte(at + 1) << 8 | byte(at + 2);
  if ((three >= 0xe28080 && three <= 0xe2808a) || three == 0xe280a8 || three == 0xe280a9 || three == 0xe280af ||
      three == 0xe2819f || three == 0xe19a80 || three == 0xe38080)
    return 3;
  return 0;
}

}  // namespace

std::string inductor_cache_root() {
  if (auto root = variable("TORCHINDUCTOR_CACHE_DIR"); !root.empty()) return absolute(root);
  std::string user = user_name();
  for (auto& c : user)
    if (std::string_view("\\/:*?\"<>|").find(c) != std::string_view::npos) c = '_';
  auto temporary = variable("TMPDIR");
  if (temporary.empty()) temporary = "/tmp";
  return absolute(temporary + "/torchinductor_" + user);
}

std::string triton_cache_folder(const std::string& root, int device) {
  if (auto folder = variable("TRITON_CACHE_DIR"); !folder.empty()) return folder;
  return root + "/triton/" + std::to_string(device);
}

SourcePath source_path(const std::string& root, std::string_view basename, std::string_view ext,
                       const std::string& folder) {
  SourcePath p;
  p.basename = basename;
  if (folder.empty())
    p.folder = root + "/" + std::string(between(basename, 1, 3));
  else
    p.folder = folder.starts_with('/') ? folder : root + "/" + folder;
  p.path = p.folder + (p.folder.ends_with('/') ? "" : "/") + p.basename + "." + std::string(ext);
  return p;
}

Result<SourcePath> write_source(const std::string& root, const SourceToWrite& source) {
  std::string key(source.key);
  if (key.empty()) {
    HashContent stripped = source.content;
    stripped.bytes = stripped.text ? strip_text(stripped.bytes) : strip_bytes(stripped.bytes);
    auto hash = get_hash(stripped, source.extra, source.kind);
    if (!hash) return tl::unexpected(hash.error());
    key = std::move(*hash);
  }
  auto path = source_path(root, key, source.ext, source.folder);
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

std::string_view strip_text(std::string_view s) {
  while (!s.empty()) {
    const std::size_t n = space_at(s, 0);
    if (n == 0) break;
    s.remove_prefix(n);
  }
  for (;;) {
    std::size_t n = 0;
    for (const std::size_t size : {1, 2, 3})
      if (s.size() >= size && space_at(s, s.size() - size) == size) n = size;
    if (n == 0) return s;
    s.remove_suffix(n);
  }
}

std::string_view strip_bytes(std::string_view s) {
  const auto first = s.find_first_not_of(" \t\n\r\v\f");
  if (first == std::string_view::npos) return {};
  return s.substr(first, s.find_last_not_of(" \t\n\r\v\f") - first + 1);
}

std::chrono::milliseconds FileLock::default_timeout() {
  const auto seconds = variable("TORCHINDUCTOR_FILE_LOCK_TIMEOUT");
  return std::chrono::seconds(seconds.empty() ? 600 : std::strtol(seconds.c_str(), nullptr, 10));
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
