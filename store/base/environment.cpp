// SPDX-License-Identifier: Apache-2.0
#include "keyhole/base/environment.h"

#include <cstdlib>

namespace keyhole {

std::string environment_variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace keyhole
