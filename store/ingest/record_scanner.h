// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "keyhole/base/error.h"
#include "keyhole/ingest/source.h"

namespace keyhole {

/// A record of a structured trace as it stands in the file: one header line, then payload lines that each begin with a
/// tab. The views are good until the scanner is asked again.
struct RawRecord {
  std::uint64_t offset = 0;     ///< of its first byte in the (decompressed) content
  std::string_view header;      ///< without its newline
  std::string_view payload;     ///< the payload lines with their tabs, without the last newline
  bool has_payload = false;     ///< there is at least one payload line, perhaps an empty one
  std::uint64_t oversized = 0;  ///< > 0: the record had this many bytes, more than is kept; the views are empty
};

/// Cuts a source into records in bounded memory.
class RecordScanner {
 public:
  RecordScanner(Source& source, std::size_t max_record) : source_(source), max_record_(max_record) {}

  /// The next record of which the end is known, because another one has begun behind it. Nothing: the source gives no
  /// more at present. A damaged source is an error once everything before the damage was given.
  Result<std::optional<RawRecord>> next();

  /// What is left behind the last record that next() gave: the last record of the file, whole or cut.
  std::optional<RawRecord> rest();

  [[nodiscard]] std::uint64_t offset() const { return base_ + begin_; }

 private:
  Result<bool> fill();
  RawRecord cut(std::size_t end);

  Source& source_;
  std::size_t max_record_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;  // of the record in work
  std::size_t scan_ = 0;   // where to go on looking for its end
  std::size_t end_ = 0;
  std::uint64_t base_ = 0;     // offset of buffer_[0] in the content
  std::uint64_t dropped_ = 0;  // bytes of the record in work that were let go
};

}  // namespace keyhole
