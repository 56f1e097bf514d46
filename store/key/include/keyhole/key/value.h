// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "keyhole/base/error.h"
#include "keyhole/key/tensor_metadata.h"

namespace keyhole {

/// One typed value that goes into a key. Owns what it holds; immutable once made.
class KeyValue {
 public:
  // The numbers are the type bytes of the canonical encoding: never renumber, never reuse.
  enum class Kind : std::uint8_t {
    null = 1,
    boolean = 2,
    integer = 3,
    real = 4,
    text = 5,
    bytes = 6,
    list = 7,
    tuple = 8,
    map = 9,
    set = 10,
    frozen_set = 11,
    symbol = 12,
    tensor = 13,
    tensor_values = 14,
    reference = 15,
    call = 16,
    record = 17,
    opaque = 18
  };
  using Items = std::vector<KeyValue>;
  using Pairs = std::vector<std::pair<KeyValue, KeyValue>>;
  using Fields = std::vector<std::pair<std::string, KeyValue>>;

  KeyValue() = default;  ///< null
  static KeyValue null() { return {}; }
  static KeyValue boolean(bool value);
  static KeyValue integer(std::int64_t value);
  /// An integer of any size, in decimal ("-12"). Fails (bad_input) for all else, and for more than 4096 digits.
  static Result<KeyValue> big_integer(std::string_view decimal);
  static KeyValue real(double value);
  static KeyValue text(std::string utf8);
  static KeyValue bytes(std::string value);
  static KeyValue list(Items items);
  static KeyValue tuple(Items items);
  static KeyValue map(Pairs pairs);
  static KeyValue map(Fields fields);  ///< with texts as keys
  static KeyValue set(Items items);
  static KeyValue frozen_set(Items items);
  static KeyValue symbol(std::string expression);  ///< a symbolic size, "s77"
  static KeyValue tensor(TensorMetadata metadata);
  /// A constant: its elements as nested lists, or the bare element of a scalar.
  static KeyValue tensor_values(TensorMetadata metadata, KeyValue values);
  static KeyValue reference(std::string module, std::string name);  ///< a class or function
  /// What a function makes of arguments, and the pairs that are then stored into it (`OrderedDict`).
  static KeyValue call(KeyValue callable, Items arguments, Pairs pairs = {});
  /// An object of a class with its attributes.
  static KeyValue record(KeyValue type, Fields state);
  /// A value that only the producer can spell: its bytes as they enter PyTorch's stream (a memo-free pickle body), and
  /// the text to show for it.
  static KeyValue opaque(std::string body, std::string shown);

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] bool is(Kind kind) const { return kind_ == kind; }
  [[nodiscard]] bool truth() const { return number_ != 0; }      ///< boolean
  [[nodiscard]] std::int64_t number() const { return number_; }  ///< integer that fits
  [[nodiscard]] bool is_big() const { return is(Kind::integer) && !text_.empty(); }
  [[nodiscard]] double real() const { return real_; }
  /// text, bytes, symbol, the module of a reference, the body of an opaque value; of a big integer its minimal
  /// little-endian two's complement.
  [[nodiscard]] const std::string& text() const { return text_; }
  /// Elements; of a map, call or record after the first elements (below) its keys and values in turn.
  [[nodiscard]] const Items& items() const { return items_; }
  [[nodiscard]] const TensorMetadata& metadata() const { return *metadata_; }  ///< tensor, tensor_values

  /// Python's str() of it, as debug lines show it: bytes decoded and cut at 1024 characters, tensors as their metadata.
  /// References, calls and opaque values print what identifies them, not Python's addresses.
  [[nodiscard]] std::string shown() const;
  [[nodiscard]] std::string repr() const;

 private:
  explicit KeyValue(Kind kind) : kind_(kind) {}

  Kind kind_ = Kind::null;
  std::int64_t number_ = 0;
  double real_ = 0;
  std::string text_;
  Items items_;  // reference: its name; call: callable, argument tuple, pairs; record: class, pairs; opaque: shown
  std::shared_ptr<const TensorMetadata> metadata_;
};

}  // namespace keyhole
