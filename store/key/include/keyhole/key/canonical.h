// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "keyhole/base/digest.h"
#include "keyhole/base/error.h"
#include "keyhole/key/hash.h"
#include "keyhole/key/value.h"

namespace keyhole {

// Our own key, for producers who are not PyTorch: typed values -> canonical bytes -> a digest a component -> the key.
// The key hashes the components' digests, not their values: two keys can be told apart, and a cause proven, from the
// digests alone, and components whose values only another program knows fit in by their digest.
//
// Canonical bytes, version 1: a value is one type byte (the numbers of KeyValue::Kind), then its payload. Sizes and
// counts are LEB128. boolean: a byte; integer: a sign byte, then size and minimal big-endian magnitude; real: 8 bytes
// of IEEE, big-endian, one NaN; text, bytes, symbol: size and bytes; list, tuple: count and elements; map: count and
// pairs, sorted by the bytes of the keys; sets: count and elements, sorted; tensor: its 17 fields, each as size and
// printed text, in order; tensor_values: the tensor and the values; reference: module and name; call, record: count and
// parts, the pairs sorted as a map's; opaque: size and body. No separators, every size first: no two values share their
// bytes.

/// Fails (bad_input) where a map holds a key twice or a set an element, or values nest more than 200 deep.
[[nodiscard]] Result<std::string> canonical_bytes(const KeyValue& value);

/// SHA-256 of the canonical bytes, cut to the 255 bits that texts of digests carry.
[[nodiscard]] Result<Digest> canonical_digest(const KeyValue& value);

/// One part of a key, in the order in which it was added.
struct KeyPart {
  std::string name;  ///< "example_inputs[2]"
  Digest digest;
  bool imported = false;  ///< the digest was given, not computed here
};

/// Makes one key. Key = prefix + 51 characters of SHA-256 over the domain "cstore-key-v1", the producer's fingerprint
/// and the sequence of (name, digest), each with its size before it. The order of the parts matters: it belongs to the
/// producer's schema.
class KeyBuilder {
 public:
  /// `producer`: what tells producers and their versions apart, at most 64 bytes.
  explicit KeyBuilder(std::string prefix, std::string producer = {});

  /// Fails as canonical_bytes() does; nothing is added then.
  Result<void> add(std::string name, const KeyValue& value);
  /// A part whose value is not known here.
  void add_imported(std::string name, const Digest& digest);
  /// Lists and maps part by part ("attr[0]", "attr[key]"), all else whole. An empty list or map is one part.
  Result<void> add_field(const std::string& attr, const KeyValue& value);

  [[nodiscard]] const std::vector<KeyPart>& parts() const { return parts_; }
  /// Fails (usage) where the fingerprint is longer than 64 bytes.
  [[nodiscard]] Result<std::string> key() const;

 private:
  std::string prefix_, producer_;
  std::vector<KeyPart> parts_;
};

/// The key that these parts make: with one part put back to the baseline's, the baseline's key proves the cause.
[[nodiscard]] Result<std::string> key_of_parts(std::string_view prefix, std::string_view producer,
                                               const std::vector<KeyPart>& parts);

}  // namespace keyhole
