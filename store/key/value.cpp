// SPDX-License-Identifier: Apache-2.0
#include "keyhole/key/value.h"

#include <algorithm>
#include <charconv>

#include "keyhole/base/python_text.h"
#include "keyhole/key/hash.h"

namespace keyhole {
namespace {

constexpr std::size_t kShownCharacters = 1024;

void append_pairs(KeyValue::Items& items, KeyValue::Pairs pairs) {
  items.reserve(items.size() + 2 * pairs.size());
  for (auto& [key, value] : pairs) {
    items.push_back(std::move(key));
    items.push_back(std::move(value));
  }
}

void append_fields(KeyValue::Items& items, KeyValue::Fields fields) {
  items.reserve(items.size() + 2 * fields.size());
  for (auto& [name, value] : fields) {
    items.push_back(KeyValue::text(std::move(name)));
    items.push_back(std::move(value));
  }
}

std::string joined(const KeyValue::Items& items) {
  std::string out;
  for (const KeyValue& item : items) {
    if (&item != &items.front()) out += ", ";
    out += item.repr();
  }
  return out;
}

// {key: value, …} of the items from `first`; with `equals`, name=value, …
std::string joined_pairs(const KeyValue::Items& items, std::size_t first, bool equals) {
  std::string out;
  for (std::size_t i = first; i + 1 < items.size(); i += 2) {
    if (i > first) out += ", ";
    out += equals ? items[i].text() + "=" : items[i].repr() + ": ";
    out += items[i + 1].repr();
  }
  return out;
}

// Decimal of a little-endian two's complement.
std::string decimal_of(const std::string& twos) {
  const bool negative = (static_cast<unsigned char>(twos.back()) & 0x80) != 0;
  std::string digits(1, '\0');  // little-endian
  for (std::size_t i = twos.size(); i-- > 0;) {
    const auto byte = static_cast<unsigned char>(twos[i]);
    unsigned carry = negative ? static_cast<unsigned char>(~byte) : byte;  // of -value - 1 where negative
    for (char& digit : digits) {
      carry += static_cast<unsigned>(digit) * 256;
      digit = static_cast<char>(carry % 10);
      carry /= 10;
    }
    for (; carry != 0; carry /= 10) digits += static_cast<char>(carry % 10);
  }
  if (negative) {
    std::size_t i = 0;
    while (i < digits.size() && digits[i] == 9) digits[i++] = 0;
    if (i == digits.size()) digits += '\0';
    ++digits[i];
  }
  std::string out = negative ? "-" : "";
  for (std::size_t i = digits.size(); i-- > 0;) out += static_cast<char>('0' + digits[i]);
  return out;
}

// bytes.decode("utf-8", errors="replace"), cut to 1024 characters.
std::string decoded(const std::string& bytes) {
  std::string out;
  std::size_t characters = 0;
  const auto byte = [&](std::size_t i) { return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0u; };
  for (std::size_t at = 0; at < bytes.size(); ++characters) {
    if (characters == kShownCharacters) return out + "...";
    const unsigned first = byte(at);
    const std::size_t length = first < 0x80                    ? 1
                               : first >= 0xc2 && first < 0xe0 ? 2
                               : first >= 0xe0 && first < 0xf0 ? 3
                               : first >= 0xf0 && first < 0xf5 ? 4
                                                               : 0;
    // The second byte has a narrower range behind some first ones: no surrogates, no overlong forms.
    const unsigned low = first == 0xe0 ? 0xa0u : first == 0xf0 ? 0x90u : 0x80u;
    const unsigned high = first == 0xed ? 0x9fu : first == 0xf4 ? 0x8fu : 0xbfu;
    std::size_t valid = length == 0 ? 0 : 1;
    while (valid != 0 && valid < length && byte(at + valid) >= (valid == 1 ? low : 0x80u) &&
           byte(at + valid) <= (valid == 1 ? high : 0xbfu))
      ++valid;
    if (valid == length && length != 0)
      out.append(bytes, at, length);
    else
      out += "\xef\xbf\xbd";
    at += std::max<std::size_t>(valid, 1);
  }
  return out;
}

}  // namespace

KeyValue KeyValue::boolean(bool value) {
  KeyValue out(Kind::boolean);
  out.number_ = value ? 1 : 0;
  return out;
}

KeyValue KeyValue::integer(std::int64_t value) {
  KeyValue out(Kind::integer);
  out.number_ = value;
  return out;
}

Result<KeyValue> KeyValue::big_integer(std::string_view decimal) {
  std::int64_t small = 0;
  const char* const end = decimal.data() + decimal.size();
  if (const auto [last, error] = std::from_chars(decimal.data(), end, small); error == std::errc{} && last == end)
    return integer(small);
  const bool negative = decimal.starts_with('-');
  const std::string_view digits = decimal.substr(negative ? 1 : 0);
  if (digits.empty() || digits.size() > 4096 || digits.find_first_not_of("0123456789") != std::string_view::npos)
    return fail(ErrorKind::bad_input, "not an integer: " + std::string(decimal.substr(0, 80)));
  std::string magnitude;  // little-endian
  for (const char c : digits) {
    unsigned carry = static_cast<unsigned>(c - '0');
    for (char& byte : magnitude) {
      carry += static_cast<unsigned char>(byte) * 10u;
      byte = static_cast<char>(carry);
      carry >>= 8;
    }
    if (carry != 0) magnitude += static_cast<char>(carry);
  }
  magnitude += '\0';  // room for the sign
  if (negative) {
    unsigned carry = 1;
    for (char& byte : magnitude) {
      carry += static_cast<unsigned char>(~byte);
      byte = static_cast<char>(carry);
      carry >>= 8;
    }
  }
  const auto top = [&](std::size_t back) { return static_cast<unsigned char>(magnitude[magnitude.size() - back]); };
  while (magnitude.size() > 1 && ((top(1) == 0 && top(2) < 0x80) || (top(1) == 0xff && top(2) >= 0x80)))
    magnitude.pop_back();
  KeyValue out(Kind::integer);
  out.text_ = std::move(magnitude);
  return out;
}

KeyValue KeyValue::real(double value) {
  KeyValue out(Kind::real);
  out.real_ = value;
  return out;
}

KeyValue KeyValue::text(std::string utf8) {
  KeyValue out(Kind::text);
  out.text_ = std::move(utf8);
  return out;
}

KeyValue KeyValue::bytes(std::string value) {
  KeyValue out(Kind::bytes);
  out.text_ = std::move(value);
  return out;
}

KeyValue KeyValue::list(Items items) {
  KeyValue out(Kind::list);
  out.items_ = std::move(items);
  return out;
}

KeyValue KeyValue::tuple(Items items) {
  KeyValue out(Kind::tuple);
  out.items_ = std::move(items);
  return out;
}

KeyValue KeyValue::map(Pairs pairs) {
  KeyValue out(Kind::map);
  append_pairs(out.items_, std::move(pairs));
  return out;
}

KeyValue KeyValue::map(Fields fields) {
  KeyValue out(Kind::map);
  append_fields(out.items_, std::move(fields));
  return out;
}

KeyValue KeyValue::set(Items items) {
  KeyValue out(Kind::set);
  out.items_ = std::move(items);
  return out;
}

KeyValue KeyValue::frozen_set(Items items) {
  KeyValue out(Kind::frozen_set);
  out.items_ = std::move(items);
  return out;
}

KeyValue KeyValue::symbol(std::string expression) {
  KeyValue out(Kind::symbol);
  out.text_ = std::move(expression);
  return out;
}

KeyValue KeyValue::tensor(TensorMetadata metadata) {
  KeyValue out(Kind::tensor);
  out.metadata_ = std::make_shared<const TensorMetadata>(std::move(metadata));
  return out;
}

KeyValue KeyValue::tensor_values(TensorMetadata metadata, KeyValue values) {
  KeyValue out(Kind::tensor_values);
  out.metadata_ = std::make_shared<const TensorMetadata>(std::move(metadata));
  out.items_.push_back(std::move(values));
  return out;
}

KeyValue KeyValue::reference(std::string module, std::string name) {
  KeyValue out(Kind::reference);
  out.text_ = std::move(module);
  out.items_.push_back(text(std::move(name)));
  return out;
}

KeyValue KeyValue::call(KeyValue callable, Items arguments, Pairs pairs) {
  KeyValue out(Kind::call);
  out.items_.push_back(std::move(callable));
  out.items_.push_back(tuple(std::move(arguments)));
  append_pairs(out.items_, std::move(pairs));
  return out;
}

KeyValue KeyValue::record(KeyValue type, Fields state) {
  KeyValue out(Kind::record);
  out.items_.push_back(std::move(type));
  append_fields(out.items_, std::move(state));
  return out;
}

KeyValue KeyValue::opaque(std::string body, std::string shown) {
  KeyValue out(Kind::opaque);
  out.text_ = std::move(body);
  out.items_.push_back(text(std::move(shown)));
  return out;
}

std::string KeyValue::shown() const {
  if (is(Kind::text)) return text_;
  if (is(Kind::bytes)) return decoded(text_);
  if (is(Kind::tensor_values)) return metadata_->text();
  return repr();
}

std::string KeyValue::repr() const {
  switch (kind_) {
    case Kind::null:
      return "None";
    case Kind::boolean:
      return truth() ? "True" : "False";
    case Kind::integer:
      return is_big() ? decimal_of(text_) : std::to_string(number_);
    case Kind::real:
      return python_text(real_);
    case Kind::text:
      return python_repr_text(text_);
    case Kind::bytes:
      return python_repr_bytes(text_);
    case Kind::list:
      return "[" + joined(items_) + "]";
    case Kind::tuple:
      return "(" + joined(items_) + (items_.size() == 1 ? ",)" : ")");
    case Kind::map:
      return "{" + joined_pairs(items_, 0, false) + "}";
    case Kind::set:
      return items_.empty() ? "set()" : "{" + joined(items_) + "}";
    case Kind::frozen_set:
      return items_.empty() ? "frozenset()" : "frozenset({" + joined(items_) + "})";
    case Kind::symbol:
      return "(" + python_repr_text(text_) + ",)";
    case Kind::tensor:
      return metadata_->text();
    case Kind::tensor_values:
      return "TensorMetadataAndValues(tensor_metadata=" + metadata_->text() + ", values=" + items_[0].repr() + ")";
    case Kind::reference:
      return text_ + "." + items_[0].text();
    case Kind::call:
      return items_[0].repr() + items_[1].repr() +
             (items_.size() > 2 ? "{" + joined_pairs(items_, 2, false) + "}" : "");
    case Kind::record:
      return items_[0].items_[0].text() + "(" + joined_pairs(items_, 1, true) + ")";
    case Kind::opaque:
      return items_[0].text();
  }
  return {};
}

}  // namespace keyhole
