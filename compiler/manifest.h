// SPDX-License-Identifier: Apache-2.0
// Which results a command had, and under which files. One file a command (its key without what it includes):
//
//   keyhole-manifest 1 <crc32c of the rest, decimal>
//   result <key>                                      newest first; what follows belongs to it
//   file <size> <mtime> <ctime> <device> <inode> <sha-256 hex> <path>
//   folder <size> <mtime> <ctime> <device> <inode> <path>
//   - <name>                                          missing in the folder above
//   + <name>                                          there, but not read
//
// Text and no table of cache.db, because a hit reads it before it may know which entry to ask for, and it is rewritten
// as a whole. Losing one costs a compile and no more.
#pragma once

#include <string>
#include <vector>

#include "closure.h"
#include "keyhole/base/error.h"

namespace keyhole {

struct Variant {
  std::string result;
  Closure closure;
};

/// More are dropped, the oldest first: a header that changes with every build must not grow it without end.
inline constexpr std::size_t kMostVariants = 16;

/// Empty where there is none or it is damaged.
[[nodiscard]] std::vector<Variant> read_manifest(const std::string& path);
/// The same from and to a text.
[[nodiscard]] std::vector<Variant> parse_manifest(std::string_view bytes);
[[nodiscard]] std::string manifest_text(const std::vector<Variant>& variants);

/// Of the manifests in one folder (there are 1,024 folders) the oldest are forgotten where all together are larger than
/// this; `kept` stays.
inline constexpr std::int64_t kMostInFolder = std::int64_t{1} << 20;
void bound_manifests(const std::string& folder, const std::string& kept, std::int64_t most = kMostInFolder);

/// Atomic. Of two writers at once the later one wins.
Result<void> write_manifest(const std::string& path, const std::vector<Variant>& variants);

/// "1 2 3 4 5" and back; false where the text is not that. Cuts what it read off `text`.
[[nodiscard]] std::string text_of(const Stamp& stamp);
bool read_stamp(std::string_view& text, Stamp& stamp);
[[nodiscard]] bool read_hex(std::string_view text, Digest& digest);
/// The rest of a file whose first line is `head` and the checksum of the rest; false where it is not that.
bool open_checked(std::string_view file, std::string_view head, std::string_view& rest);
[[nodiscard]] std::string checked(std::string_view head, const std::string& rest);

}  // namespace keyhole
