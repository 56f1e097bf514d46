// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace keyhole {

/// Walks a JSON text in place, without a tree and without copying, so that what is not wanted costs a memchr. Takes
/// what Python's json.dumps writes, which is more than RFC 8259: NaN, Infinity, and lone surrogates (decoded to
/// U+FFFD). After a mistake in the text `ok()` is false and every call gives nothing. Depth is bounded.
class JsonCursor {
 public:
  explicit JsonCursor(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  [[nodiscard]] bool ok() const { return ok_; }
  /// The next value's first character; '\0' at the end.
  char peek();

  /// `{`: then next_key until it gives nothing. Each key's value must be taken or skipped before the next.
  bool enter_object() { return enter('{'); }
  /// The raw bytes of the key between its quotes (escapes not decoded); nothing at the closing brace.
  std::optional<std::string_view> next_key();

  bool enter_array() { return enter('['); }
  /// True: an element follows. False: the closing bracket was taken.
  bool next_element();

  void skip();
  /// The value's text as it stands.
  std::string_view raw();
  /// The bytes between the quotes of a string, escapes not decoded; nothing, and the value skipped, where it is no
  /// string.
  std::optional<std::string_view> raw_string();
  std::optional<std::string> string();
  /// Integers; floats are cut towards zero.
  std::optional<std::int64_t> integer();
  std::optional<double> number();
  std::optional<bool> boolean();

  /// Decodes what stands between the quotes of a JSON string.
  static void unescape(std::string_view raw, std::string& out);

 private:
  void space();
  bool enter(char open);
  bool take(char c);
  bool broken();
  std::string_view scalar();

  const char* at_;
  const char* end_;
  bool first_ = false;  // nothing was taken yet of the container that was entered last
  bool ok_ = true;
};

}  // namespace keyhole
