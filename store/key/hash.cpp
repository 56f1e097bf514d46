// SPDX-License-Identifier: Apache-2.0
#include "keyhole/key/hash.h"

// The functions of SHA-256 itself: those of EVP read OpenSSL's configuration and set up its providers at first use, 5
// million instructions that a process which looks up one entry would spend on nothing.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "keyhole/key/system_info.h"

namespace keyhole {
namespace {

SHA256_CTX* as_context(void* context) {
  return static_cast<SHA256_CTX*>(context);
}

}  // namespace

Sha256::Sha256() : context_(new SHA256_CTX) {
  SHA256_Init(as_context(context_));
}

Sha256::~Sha256() {
  delete as_context(context_);
}

Sha256::Sha256(Sha256&& other) noexcept : context_(std::exchange(other.context_, nullptr)) {}

Sha256& Sha256::operator=(Sha256&& other) noexcept {
  std::swap(context_, other.context_);
  return *this;
}

Sha256& Sha256::update(std::string_view bytes) {
  SHA256_Update(as_context(context_), bytes.data(), bytes.size());
  return *this;
}

Digest Sha256::finish() {
  Digest digest;
  SHA256_Final(digest.bytes.data(), as_context(context_));
  SHA256_Init(as_context(context_));
  return digest;
}

Digest sha256(std::string_view bytes) {
  thread_local Sha256 hasher;
  return hasher.update(bytes).finish();
}

Digest hmac_sha256(std::string_view secret, std::string_view message) {
  std::array<char, SHA256_CBLOCK> inner{}, outer{};
  if (secret.size() > inner.size()) {
    const Digest shorter = sha256(secret);
    std::copy(shorter.bytes.begin(), shorter.bytes.end(), inner.begin());
  } else {
    std::copy(secret.begin(), secret.end(), inner.begin());
  }
  for (std::size_t i = 0; i < inner.size(); ++i) {
    outer[i] = static_cast<char>(inner[i] ^ 0x5c);
    inner[i] = static_cast<char>(inner[i] ^ 0x36);
  }
  Sha256 hasher;
  const Digest within = hasher.update({inner.data(), inner.size()}).update(message).finish();
  return hasher.update({outer.data(), outer.size()})
      .update({reinterpret_cast<const char*>(within.bytes.data()), within.bytes.size()})
      .finish();
}

Digest component_sha256(std::string_view bytes) {
  // Most components of a key are one of a few short values (True, None, 0): what they hash to is kept.
  struct Known {
    std::array<char, 16> bytes{};
    std::size_t size = SIZE_MAX;
    Digest digest;
  };
  thread_local std::array<Known, 256> table;
  const auto hashed = [bytes] {
    Digest digest = sha256(bytes);
    digest.bytes.back() &= 0xfe;
    return digest;
  };
  if (bytes.size() > std::tuple_size_v<decltype(Known::bytes)>) return hashed();
  std::uint32_t slot = 2166136261u;
  for (const char c : bytes) slot = (slot ^ static_cast<unsigned char>(c)) * 16777619u;
  Known& known = table[(slot ^ slot >> 16) % table.size()];
  if (known.size != bytes.size() || std::string_view(known.bytes.data(), known.size) != bytes) {
    known.digest = hashed();
    known.size = bytes.size();
    std::copy(bytes.begin(), bytes.end(), known.bytes.begin());
  }
  return known.digest;
}

std::string HashStrategy::key_of(const Digest& digest) const {
  return std::string(prefix) + (hex ? digest.hex() : digest.base32());
}

std::string HashStrategy::key(std::span<const std::string_view> parts) const {
  Sha256 hasher;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) hasher.update(separator);
    hasher.update(parts[i]);
  }
  return key_of(hasher.finish());
}

std::string sha256_hash(std::string_view bytes) {
  return kCompact.key_of(sha256(bytes));
}

std::string code_hash(std::string_view code, std::string_view extra) {
  return extra.empty() ? kCode.key({code}) : kCode.key({code, extra});
}

Result<std::string> get_hash(HashContent content, std::string_view extra, std::string_view kind) {
  for (const std::string_view source : {"code", "ptx", "amdgcn", "spv"})
    if (kind == source) return code_hash(content.bytes, extra);
  if (kind == "cubin" || kind == "hsaco" || kind == kernel_binary_format("xpu"))
    return code_hash(content.text ? python_repr_text(content.bytes) : python_repr_bytes(content.bytes));
  return fail(ErrorKind::usage, "Unknown hash type " + std::string(kind));
}

}  // namespace keyhole
