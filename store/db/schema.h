// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace keyhole {

/// The statements that lead from version i to i + 1, for i = 0 and up. Append only: what was released is never changed.
extern const char* const kHistoryMigrations[];
extern const int kHistoryMigrationCount;
/// A file whose `meta.readable_from` is above this is too new even to read.
inline constexpr int kReadableVersion = 1;

}  // namespace keyhole
