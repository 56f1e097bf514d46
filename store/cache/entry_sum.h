// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "keyhole/base/checksum.h"
#include "keyhole/base/digest.h"
#include "keyhole/base/records.h"
#include "wire.h"

namespace keyhole {

/// What the columns of an entry and of the files of its bundle, in their order, add up to (schema.cpp: entry.checksum).
class EntrySum {
 public:
  EntrySum(Layer layer, std::string_view key, std::string_view name, std::string_view guard, std::string_view metadata,
           std::int64_t cost, const Digest& content) {
    out_.reserve(key.size() + name.size() + guard.size() + metadata.size() + 96);
    out_.number(static_cast<std::uint64_t>(layer));
    for (const auto text : {key, name, guard, metadata}) out_.text(text);
    out_.integer(cost);
    out_.digest(content);
  }
  void file(std::string_view name, const Digest& content) {
    out_.text(name);
    out_.digest(content);
  }
  [[nodiscard]] std::int64_t value() const { return crc32c(out_.bytes()); }
  /// Whether that is what was written down; 0: the entry was put before there was a checksum.
  [[nodiscard]] bool fits(std::int64_t checksum) const { return checksum == 0 || checksum == value(); }

 private:
  wire::Writer out_;
};

}  // namespace keyhole
