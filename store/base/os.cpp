// SPDX-License-Identifier: Apache-2.0
#include "keyhole/base/os.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace keyhole {
namespace {

template <class Call>
auto again(Call call) {
  auto r = call();
  while (r < 0 && errno == EINTR) r = call();
  return r;
}

std::int64_t nanoseconds(const timespec& t) {
  return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

std::int64_t clock_of(clockid_t which) {
  timespec t{};
  clock_gettime(which, &t);
  return nanoseconds(t);
}

std::atomic<Os*> replaced{nullptr};

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (fd_ >= 0) os().close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

std::string parent_of(const std::string& path) {
  const auto slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

int Os::open(const std::string& path, int flags, unsigned mode) {
  return again([&] { return ::open(path.c_str(), flags | O_CLOEXEC, mode); });
}
std::int64_t Os::read(int fd, void* into, std::size_t size) {
  return again([&] { return ::read(fd, into, size); });
}
std::int64_t Os::write(int fd, const void* from, std::size_t size) {
  return again([&] { return ::write(fd, from, size); });
}
int Os::fsync(int fd) {
  return again([&] { return ::fsync(fd); });
}
int Os::close(int fd) {
  return ::close(fd);
}
int Os::rename(const std::string& from, const std::string& to) {
  return ::rename(from.c_str(), to.c_str());
}
int Os::unlink(const std::string& path) {
  return ::unlink(path.c_str());
}
int Os::rmdir(const std::string& path) {
  return ::rmdir(path.c_str());
}
int Os::mkdir(const std::string& path, unsigned mode) {
  return ::mkdir(path.c_str(), mode);
}
int Os::access(const std::string& path, int mode) {
  return ::access(path.c_str(), mode);
}
int Os::flock(int fd, int operation) {
  return again([&] { return ::flock(fd, operation); });
}
std::int64_t Os::now() {
  return clock_of(CLOCK_REALTIME);
}
std::int64_t Os::monotonic() {
  return clock_of(CLOCK_MONOTONIC);
}
void Os::sleep(std::int64_t nanoseconds) {
  timespec left{nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

int Os::stat(const std::string& path, FileInfo& info) {
  struct stat s {};
  if (::stat(path.c_str(), &s) != 0) return -1;
  info = {S_ISDIR(s.st_mode), s.st_size, nanoseconds(s.st_mtim)};
  return 0;
}

int Os::statfs(const std::string& path, FilesystemInfo& info) {
  struct ::statfs s {};
  if (::statfs(path.c_str(), &s) != 0) return -1;
  info.magic = static_cast<std::int64_t>(s.f_type) & 0xffffffff;
  info.free_bytes = static_cast<std::int64_t>(s.f_bavail) * static_cast<std::int64_t>(s.f_bsize);
  info.total_bytes = static_cast<std::int64_t>(s.f_blocks) * static_cast<std::int64_t>(s.f_bsize);
  info.read_only = (s.f_flags & ST_RDONLY) != 0;
  return 0;
}

int Os::list(const std::string& folder, std::vector<std::string>& names) {
  names.clear();
  DIR* d = ::opendir(folder.c_str());
  if (d == nullptr) return -1;
  while (const dirent* e = ::readdir(d)) {
    const std::string_view name = e->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  ::closedir(d);
  std::sort(names.begin(), names.end());
  return 0;
}

Os& os() {
  static Os real;
  Os* r = replaced.load(std::memory_order_acquire);
  return r != nullptr ? *r : real;
}

Os* replace_os(Os* replacement) {
  return replaced.exchange(replacement, std::memory_order_acq_rel);
}

Error os_error(int code, std::string_view doing, std::string where) {
  Error e{ErrorKind::io, "cannot " + std::string(doing) + ": " + std::strerror(code), std::move(where), {}};
  switch (code) {
    case ENOENT:
      e.kind = ErrorKind::not_found;
      break;
    case ENOSPC:
    case EDQUOT:
      e.hint = "free some space, then run the same command again: nothing that was there is lost";
      break;
    case EFBIG:
      e.hint = "raise the limit on the size of files (ulimit -f), then run the same command again";
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      e.hint = "choose a folder that you may write, with --store or KEYHOLE_STORE";
      break;
    default:
      break;
  }
  return e;
}

Result<void> make_folders(const std::string& folder) {
  FileInfo info;
  if (os().stat(folder, info) == 0) {
    if (info.directory) return {};
    return fail(ErrorKind::io, "cannot make the folder: a file of that name is there", folder);
  }
  if (os().mkdir(folder) == 0 || errno == EEXIST) return {};
  if (errno == ENOENT) {
    const std::string above = parent_of(folder);
    if (above != folder && above != ".") {
      if (auto made = make_folders(above); !made) return made;
      if (os().mkdir(folder) == 0 || errno == EEXIST) return {};
    }
  }
  return tl::make_unexpected(os_error(errno, "make the folder", folder));
}

const char* network_filesystem(std::int64_t magic) {
  // statfs(2) and the kernel's include/uapi/linux/magic.h; FUSE is not here: most of what it carries is local.
  static constexpr struct {
    std::int64_t magic;
    const char* name;
  } kNetwork[] = {{0x6969, "NFS"},        {0x517b, "SMB"},        {0xff534d42, "CIFS"},  {0xfe534d42, "SMB2"},
                  {0x01021997, "9p"},     {0x0bd00bd0, "Lustre"}, {0x5346414f, "AFS"},   {0x6b414653, "AFS"},
                  {0x73757245, "Coda"},   {0x00c36400, "Ceph"},   {0x47504653, "GPFS"},  {0xaad7aaea, "PanFS"},
                  {0x19830326, "BeeGFS"}, {0x01161970, "GFS2"},   {0x7461636f, "OCFS2"}, {0x564c, "NCP"},
                  {0x013111a8, "IBRIX"},  {0x7c7c6673, "PRL"},    {0x786f4256, "vboxsf"}};
  for (const auto& n : kNetwork)
    if (n.magic == magic) return n.name;
  return nullptr;
}

Result<void> write_file_atomic(const std::string& path, std::string_view bytes) {
  static std::atomic<unsigned> counter{0};
  const std::string temporary = path + "." + std::to_string(::getpid()) + "." + std::to_string(counter++) + ".tmp";
  const auto give_up = [&](const char* doing) {
    const int code = errno;
    os().unlink(temporary);
    return tl::make_unexpected(os_error(code, doing, path));
  };
  {
    const Fd fd(os().open(temporary, O_WRONLY | O_CREAT | O_EXCL));
    if (fd.get() < 0) return give_up("create the file");
    for (std::string_view rest = bytes; !rest.empty();) {
      const auto n = os().write(fd.get(), rest.data(), rest.size());
      if (n < 0) return give_up("write the file");
      rest.remove_prefix(static_cast<std::size_t>(n));
    }
    if (os().fsync(fd.get()) != 0) return give_up("write the file to the disk");
  }
  if (os().rename(temporary, path) != 0) return give_up("rename the file into place");
  const Fd folder(os().open(parent_of(path), O_RDONLY | O_DIRECTORY));
  if (folder.get() >= 0 && os().fsync(folder.get()) != 0 && errno != EINVAL)
    return tl::make_unexpected(os_error(errno, "write the folder to the disk", path));
  return {};
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  std::string bytes;
  if (auto read = read_file(path, bytes, limit); !read) return tl::make_unexpected(read.error());
  return bytes;
}

Result<void> read_file(const std::string& path, std::string& bytes, std::size_t limit) {
  const Fd fd(os().open(path, O_RDONLY));
  if (fd.get() < 0) return tl::make_unexpected(os_error(errno, "open the file", path));
  struct stat s {};
  // A byte more than the file has: then the read that finds its end needs no more room.
  const bool sized = ::fstat(fd.get(), &s) == 0 && S_ISREG(s.st_mode) && s.st_size > 0;
  bytes.resize(sized ? std::min(static_cast<std::size_t>(s.st_size), limit) + 1 : 0);
  for (std::size_t have = 0;;) {
    if (have == bytes.size()) bytes.resize(have + std::max<std::size_t>(have, 65536));
    const auto n = os().read(fd.get(), bytes.data() + have, bytes.size() - have);
    if (n < 0) return tl::make_unexpected(os_error(errno, "read the file", path));
    have += static_cast<std::size_t>(n);
    if (have > limit) return fail(ErrorKind::io, "the file is too large to be read whole", path);
    if (n == 0) {
      bytes.resize(have);
      return {};
    }
  }
}

void remove_folder(const std::string& folder) {
  std::vector<std::string> names;
  os().list(folder, names);
  for (const auto& name : names) {
    const std::string path = folder + "/" + name;
    if (os().unlink(path) != 0 && (errno == EISDIR || errno == EPERM)) remove_folder(path);
  }
  os().rmdir(folder);
}

}  // namespace keyhole
