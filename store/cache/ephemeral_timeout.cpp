// SPDX-License-Identifier: Apache-2.0
#include "keyhole/cache/ephemeral_timeout.h"

#include <mutex>

namespace keyhole {
namespace {

std::mutex mutex;
std::function<void(std::int64_t)> add_to_groups;

}  // namespace

void set_ephemeral_timeout(std::function<void(std::int64_t seconds)> add) {
  const std::scoped_lock lock(mutex);
  add_to_groups = std::move(add);
}

std::int64_t add_ephemeral_timeout(Nanoseconds saved) {
  constexpr Nanoseconds kSecond = 1'000'000'000;
  const std::int64_t seconds = saved / kSecond - (saved % kSecond < 0 ? 1 : 0);
  const std::scoped_lock lock(mutex);
  if (!add_to_groups) return 0;
  add_to_groups(seconds);
  return seconds;
}

}  // namespace keyhole
