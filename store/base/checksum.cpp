// SPDX-License-Identifier: Apache-2.0
// The instruction has a latency of three cycles and can start every cycle: three independent lanes keep it busy. Their
// checksums are joined by moving the earlier ones past the bytes that follow them, which is a multiplication by a power
// of x modulo the polynomial; tables make it four look-ups.
#include "keyhole/base/checksum.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace keyhole {
namespace {

constexpr std::uint32_t kPolynomial = 0x82f63b78;  // reflected

using Table = std::array<std::array<std::uint32_t, 256>, 4>;

/// Product of two polynomials modulo the CRC polynomial, all reflected: bit 31 is the coefficient of x^0.
constexpr std::uint32_t multiply(std::uint32_t a, std::uint32_t b) {
  std::uint32_t product = 0;
  for (std::uint32_t bit = 0x80000000U; bit != 0; bit >>= 1) {
    if (a & bit) product ^= b;
    b = (b & 1) ? b >> 1 ^ kPolynomial : b >> 1;
  }
  return product;
}

/// What four bytes of a checksum become when `bytes` further zero bytes are fed.
constexpr Table table_past(std::size_t bytes) {
  std::uint32_t power = 0x80000000U;   // x^0
  std::uint32_t square = 0x00800000U;  // x^8
  for (std::size_t n = bytes; n != 0; n >>= 1) {
    if (n & 1) power = multiply(power, square);
    square = multiply(square, square);
  }
  Table table{};
  for (unsigned byte = 0; byte < 4; ++byte)
    for (std::uint32_t value = 0; value < 256; ++value) table[byte][value] = multiply(power, value << (8 * byte));
  return table;
}

std::uint32_t past(const Table& table, std::uint32_t crc) {
  return table[0][crc & 255] ^ table[1][crc >> 8 & 255] ^ table[2][crc >> 16 & 255] ^ table[3][crc >> 24];
}

std::uint32_t by_table(const char* p, std::size_t n, std::uint32_t crc) {
  // Eight tables: entry [k][v] is byte v followed by k zero bytes.
  static const auto tables = [] {
    std::array<std::array<std::uint32_t, 256>, 8> t;
    for (std::uint32_t v = 0; v < 256; ++v) {
      std::uint32_t c = v;
      for (int bit = 0; bit < 8; ++bit) c = (c & 1) ? c >> 1 ^ kPolynomial : c >> 1;
      t[0][v] = c;
    }
    for (std::size_t k = 1; k < 8; ++k)
      for (std::size_t v = 0; v < 256; ++v) t[k][v] = t[k - 1][v] >> 8 ^ t[0][t[k - 1][v] & 255];
    return t;
  }();
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(p[i]); };
  for (; n >= 8; p += 8, n -= 8) {
    crc = tables[7][(crc ^ byte(0)) & 255] ^ tables[6][(crc >> 8 ^ byte(1)) & 255] ^
          tables[5][(crc >> 16 ^ byte(2)) & 255] ^ tables[4][(crc >> 24 ^ byte(3)) & 255] ^ tables[3][byte(4)] ^
          tables[2][byte(5)] ^ tables[1][byte(6)] ^ tables[0][byte(7)];
  }
  for (; n > 0; ++p, --n) crc = crc >> 8 ^ tables[0][(crc ^ byte(0)) & 255];
  return crc;
}

#if defined(__x86_64__)
std::uint64_t word_at(const char* p) {
  std::uint64_t w;
  std::memcpy(&w, p, sizeof w);
  return w;
}

/// Feeds as many blocks of three lanes of `Lane` bytes as there are.
template <std::size_t Lane>
__attribute__((target("sse4.2"))) void three_lanes(const char*& p, std::size_t& n, std::uint64_t& crc) {
  static constexpr Table one = table_past(Lane), two = table_past(2 * Lane);  // a process may live for one checksum
  for (; n >= 3 * Lane; p += 3 * Lane, n -= 3 * Lane) {
    std::uint64_t a = crc, b = 0, c = 0;
    for (std::size_t i = 0; i < Lane; i += 8) {
      a = _mm_crc32_u64(a, word_at(p + i));
      b = _mm_crc32_u64(b, word_at(p + Lane + i));
      c = _mm_crc32_u64(c, word_at(p + 2 * Lane + i));
    }
    crc = past(two, static_cast<std::uint32_t>(a)) ^ past(one, static_cast<std::uint32_t>(b)) ^ c;
  }
}

__attribute__((target("sse4.2"))) std::uint32_t by_instruction(const char* p, std::size_t n, std::uint32_t seed) {
  std::uint64_t crc = seed;
  three_lanes<2048>(p, n, crc);
  three_lanes<128>(p, n, crc);
  for (; n >= 8; p += 8, n -= 8) crc = _mm_crc32_u64(crc, word_at(p));
  for (; n > 0; ++p, --n) crc = _mm_crc32_u8(static_cast<std::uint32_t>(crc), static_cast<unsigned char>(*p));
  return static_cast<std::uint32_t>(crc);
}
#endif

}  // namespace

std::uint32_t crc32c(std::string_view data, std::uint32_t seed) {
#if defined(__x86_64__)
  static const bool instruction = __builtin_cpu_supports("sse4.2");
  if (instruction) return ~by_instruction(data.data(), data.size(), ~seed);
#endif
  return ~by_table(data.data(), data.size(), ~seed);
}

}  // namespace keyhole
