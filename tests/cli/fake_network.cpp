// SPDX-License-Identifier: Apache-2.0
// Preloaded into a program: what lies under the folder FAKE_NETWORK is told to be on NFS.
#include <dlfcn.h>
#include <sys/vfs.h>

#include <cstdlib>
#include <cstring>

extern "C" int statfs(const char* path, struct statfs* out) noexcept {
  using Real = int (*)(const char*, struct statfs*);
  static const auto real = reinterpret_cast<Real>(dlsym(RTLD_NEXT, "statfs"));
  const int result = real(path, out);
  const char* folder = std::getenv("FAKE_NETWORK");
  if (result == 0 && folder != nullptr && std::strncmp(path, folder, std::strlen(folder)) == 0) out->f_type = 0x6969;
  return result;
}
