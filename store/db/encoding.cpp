// SPDX-License-Identifier: Apache-2.0
#include "encoding.h"

#include <zstd.h>

#include <cstring>
#include <memory>
#include <unordered_map>

namespace keyhole {
namespace {

void put_varint(std::string& out, std::uint64_t v) {
  for (; v >= 0x80; v >>= 7) out += static_cast<char>(v | 0x80);
  out += static_cast<char>(v);
}

bool get_varint(std::string_view& in, std::uint64_t& v) {
  v = 0;
  for (unsigned shift = 0; shift < 64 && !in.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    v |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

template <class Predicate>
std::size_t span_of(std::string_view text, std::size_t from, Predicate p) {
  std::size_t i = from;
  while (i < text.size() && p(text[i])) ++i;
  return i - from;
}

bool is_uuid(std::string_view text) {
  if (text.size() < 36) return false;
  for (std::size_t i = 0; i < 36; ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !is_hex(text[i])) return false;
  }
  return true;
}

}  // namespace

std::string encode_ids(const Ids& ids) {
  std::string out;
  for (const auto id : ids) put_varint(out, static_cast<std::uint64_t>(id));
  return out;
}

std::optional<Ids> decode_ids(std::string_view bytes) {
  Ids ids;
  for (std::uint64_t v; !bytes.empty();) {
    if (!get_varint(bytes, v)) return std::nullopt;
    ids.push_back(static_cast<std::int64_t>(v));
  }
  return ids;
}

std::string encode_difference(const Ids& base, const Ids& ids) {
  std::unordered_map<std::int64_t, std::size_t> at;
  for (std::size_t i = base.size(); i-- > 0;) at[base[i]] = i;
  std::string out;
  std::size_t expected = 0;  // the place in the base where the next id most likely is
  for (std::size_t i = 0; i < ids.size();) {
    std::size_t from = expected;
    if (from >= base.size() || base[from] != ids[i]) {
      const auto found = at.find(ids[i]);
      from = found != at.end() ? found->second : base.size();
    }
    std::size_t n = 0;
    if (from < base.size()) {
      while (i + n < ids.size() && from + n < base.size() && base[from + n] == ids[i + n]) ++n;
      put_varint(out, ((n - 1) << 1) | 1);
      put_varint(out, from);
      expected = from + n;
    } else {
      while (i + n < ids.size() && at.find(ids[i + n]) == at.end()) ++n;
      put_varint(out, (n - 1) << 1);
      for (std::size_t k = 0; k < n; ++k) put_varint(out, static_cast<std::uint64_t>(ids[i + k]));
      expected += n;
    }
    i += n;
  }
  return out;
}

std::optional<Ids> apply_difference(const Ids& base, std::string_view bytes) {
  Ids ids;
  for (std::uint64_t head, v; !bytes.empty();) {
    if (!get_varint(bytes, head)) return std::nullopt;
    const std::uint64_t n = (head >> 1) + 1;
    if ((head & 1) != 0) {
      if (!get_varint(bytes, v) || n > base.size() || v > base.size() - n) return std::nullopt;
      ids.insert(ids.end(), base.begin() + static_cast<std::ptrdiff_t>(v),
                 base.begin() + static_cast<std::ptrdiff_t>(v + n));
    } else {
      for (std::uint64_t k = 0; k < n; ++k) {
        if (!get_varint(bytes, v)) return std::nullopt;
        ids.push_back(static_cast<std::int64_t>(v));
      }
    }
    if (ids.size() > 10'000'000) return std::nullopt;
  }
  return ids;
}

std::uint64_t hash64(std::string_view bytes, std::uint64_t seed) {
  constexpr std::uint64_t kMultiply = 0x9e3779b97f4a7c15;  // 2^64 / golden ratio
  std::uint64_t h = seed ^ (bytes.size() * kMultiply);
  const auto mix = [&h](std::uint64_t word) {
    h = (h ^ word) * kMultiply;
    h ^= h >> 32;
  };
  while (bytes.size() >= 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data(), 8);  // little-endian, as every platform that we build for
    mix(word);
    bytes.remove_prefix(8);
  }
  std::uint64_t word = 0;
  if (!bytes.empty()) std::memcpy(&word, bytes.data(), bytes.size());
  mix(word);
  mix(0);
  return h;
}

std::optional<std::string> masked(std::string_view text) {
  std::optional<std::string> out;
  std::size_t copied = 0;
  const auto replace = [&](std::size_t from, std::size_t n, const char* by) {
    if (!out) out.emplace();
    out->append(text.substr(copied, from - copied)).append(by);
    copied = from + n;
  };
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (!is_word(c)) {
      ++i;
      continue;
    }
    // At the start of a word; "pid" may be part of a longer one ("ppid", "worker_pid").
    if (is_hex(c) && is_uuid(text.substr(i))) {
      replace(i, 36, "<uuid>");
      i += 36;
      continue;
    }
    const std::size_t word = span_of(text, i, is_word);
    const std::string_view w = text.substr(i, word);
    if (w.size() >= 12 && w[0] == '0' && (w[1] == 'x' || w[1] == 'X') && span_of(w, 2, is_hex) >= 10) {
      replace(i, 2 + span_of(w, 2, is_hex), "0x*");
    } else if ((w.size() == 14 || w.size() == 15) && span_of(w, 0, is_digit) == w.size() &&
               (i == 0 || text[i - 1] != '.')) {
      replace(i, word, "<id>");
    } else if (w.size() >= 3 && (w.substr(w.size() - 3) == "pid" || w.substr(w.size() - 3) == "PID")) {
      const std::size_t gap =
          span_of(text, i + word, [](char g) { return g == '=' || g == ' ' || g == ':' || g == '_'; });
      const std::size_t digits = span_of(text, i + word + gap, is_digit);
      if (gap > 0 && gap <= 3 && digits > 0) {
        replace(i + word + gap, digits, "<pid>");
        i += word + gap + digits;
        continue;
      }
    }
    i += word;
  }
  if (out) out->append(text.substr(copied));
  return out;
}

std::optional<std::string> compressed(std::string_view text) {
  if (text.size() < 256) return std::nullopt;
  static thread_local const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(),
                                                                                         ZSTD_freeCCtx);
  std::string out(ZSTD_compressBound(text.size()), '\0');
  const std::size_t n = ZSTD_compressCCtx(context.get(), out.data(), out.size(), text.data(), text.size(), 3);
  if (ZSTD_isError(n) != 0 || n > text.size() - text.size() / 8) return std::nullopt;
  out.resize(n);
  return out;
}

std::optional<std::string> decompressed(std::string_view frame) {
  const auto size = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR || size > (1ULL << 30)) return std::nullopt;
  std::string out(size, '\0');
  const std::size_t n = ZSTD_decompress(out.data(), out.size(), frame.data(), frame.size());
  if (ZSTD_isError(n) != 0 || n != size) return std::nullopt;
  return out;
}

}  // namespace keyhole
