// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "keyhole/base/error.h"

namespace keyhole {

/// One input file, read from front to back in bounded memory. Compression is recognised by content, never by name:
/// gzip (RFC 1952), xz, Zstandard (RFC 8878), each also with several members or frames behind one another.
class Source {
 public:
  virtual ~Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  /// Opens a regular file or a pipe. Errors: not_found, io, bad_input (a folder, a device).
  static Result<std::unique_ptr<Source>> open(const std::string& path);

  /// Puts up to `size` bytes of the (decompressed) content at `out` and says how many; 0: the end.
  /// A plain file that has grown since gives more when asked again. Bytes before a damaged place are handed over first;
  /// then comes bad_input, again at every call.
  virtual Result<std::size_t> read(char* out, std::size_t size) = 0;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] virtual bool compressed() const = 0;
  /// Bytes of the file itself taken so far, and its size when opened (-1: a pipe): what a progress bar wants.
  [[nodiscard]] std::int64_t consumed() const { return consumed_; }
  [[nodiscard]] std::int64_t file_size() const { return file_size_; }
  /// Modification time when opened, nanoseconds since 1970; -1: not known.
  [[nodiscard]] std::int64_t modified() const { return modified_; }

 protected:
  Source() = default;
  std::string path_;
  std::int64_t consumed_ = 0, file_size_ = -1, modified_ = -1;
};

/// The whole content, decompressed; bad_input where it is larger than `limit` bytes.
Result<std::string> read_whole(const std::string& path, std::size_t limit);

/// The first `size` bytes of the content (fewer where it is shorter): what a format is recognised by.
Result<std::string> read_head(const std::string& path, std::size_t size = 4096);

/// What a source is known by: SHA-256 (hex) of the first KiB of its content, whatever it is compressed with. A file
/// that only grows keeps it once it has that much.
inline constexpr std::size_t kIdentityBytes = 1024;
std::string identity_of(std::string_view first_kib);
Result<std::string> source_identity(const std::string& path);

}  // namespace keyhole
