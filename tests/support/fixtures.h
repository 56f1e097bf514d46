// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace keyhole {

/// The folder of recordings: $KEYHOLE_FIXTURES, else beside the source tree. Empty: not here; a test then skips.
inline std::filesystem::path fixtures_folder() {
  const char* named = std::getenv("KEYHOLE_FIXTURES");
  for (const std::filesystem::path& folder :
       {std::filesystem::path(named ? named : ""), std::filesystem::path(KEYHOLE_SOURCE_DIR) / "../shared/fixtures"})
    if (!folder.empty() && std::filesystem::is_directory(folder)) return folder;
  return {};
}

}  // namespace keyhole
