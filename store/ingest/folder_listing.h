// SPDX-License-Identifier: Apache-2.0
// What lies in a cache folder, by name: a file an item, but a Triton kernel with all its files is one.
#pragma once

#include <string>
#include <vector>

#include "keyhole/base/error.h"
#include "keyhole/base/records.h"
#include "keyhole/ingest/cache_folder.h"

namespace keyhole {

enum class ItemKind : std::uint8_t { fx_entry, aot_entry, code, best_config, autotune, kernel, code_state, precompile };

struct FolderItem {
  ItemKind kind = ItemKind::code;
  std::string key, name, path;  ///< path relative to the folder
  EntryState state = EntryState::ok;
  std::string reason;
  std::int64_t size = 0;
  Nanoseconds modified = kUnknownTime;
  std::vector<std::string> files;  ///< of a kernel
};

struct FolderListing {
  std::vector<FolderItem> items;  ///< in the order of their paths, which is that in which PyTorch tries them
  std::vector<Problem> problems;
  Nanoseconds newest = kUnknownTime;
  std::int64_t total_bytes = 0, files = 0, passed_over = 0;
};

Result<FolderListing> list_cache_folder(const std::string& folder, std::int64_t max_entries);
Result<FolderListing> list_triton_folder(const std::string& folder, std::int64_t max_entries);

}  // namespace keyhole
