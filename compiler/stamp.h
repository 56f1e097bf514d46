// SPDX-License-Identifier: Apache-2.0
// Whether a file is still the one that was read, without reading it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace keyhole {

/// What tells that a file was not written since: a change of its content, also one that puts the size and the mtime
/// back, moves ctime. Equal stamps mean equal content only where the stamp was `settled` when it was taken.
struct Stamp {
  std::int64_t size = -1, modified = -1, changed = -1;  ///< times in nanoseconds since 1970
  std::uint64_t device = 0, inode = 0;
  bool directory = false;

  [[nodiscard]] bool exists() const { return size >= 0; }
  /// Nothing happened to it at or after `time`: a later change will be seen in the stamp.
  [[nodiscard]] bool settled(std::int64_t time) const { return exists() && modified < time && changed < time; }
  friend bool operator==(const Stamp&, const Stamp&) = default;
};

/// Follows links. exists() is false where there is none or it may not be seen.
[[nodiscard]] Stamp stamp_of(const std::string& path);
/// The clock that the kernel stamps files with (CLOCK_REALTIME_COARSE): a file changed after this call bears this time
/// or a later one.
[[nodiscard]] std::int64_t file_clock();
/// Waits until the files' clock has passed `time` (nanoseconds since 1970, of the exact clock) and gives what it says
/// then: every file that was written before `time` is settled by it, whether its file system stamps by the tick or, as
/// Linux does since 6.13, sometimes exactly. Takes a tick at most (4 ms), longer only where a busy virtual machine's
/// ticks come late. Does not wait for a time a second ahead: the clock was put back.
[[nodiscard]] std::int64_t wait_for_clock(std::int64_t time);

/// A path as seen from `folder`; absolute ones stay.
[[nodiscard]] std::string joined(std::string_view folder, std::string_view name);
[[nodiscard]] std::string_view base_of(std::string_view path);    ///< "b.cu" of "a/b.cu"
[[nodiscard]] std::string_view folder_of(std::string_view path);  ///< "a" of "a/b.cu"; "" of "b.cu"; "/" of "/b"
/// The path without links; empty where it does not exist.
[[nodiscard]] std::string real_path(const std::string& path);

}  // namespace keyhole
