// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "keyhole/base/os.h"

namespace keyhole::test {

/// What happens at the n-th operation that changes a disk: a write, sync, truncation, deletion or rename, of SQLite or
/// of Os. Install it in a child process: there is one for the whole process, and it is never taken out again.
struct Fault {
  enum class Kind {
    none,
    kill,       ///< the process ends at once
    power_cut,  ///< the same, and what was not synced is undone
    full,       ///< from then on nothing more can be written: the disk is full
    broken      ///< from then on every such operation fails: input/output error
  };
  static constexpr int kExitStatus = 77;

  Kind kind = Kind::none;
  long at = 0;     ///< 1: the first operation
  long count = 0;  ///< operations so far

  static Fault& instance() {
    static Fault fault;
    return fault;
  }

  struct Undo {
    sqlite3_file* file;
    sqlite3_int64 offset, size_before;
    std::string bytes;
  };
  std::vector<Undo> undo;

  /// Counts one operation. True: it must fail.
  bool strikes() {
    ++count;
    if (kind == Kind::none || count < at) return false;
    if (kind == Kind::kill) ::_exit(kExitStatus);
    if (kind == Kind::power_cut) {
      for (auto u = undo.rbegin(); u != undo.rend(); ++u) {
        if (!u->bytes.empty())
          u->file->pMethods->xWrite(u->file, u->bytes.data(), static_cast<int>(u->bytes.size()), u->offset);
        u->file->pMethods->xTruncate(u->file, u->size_before);
      }
      ::_exit(kExitStatus);
    }
    return true;
  }
  [[nodiscard]] int sqlite_code() const { return kind == Kind::full ? SQLITE_FULL : SQLITE_IOERR_WRITE; }
  [[nodiscard]] int error_number() const { return kind == Kind::full ? ENOSPC : EIO; }

  /// Puts the shim before SQLite's default VFS and the Os.
  static void install(Kind kind, long at);
};

namespace fault_detail {

struct File {
  sqlite3_file base;
  sqlite3_file* real;
};

inline sqlite3_file* real(sqlite3_file* f) {
  return reinterpret_cast<File*>(f)->real;
}
inline sqlite3_vfs* real_vfs = nullptr;

inline void remember(sqlite3_file* file, sqlite3_int64 offset, int n) {
  Fault& fault = Fault::instance();
  if (fault.kind != Fault::Kind::power_cut) return;
  Fault::Undo u{file, offset, 0, {}};
  file->pMethods->xFileSize(file, &u.size_before);
  const auto old = std::min<sqlite3_int64>(n, u.size_before - offset);
  if (old > 0) {
    u.bytes.resize(static_cast<std::size_t>(old));
    file->pMethods->xRead(file, u.bytes.data(), static_cast<int>(old), offset);
  }
  fault.undo.push_back(std::move(u));
}

inline const sqlite3_io_methods* methods() {
  static const sqlite3_io_methods m = [] {
    sqlite3_io_methods w{};
    w.iVersion = 2;  // 3 would map files into memory, past the shim
    w.xClose = [](sqlite3_file* f) {
      std::erase_if(Fault::instance().undo, [&](const Fault::Undo& u) { return u.file == real(f); });
      const int rc = real(f)->pMethods != nullptr ? real(f)->pMethods->xClose(real(f)) : SQLITE_OK;
      return rc;
    };
    w.xRead = [](sqlite3_file* f, void* p, int n, sqlite3_int64 o) {
      return real(f)->pMethods->xRead(real(f), p, n, o);
    };
    w.xWrite = [](sqlite3_file* f, const void* p, int n, sqlite3_int64 o) {
      if (Fault::instance().strikes()) return Fault::instance().sqlite_code();
      remember(real(f), o, n);
      return real(f)->pMethods->xWrite(real(f), p, n, o);
    };
    w.xTruncate = [](sqlite3_file* f, sqlite3_int64 s) {
      if (Fault::instance().strikes()) return SQLITE_IOERR_TRUNCATE;
      sqlite3_int64 size = 0;
      real(f)->pMethods->xFileSize(real(f), &size);
      if (size > s) remember(real(f), s, static_cast<int>(size - s));
      return real(f)->pMethods->xTruncate(real(f), s);
    };
    w.xSync = [](sqlite3_file* f, int) {
      if (Fault::instance().strikes()) return SQLITE_IOERR_FSYNC;
      std::erase_if(Fault::instance().undo, [&](const Fault::Undo& u) { return u.file == real(f); });
      return SQLITE_OK;  // the power cut is simulated: waiting for a real disk would only slow the test
    };
    w.xFileSize = [](sqlite3_file* f, sqlite3_int64* s) { return real(f)->pMethods->xFileSize(real(f), s); };
    w.xLock = [](sqlite3_file* f, int l) { return real(f)->pMethods->xLock(real(f), l); };
    w.xUnlock = [](sqlite3_file* f, int l) { return real(f)->pMethods->xUnlock(real(f), l); };
    w.xCheckReservedLock = [](sqlite3_file* f, int* r) { return real(f)->pMethods->xCheckReservedLock(real(f), r); };
    w.xFileControl = [](sqlite3_file* f, int op, void* p) { return real(f)->pMethods->xFileControl(real(f), op, p); };
    w.xSectorSize = [](sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); };
    w.xDeviceCharacteristics = [](sqlite3_file* f) { return real(f)->pMethods->xDeviceCharacteristics(real(f)); };
    w.xShmMap = [](sqlite3_file* f, int p, int s, int e, void volatile** pp) {
      return real(f)->pMethods->xShmMap(real(f), p, s, e, pp);
    };
    w.xShmLock = [](sqlite3_file* f, int o, int n, int l) { return real(f)->pMethods->xShmLock(real(f), o, n, l); };
    w.xShmBarrier = [](sqlite3_file* f) { real(f)->pMethods->xShmBarrier(real(f)); };
    w.xShmUnmap = [](sqlite3_file* f, int d) { return real(f)->pMethods->xShmUnmap(real(f), d); };
    return w;
  }();
  return &m;
}

class FaultOs : public Os {
 public:
  std::int64_t write(int fd, const void* p, std::size_t n) override { return struck() ? -1 : Os::write(fd, p, n); }
  int fsync(int) override { return struck() ? -1 : 0; }  // the page cache outlives a process: see xSync
  int rename(const std::string& a, const std::string& b) override { return struck() ? -1 : Os::rename(a, b); }
  int unlink(const std::string& p) override { return struck() ? -1 : Os::unlink(p); }
  int mkdir(const std::string& p, unsigned mode) override { return struck() ? -1 : Os::mkdir(p, mode); }

 private:
  static bool struck() {
    if (!Fault::instance().strikes()) return false;
    errno = Fault::instance().error_number();
    return true;
  }
};

}  // namespace fault_detail

inline void Fault::install(Kind kind, long at) {
  using namespace fault_detail;
  instance().kind = kind;
  instance().at = at;
  static FaultOs faulty;
  replace_os(&faulty);
  real_vfs = sqlite3_vfs_find(nullptr);
  static sqlite3_vfs vfs = *real_vfs;
  vfs.zName = "fault";
  vfs.szOsFile = static_cast<int>(sizeof(File)) + real_vfs->szOsFile;
  vfs.xOpen = [](sqlite3_vfs*, const char* name, sqlite3_file* f, int flags, int* out) {
    auto* file = reinterpret_cast<File*>(f);
    file->real = reinterpret_cast<sqlite3_file*>(file + 1);
    const int rc = real_vfs->xOpen(real_vfs, name, file->real, flags, out);
    file->base.pMethods = rc == SQLITE_OK ? methods() : nullptr;
    return rc;
  };
  vfs.xDelete = [](sqlite3_vfs*, const char* name, int sync) {
    if (instance().strikes()) return SQLITE_IOERR_DELETE;
    return real_vfs->xDelete(real_vfs, name, sync);
  };
  sqlite3_vfs_register(&vfs, 1);
}

}  // namespace keyhole::test
