// SPDX-License-Identifier: Apache-2.0
// Small encodings of history.db, see docs/store-format.md:
//   list       = *varint                      ids in order (LEB128)
//   difference = *( varint n, odd:   copy (n >> 1) + 1 ids of the base, from position `varint`
//                 | varint n, even:  (n >> 1) + 1 ids follow, each a varint )
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace keyhole {

using Ids = std::vector<std::int64_t>;

[[nodiscard]] std::string encode_ids(const Ids& ids);
/// nullopt: malformed.
[[nodiscard]] std::optional<Ids> decode_ids(std::string_view bytes);

[[nodiscard]] std::string encode_difference(const Ids& base, const Ids& ids);
[[nodiscard]] std::optional<Ids> apply_difference(const Ids& base, std::string_view bytes);

/// 64 bits that name a text in an index; whoever finds by it compares the text as well. Reaches disk: never changed.
[[nodiscard]] std::uint64_t hash64(std::string_view bytes, std::uint64_t seed = 0);

/// The text with what differs from process to process replaced: addresses (0x and 10 or more hex digits: Python prints
/// 12), object ids (14 or 15 decimal digits, which is where Linux maps memory; constants of a graph are shorter or
/// longer, or fractions), UUIDs, and the number behind "pid". nullopt: nothing of that in it.
[[nodiscard]] std::optional<std::string> masked(std::string_view text);

/// zstd, where it saves an eighth or more of a text of 256 bytes or more; else nullopt. Measured on the real
/// recordings: below 256 bytes the frame's header eats the gain.
[[nodiscard]] std::optional<std::string> compressed(std::string_view text);
/// nullopt: not a whole frame, or larger than 1 GiB when unpacked.
[[nodiscard]] std::optional<std::string> decompressed(std::string_view frame);

}  // namespace keyhole
