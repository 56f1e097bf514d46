// SPDX-License-Identifier: Apache-2.0
#include "record_scanner.h"

#include <algorithm>
#include <cstring>

namespace keyhole {
namespace {
constexpr std::size_t kRead = 512 * 1024;  // a chunk and its records stay within a second-level cache
}

RawRecord RecordScanner::cut(std::size_t end) {
  RawRecord record;
  record.offset = base_ + begin_ - dropped_;
  if (dropped_ > 0 || end - begin_ > max_record_) {
    record.oversized = dropped_ + (end - begin_);
  } else {
    const std::string_view whole(buffer_.data() + begin_, end - begin_);
    const std::size_t newline = whole.find('\n');
    record.header = whole.substr(0, newline);
    if (newline != std::string_view::npos && newline + 1 <= whole.size()) {
      record.payload = whole.substr(newline + 1);
      record.has_payload = !record.payload.empty();
    }
  }
  dropped_ = 0;
  return record;
}

Result<std::optional<RawRecord>> RecordScanner::next() {
  for (;;) {
    while (scan_ < end_) {
      const char* newline = static_cast<const char*>(std::memchr(buffer_.data() + scan_, '\n', end_ - scan_));
      if (!newline) {
        scan_ = end_;
        break;
      }
      const auto at = static_cast<std::size_t>(newline - buffer_.data());
      if (at + 1 == end_) {  // what follows the newline is not here yet
        scan_ = at;
        break;
      }
      scan_ = at + 1;
      if (buffer_[scan_] == '\t') continue;
      const RawRecord record = cut(at);
      begin_ = scan_;
      return record;
    }
    const auto more = fill();
    if (!more) return tl::unexpected(more.error());
    if (!*more) return std::nullopt;
  }
}

std::optional<RawRecord> RecordScanner::rest() {
  if (begin_ == end_ && dropped_ == 0) return std::nullopt;
  std::size_t end = end_;
  if (end > begin_ && buffer_[end - 1] == '\n') --end;
  const RawRecord record = cut(end);
  begin_ = scan_ = end_;
  return record;
}

Result<bool> RecordScanner::fill() {
  if (end_ - begin_ > max_record_) {  // of a record that is too large only the last byte is kept: it may be the newline
    const std::size_t keep = scan_ < end_ ? 1 : 0;
    dropped_ += end_ - begin_ - keep;
    begin_ = scan_ = end_ - keep;
  }
  if (buffer_.size() - end_ < kRead && begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    base_ += begin_;
    end_ -= begin_;
    scan_ -= begin_;
    begin_ = 0;
  }
  if (buffer_.size() - end_ < kRead)
    buffer_.resize(std::min(std::max(buffer_.size() * 2, 2 * kRead), max_record_ + 2 * kRead));
  auto n = source_.read(buffer_.data() + end_, std::min(buffer_.size() - end_, kRead));
  if (!n) return tl::unexpected(n.error());
  end_ += *n;
  return *n > 0;
}

}  // namespace keyhole
