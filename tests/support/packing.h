// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <stdexcept>
#include <string>

namespace keyhole {

enum class Packing { none, gzip, xz, zstd };

/// `content` as one member (frame) of the given format.
inline std::string packed(const std::string& content, Packing packing) {
  if (packing == Packing::none) return content;
  std::string out(content.size() + content.size() / 8 + 1024, '\0');
  std::size_t used = 0;
  if (packing == Packing::gzip) {
    z_stream stream{};
    if (deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) throw std::bad_alloc();
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
    stream.avail_in = static_cast<uInt>(content.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    const int code = deflate(&stream, Z_FINISH);
    used = stream.total_out;
    deflateEnd(&stream);
    if (code != Z_STREAM_END) throw std::runtime_error("deflate");
  } else if (packing == Packing::xz) {
    if (lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, nullptr, reinterpret_cast<const std::uint8_t*>(content.data()),
                                content.size(), reinterpret_cast<std::uint8_t*>(out.data()), &used,
                                out.size()) != LZMA_OK)
      throw std::runtime_error("lzma");
  } else {
    used = ZSTD_compress(out.data(), out.size(), content.data(), content.size(), 3);
    if (ZSTD_isError(used)) throw std::runtime_error("zstd");
  }
  out.resize(used);
  return out;
}

}  // namespace keyhole
