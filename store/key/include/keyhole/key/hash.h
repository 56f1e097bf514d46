// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "keyhole/base/digest.h"
#include "keyhole/base/error.h"

namespace keyhole {

/// SHA-256 of one piece of memory.
[[nodiscard]] Digest sha256(std::string_view bytes);

/// HMAC-SHA256 (RFC 2104).
[[nodiscard]] Digest hmac_sha256(std::string_view secret, std::string_view message);

/// The same as sha256(), cut to the 255 bits that 51 characters of base32 carry: equal to the digest of a debug line
/// that was read.
[[nodiscard]] Digest component_sha256(std::string_view bytes);

/// SHA-256 of what comes in pieces. After finish() it begins anew. Not thread-safe; movable, not copyable.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  Sha256& update(std::string_view bytes);
  [[nodiscard]] Digest finish();

 private:
  void* context_;
};

/// A named recipe of PyTorch that turns parts into a key: the parts go to SHA-256 in order, with the separator between
/// two of them; the key is the prefix and the digest as 51 characters of base32 or 64 of hex.
struct HashStrategy {
  std::string_view prefix;
  std::string_view separator;
  bool hex = false;

  [[nodiscard]] std::string key(std::span<const std::string_view> parts) const;
  [[nodiscard]] std::string key(std::initializer_list<std::string_view> parts) const {
    return key(std::span(parts.begin(), parts.size()));
  }
  [[nodiscard]] std::string key_of(const Digest& digest) const;
};
inline constexpr HashStrategy kCompact{"", "", false};    ///< entry file names, components
inline constexpr HashStrategy kCode{"c", "||", false};    ///< sources, modules, binaries
inline constexpr HashStrategy kFxGraph{"f", "", false};   ///< graph keys
inline constexpr HashStrategy kAutograd{"a", "", false};  ///< AOTAutograd keys
inline constexpr HashStrategy kSystem{"", "", true};      ///< system information
inline constexpr HashStrategy kAutotune{"", "", true};    ///< autotune keys

[[nodiscard]] std::string sha256_hash(std::string_view bytes);  ///< the compact key of PyTorch's function of this name

/// The code key. Text and extra are joined by "||" without escaping, as PyTorch does: code "a||b" has the key of code
/// "a" with extra "b".
[[nodiscard]] std::string code_hash(std::string_view code, std::string_view extra = {});

/// The content of a file that is to be hashed: Python tells text and bytes apart when it prints them.
struct HashContent {
  std::string_view bytes;
  bool text = true;  ///< UTF-8 text, not bytes
};

/// The key of a file by its kind: code, ptx, amdgcn and spv hash content and extra; cubin, hsaco and the XPU format
/// (`zebin`, or what TORCHINDUCTOR_XPU_KERNEL_FORMAT names) hash the printed Python form of the content and no extra.
/// Another kind fails (usage: "Unknown hash type …").
[[nodiscard]] Result<std::string> get_hash(HashContent content, std::string_view extra, std::string_view kind);

/// What Python's repr() gives for bytes (`b'…'`) and for text (`'…'`; UTF-8 in and out).
[[nodiscard]] std::string python_repr_bytes(std::string_view bytes);
[[nodiscard]] std::string python_repr_text(std::string_view text);

}  // namespace keyhole
