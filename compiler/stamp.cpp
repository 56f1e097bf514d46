// SPDX-License-Identifier: Apache-2.0
#include "stamp.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>

namespace keyhole {
namespace {

std::int64_t nanoseconds(const timespec& t) {
  return t.tv_sec * std::int64_t{1'000'000'000} + t.tv_nsec;
}

}  // namespace

Stamp stamp_of(const std::string& path) {
  struct stat s {};
  if (::stat(path.c_str(), &s) != 0) return {};
  return {s.st_size, nanoseconds(s.st_mtim), nanoseconds(s.st_ctim), s.st_dev, s.st_ino, S_ISDIR(s.st_mode)};
}

std::int64_t file_clock() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return nanoseconds(now);
}

std::int64_t wait_for_clock(std::int64_t time) {
  constexpr std::int64_t kPatience = 1'000'000'000;
  std::int64_t now = file_clock();
  while (now <= time && time - now < kPatience) {
    ::usleep(500);
    now = file_clock();
  }
  return now;
}

std::string joined(std::string_view folder, std::string_view name) {
  if (folder.empty() || (!name.empty() && name.front() == '/')) return std::string(name);
  std::string path(folder);
  if (path.back() != '/') path += '/';
  return path += name;
}

std::string_view base_of(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

std::string_view folder_of(std::string_view path) {
  const auto slash = path.rfind('/');
  if (slash == std::string_view::npos) return {};
  return path.substr(0, slash == 0 ? 1 : slash);
}

std::string real_path(const std::string& path) {
  char* real = ::realpath(path.c_str(), nullptr);
  std::string out = real != nullptr ? real : "";
  std::free(real);
  return out;
}

}  // namespace keyhole
