// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "keyhole/base/error.h"

namespace keyhole {

/// A dynamic library that was loaded into this process; closed at the end of its scope. Movable. Not thread-safe.
class Library {
 public:
  /// Fails (io) with what the loader says; where it cannot map the file, the hint names noexec mounts.
  static Result<Library> open(const std::string& path);
  Library(Library&& other) noexcept;
  Library& operator=(Library&& other) noexcept;
  ~Library() { close(); }

  /// The address of `name`. Fails: usage "Cannot use closed DLL library: PATH", not_found.
  [[nodiscard]] Result<void*> symbol(const std::string& name) const;

  /// Calls the function `name`, whose result 0 says that all went well. Fails as symbol() does, and (io) with "Error in
  /// function: NAME". The types are the caller's to know, as with dlsym(3).
  template <class... Arguments>
  Result<void> call(const std::string& name, Arguments... arguments) const {
    const auto address = symbol(name);
    if (!address) return tl::unexpected(address.error());
    if (reinterpret_cast<int (*)(Arguments...)>(*address)(arguments...) == 0) return {};
    return fail(ErrorKind::io, "Error in function: " + name, path_);
  }

  void close();
  [[nodiscard]] bool is_open() const { return handle_ != nullptr; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  Library(std::string path, void* handle) : path_(std::move(path)), handle_(handle) {}
  std::string path_;
  void* handle_ = nullptr;
};

}  // namespace keyhole
