// SPDX-License-Identifier: Apache-2.0
#include "keyhole/key/canonical.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace keyhole {
namespace {

using Kind = KeyValue::Kind;
constexpr std::string_view kDomain = "cstore-key-v1";
constexpr std::size_t kProducerBytes = 64;
constexpr int kMaxDepth = 200;

void put_size(std::string& out, std::uint64_t size) {
  for (; size >= 0x80; size >>= 7) out += static_cast<char>(size | 0x80);
  out += static_cast<char>(size);
}

void put_text(std::string& out, std::string_view text) {
  put_size(out, text.size());
  out += text;
}

void put_integer(std::string& out, const KeyValue& value) {
  std::string magnitude;  // little-endian
  bool negative = false;
  if (value.is_big()) {
    magnitude = value.text();
    negative = (static_cast<unsigned char>(magnitude.back()) & 0x80) != 0;
    if (negative) {
      unsigned carry = 1;
      for (char& byte : magnitude) {
        carry += static_cast<unsigned char>(~byte);
        byte = static_cast<char>(carry);
        carry >>= 8;
      }
    }
  } else {
    negative = value.number() < 0;
    auto bits = static_cast<std::uint64_t>(value.number());
    if (negative) bits = 0 - bits;
    for (; bits != 0; bits >>= 8) magnitude += static_cast<char>(bits);
  }
  while (!magnitude.empty() && magnitude.back() == 0) magnitude.pop_back();
  std::reverse(magnitude.begin(), magnitude.end());
  out += static_cast<char>(negative ? 1 : 0);
  put_text(out, magnitude);
}

void put_real(std::string& out, double value) {
  const std::uint64_t bits = std::isnan(value) ? 0x7ff8000000000000ull : std::bit_cast<std::uint64_t>(value);
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(bits >> shift);
}

class Encoder {
 public:
  explicit Encoder(std::string& out) : out_(out) {}

  // False: `error` tells why the value has no canonical form.
  bool value(const KeyValue& v) {
    if (++depth_ > kMaxDepth) return refuse("values nest more than 200 deep");
    out_ += static_cast<char>(v.kind());
    bool good = true;
    switch (v.kind()) {
      case Kind::null:
        break;
      case Kind::boolean:
        out_ += static_cast<char>(v.truth() ? 1 : 0);
        break;
      case Kind::integer:
        put_integer(out_, v);
        break;
      case Kind::real:
        put_real(out_, v.real());
        break;
      case Kind::text:
      case Kind::bytes:
      case Kind::symbol:
      case Kind::opaque:
        put_text(out_, v.text());
        break;
      case Kind::list:
      case Kind::tuple:
        good = sequence(v.items());
        break;
      case Kind::map:
        good = sorted(v.items(), 0, 2);
        break;
      case Kind::set:
      case Kind::frozen_set:
        good = sorted(v.items(), 0, 1);
        break;
      case Kind::tensor:
        tensor(v.metadata());
        break;
      case Kind::tensor_values:
        tensor(v.metadata());
        good = value(v.items()[0]);
        break;
      case Kind::reference:
        put_text(out_, v.text());
        put_text(out_, v.items()[0].text());
        break;
      case Kind::call:
        good = value(v.items()[0]) && value(v.items()[1]) && sorted(v.items(), 2, 2);
        break;
      case Kind::record:
        good = value(v.items()[0]) && sorted(v.items(), 1, 2);
        break;
    }
    --depth_;
    return good;
  }

  std::string error;

 private:
  bool refuse(std::string why) {
    error = std::move(why);
    return false;
  }

  bool sequence(const KeyValue::Items& items) {
    put_size(out_, items.size());
    return std::all_of(items.begin(), items.end(), [this](const KeyValue& item) { return value(item); });
  }

  // Elements of `width` values from `first` on, sorted by the bytes of their first value, which no two share.
  bool sorted(const KeyValue::Items& items, std::size_t first, std::size_t width) {
    struct Element {
      std::string bytes;
      std::size_t key_size;
      [[nodiscard]] std::string_view key() const { return std::string_view(bytes).substr(0, key_size); }
    };
    std::vector<Element> elements;
    for (std::size_t i = first; i + width <= items.size(); i += width) {
      Element element{{}, 0};
      Encoder encoder(element.bytes);
      encoder.depth_ = depth_;
      for (std::size_t j = 0; j < width; ++j) {
        if (!encoder.value(items[i + j])) return refuse(std::move(encoder.error));
        if (j == 0) element.key_size = element.bytes.size();
      }
      elements.push_back(std::move(element));
    }
    std::sort(elements.begin(), elements.end(), [](const Element& a, const Element& b) { return a.key() < b.key(); });
    const auto twice = std::adjacent_find(elements.begin(), elements.end(),
                                          [](const Element& a, const Element& b) { return a.key() == b.key(); });
    if (twice != elements.end()) return refuse(width == 1 ? "a set holds an element twice" : "a map holds a key twice");
    put_size(out_, elements.size());
    for (const Element& element : elements) out_ += element.bytes;
    return true;
  }

  void tensor(const TensorMetadata& metadata) {
    const auto fields = metadata.fields();
    put_size(out_, fields.size());
    for (const auto& [name, printed] : fields) {
      put_text(out_, name);
      put_text(out_, printed);
    }
  }

  std::string& out_;
  int depth_ = 0;
};

}  // namespace

Result<std::string> canonical_bytes(const KeyValue& value) {
  std::string out;
  Encoder encoder(out);
  if (!encoder.value(value)) return fail(ErrorKind::bad_input, std::move(encoder.error));
  return out;
}

Result<Digest> canonical_digest(const KeyValue& value) {
  thread_local std::string buffer;
  buffer.clear();
  Encoder encoder(buffer);
  if (!encoder.value(value)) return fail(ErrorKind::bad_input, std::move(encoder.error));
  return component_sha256(buffer);
}

KeyBuilder::KeyBuilder(std::string prefix, std::string producer)
    : prefix_(std::move(prefix)), producer_(std::move(producer)) {}

Result<void> KeyBuilder::add(std::string name, const KeyValue& value) {
  const auto digest = canonical_digest(value);
  if (!digest) {
    Error error = digest.error();
    error.where = name;
    return tl::make_unexpected(std::move(error));
  }
  parts_.push_back({std::move(name), *digest, false});
  return {};
}

void KeyBuilder::add_imported(std::string name, const Digest& digest) {
  parts_.push_back({std::move(name), digest, true});
}

Result<void> KeyBuilder::add_field(const std::string& attr, const KeyValue& value) {
  const KeyValue::Items& items = value.items();
  if ((!value.is(Kind::list) && !value.is(Kind::map)) || items.empty()) return add(attr, value);
  const std::size_t before = parts_.size();
  const auto part = [&](std::string_view index, const KeyValue& item) {
    std::string name;
    name.reserve(attr.size() + index.size() + 2);
    name.append(attr).append("[").append(index).append("]");
    auto added = add(std::move(name), item);
    if (!added) parts_.resize(before);
    return added;
  };
  if (value.is(Kind::list)) {
    for (std::size_t i = 0; i < items.size(); ++i)
      if (auto added = part(std::to_string(i), items[i]); !added) return added;
    return {};
  }
  // A map's parts in the order of the bytes of their keys: the order of insertion must not matter.
  std::string bytes;
  struct Key {
    std::size_t begin, end, item;
  };
  std::vector<Key> keys;
  keys.reserve(items.size() / 2);
  Encoder encoder(bytes);
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    const std::size_t begin = bytes.size();
    if (!encoder.value(items[i])) return fail(ErrorKind::bad_input, std::move(encoder.error), attr);
    keys.push_back({begin, bytes.size(), i});
  }
  const auto text = [&bytes](const Key& key) { return std::string_view(bytes).substr(key.begin, key.end - key.begin); };
  std::sort(keys.begin(), keys.end(), [&](const Key& a, const Key& b) { return text(a) < text(b); });
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (i > 0 && text(keys[i]) == text(keys[i - 1])) {
      parts_.resize(before);
      return fail(ErrorKind::bad_input, "a map holds a key twice", attr);
    }
    const KeyValue& key = items[keys[i].item];
    const KeyValue& item = items[keys[i].item + 1];
    if (auto added = key.is(Kind::text) ? part(key.text(), item) : part(key.repr(), item); !added) return added;
  }
  return {};
}

Result<std::string> KeyBuilder::key() const {
  return key_of_parts(prefix_, producer_, parts_);
}

Result<std::string> key_of_parts(std::string_view prefix, std::string_view producer,
                                 const std::vector<KeyPart>& parts) {
  if (producer.size() > kProducerBytes) return fail(ErrorKind::usage, "a producer's fingerprint is at most 64 bytes");
  std::string stream;
  stream.reserve(80 * parts.size() + 128);
  put_text(stream, kDomain);
  put_text(stream, producer);
  put_size(stream, parts.size());
  for (const KeyPart& part : parts) {
    put_text(stream, part.name);
    stream.append(reinterpret_cast<const char*>(part.digest.bytes.data()), part.digest.bytes.size());
  }
  return std::string(prefix) + sha256(stream).base32();
}

}  // namespace keyhole
