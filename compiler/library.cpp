// SPDX-License-Identifier: Apache-2.0
#include "keyhole/compiler/library.h"

#include <dlfcn.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace keyhole {

namespace {

/// The loader takes a name that it knows for the library that it has under it, also where another file stands there
/// now. Each further file gets another spelling of the path.
std::string spelled_anew(const std::string& path) {
  static std::mutex mutex;
  static std::map<std::string, std::vector<std::pair<dev_t, ino_t>>> opened;
  struct stat s {};
  if (::stat(path.c_str(), &s) != 0) return path;
  const std::lock_guard lock(mutex);
  auto& files = opened[path];
  const std::pair<dev_t, ino_t> file{s.st_dev, s.st_ino};
  const auto known = std::find(files.begin(), files.end(), file);
  const auto nth = static_cast<std::size_t>(known - files.begin());
  if (known == files.end()) files.push_back(file);
  std::string spelled = path;
  for (std::size_t i = 0; i < nth; ++i) spelled.insert(spelled.rfind('/'), "/.");
  return spelled;
}

}  // namespace

Result<Library> Library::open(const std::string& path) {
  // A path without '/' would be searched for.
  const std::string file = spelled_anew(path.find('/') == std::string::npos ? "./" + path : path);
  void* handle = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle != nullptr) return Library(path, handle);
  const char* said = ::dlerror();
  const std::string what = said != nullptr ? said : "the library cannot be loaded";
  const bool mapped = what.find("failed to map segment from shared object") != std::string::npos;
  return fail(ErrorKind::io, what, path,
              mapped
                  ? "its folder may be mounted noexec: remount it with exec, or set TORCHINDUCTOR_CACHE_DIR to another"
                  : "");
}

Library::Library(Library&& other) noexcept : path_(other.path_), handle_(std::exchange(other.handle_, nullptr)) {}

Library& Library::operator=(Library&& other) noexcept {
  if (this != &other) {
    close();
    path_ = other.path_;
    handle_ = std::exchange(other.handle_, nullptr);
  }
  return *this;
}

Result<void*> Library::symbol(const std::string& name) const {
  if (handle_ == nullptr) return fail(ErrorKind::usage, "Cannot use closed DLL library: " + path_);
  ::dlerror();
  void* address = ::dlsym(handle_, name.c_str());
  if (const char* said = ::dlerror(); said != nullptr) return fail(ErrorKind::not_found, said, path_);
  return address;
}

void Library::close() {
  if (handle_ != nullptr) ::dlclose(std::exchange(handle_, nullptr));
}

}  // namespace keyhole
