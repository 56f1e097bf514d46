// SPDX-License-Identifier: Apache-2.0
#include "keyhole/base/mega_cache_codec.h"

#include <zlib.h>

#include <cstdint>
#include <utility>

#include "keyhole/base/base64.h"

namespace keyhole {
namespace {

constexpr std::uint64_t kVersion = 1;
constexpr std::size_t kSmallestItem = 16;  // two empty lengths

void put_integer(std::string& out, std::uint64_t value, int bytes = 8) {
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i));
}

void put_bytes(std::string& out, std::string_view bytes) {
  put_integer(out, bytes.size());
  out += bytes;
}

std::uint32_t checksum(std::string_view bytes) {
  return static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

class Cursor {
 public:
  Cursor(std::string_view blob, std::size_t at) : blob_(blob), at_(at) {}
  [[nodiscard]] bool at_end() const { return at_ == blob_.size(); }
  [[nodiscard]] std::size_t at() const { return at_; }
  [[nodiscard]] std::size_t left() const { return blob_.size() - at_; }
  [[nodiscard]] tl::unexpected<Error> error(std::string what) const {
    return fail(ErrorKind::bad_input, std::move(what), "offset " + std::to_string(at_));
  }

  std::string_view rest() { return blob_.substr(std::exchange(at_, blob_.size())); }

  Result<std::uint64_t> integer(int bytes = 8) {
    if (left() < static_cast<std::size_t>(bytes)) return error("the mega-cache ends within a number");
    std::uint64_t value = 0;
    for (int i = 0; i < bytes; ++i) value = value << 8 | static_cast<unsigned char>(blob_[at_++]);
    return value;
  }

  Result<std::string_view> bytes() {
    const auto length = integer();
    if (!length) return tl::unexpected(length.error());
    if (*length > left()) return error("the mega-cache ends within an item of " + std::to_string(*length) + " bytes");
    const auto view = blob_.substr(at_, *length);
    at_ += *length;
    return view;
  }

  Result<std::string> text() {
    const auto coded = bytes();
    if (!coded) return tl::unexpected(coded.error());
    auto text = base64_decode(*coded);
    if (!text) return error("a name in the mega-cache is not base64");
    return std::move(*text);
  }

 private:
  std::string_view blob_;
  std::size_t at_;
};

}  // namespace

MegaCacheScan scan_mega_cache(std::string_view blob) {
  MegaCacheScan scan;
  Cursor cursor(blob, 0);
  const auto problem = [&](std::size_t offset, Error error) {
    if (scan.problem) return;
    scan.problem = std::move(error);
    scan.problem_offset = offset;
  };
  if (blob.size() < 12) {
    problem(0, cursor.error("too short for a mega-cache").value());
    return scan;
  }
  const bool sound = *cursor.integer(4) == checksum(blob.substr(4));
  if (const auto version = *cursor.integer(); version != kVersion) {
    problem(4, {ErrorKind::bad_input, "unknown mega-cache version " + std::to_string(version), "offset 4", {}});
    return scan;
  }
  while (!cursor.at_end()) {
    auto type = cursor.text();
    const auto count = type ? cursor.integer() : tl::unexpected(type.error());
    if (!count) {
      problem(cursor.at(), count.error());
      return scan;
    }
    if (*count > cursor.left() / kSmallestItem)
      problem(cursor.at(), cursor.error("the mega-cache names more items than it can hold").value());
    MegaCacheRecord& record = scan.records.emplace_back(MegaCacheRecord{std::move(*type), {}});
    for (std::uint64_t i = 0; i < *count; ++i) {
      auto key = cursor.text();
      const auto content = key ? cursor.bytes() : tl::unexpected(key.error());
      if (!content) {
        problem(cursor.at(), content.error());
        if (key && cursor.left() > 0) {
          record.items.push_back({std::move(*key), cursor.rest()});
          scan.last_item_cut = true;
        }
        return scan;
      }
      record.items.push_back({std::move(*key), *content});
    }
  }
  // Where it ends too soon, that is what happened, and its checksum must be wrong; so the checksum is told last.
  if (!sound) problem(0, {ErrorKind::bad_input, "the checksum of the mega-cache does not match", "offset 0", {}});
  return scan;
}

Result<std::vector<MegaCacheRecord>> read_mega_cache(std::string_view blob) {
  MegaCacheScan scan = scan_mega_cache(blob);
  if (scan.problem) return tl::unexpected(std::move(*scan.problem));
  return std::move(scan.records);
}

void MegaCacheWriter::append(const MegaCacheRecord& record) {
  put_bytes(body_, base64_encode(record.type));
  put_integer(body_, record.items.size());
  for (const auto& item : record.items) {
    put_bytes(body_, base64_encode(item.key));
    put_bytes(body_, item.content);
  }
}

std::string MegaCacheWriter::blob() const {
  std::string versioned;
  put_integer(versioned, kVersion);
  versioned += body_;
  std::string out;
  put_integer(out, checksum(versioned), 4);
  return out += versioned;
}

}  // namespace keyhole
