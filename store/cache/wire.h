// SPDX-License-Identifier: Apache-2.0
// The bytes of what the cache keeps for itself: integers as LEB128 (signed ones zigzag), texts with their length before
// them, digests as 32 bytes. A reader never passes its end: after the first value that is not there it gives zeros and
// `ok()` is false.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "keyhole/base/digest.h"

namespace keyhole::wire {

class Writer {
 public:
  void number(std::uint64_t value) {
    char bytes[10];
    std::size_t n = 0;
    for (; value >= 128; value >>= 7) bytes[n++] = static_cast<char>(value | 128);
    bytes[n++] = static_cast<char>(value);
    out_.append(bytes, n);
  }
  void integer(std::int64_t value) {
    number(static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63));
  }
  void text(std::string_view text) {
    number(text.size());
    out_ += text;
  }
  void digest(const Digest& digest) { out_.append(reinterpret_cast<const char*>(digest.bytes.data()), 32); }
  void raw(std::string_view bytes) { out_ += bytes; }
  [[nodiscard]] const std::string& bytes() const { return out_; }
  [[nodiscard]] std::string take() { return std::move(out_); }
  void clear() { out_.clear(); }
  void reserve(std::size_t size) { out_.reserve(size); }

 private:
  std::string out_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at_ == bytes_.size()) return broken();
      const auto byte = static_cast<unsigned char>(bytes_[at_++]);
      value |= static_cast<std::uint64_t>(byte & 127) << shift;
      if (byte < 128) return value;
    }
    return broken();
  }
  std::int64_t integer() {
    const std::uint64_t z = number();
    return static_cast<std::int64_t>(z >> 1 ^ (~(z & 1) + 1));
  }
  std::string_view text() {
    const std::uint64_t size = number();
    if (size > left()) return broken(), std::string_view{};
    const auto view = bytes_.substr(at_, size);
    at_ += size;
    return view;
  }
  Digest digest() {
    Digest d;
    if (left() < 32) return broken(), d;
    bytes_.copy(reinterpret_cast<char*>(d.bytes.data()), 32, at_);
    at_ += 32;
    return d;
  }
  [[nodiscard]] std::size_t left() const { return bytes_.size() - at_; }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  std::uint64_t broken() {
    ok_ = false;
    at_ = bytes_.size();
    return 0;
  }
  std::string_view bytes_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace keyhole::wire
