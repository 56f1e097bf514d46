// SPDX-License-Identifier: Apache-2.0
#include "keyhole/key/hash.h"

#include <QtTest>

#include "golden.h"

using namespace keyhole;

namespace {
struct Bytes {
  std::string bytes;
  bool text;
};
Bytes bytes_of(const nlohmann::json& value) {
  if (value.is_string()) return {value.get<std::string>(), true};
  return {from_hex(value["hex"]), false};
}
}  // namespace

class TestHash : public QObject {
  Q_OBJECT
 private slots:
  void compact_keys() {
    for (const auto& vector : golden("hash")["sha256_hash_vectors"]) {
      const std::string bytes =
          vector["hex"].is_string() ? from_hex(vector["hex"]) : std::string(vector["len"].get<std::size_t>(), 'x');
      QCOMPARE(bytes.size(), vector["len"].get<std::size_t>());
      QCOMPARE(sha256_hash(bytes), vector["sha256_hash"].get<std::string>());
      QCOMPARE(sha256(bytes).hex(), vector["hexdigest"].get<std::string>());
    }
  }
  void streaming_is_the_same_as_one_shot() {
    Sha256 hasher;
    for (int round = 0; round < 2; ++round)  // finish() begins anew
      QCOMPARE(hasher.update("hello").update("").update(" world").finish(), sha256("hello world"));
    Sha256 moved = std::move(hasher);
    QCOMPARE(moved.finish(), sha256(""));
  }
  void keyed_hash() {
    // RFC 4231, test cases 1, 2 and 6: a secret of 20 bytes, of 4, of 131 (more than a block).
    QCOMPARE(hmac_sha256(std::string(20, '\x0b'), "Hi There").hex(),
             "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    QCOMPARE(hmac_sha256("Jefe", "what do ya want for nothing?").hex(),
             "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    QCOMPARE(hmac_sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First").hex(),
             "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  }
  void code_keys() {
    for (const auto& vector : golden("hash")["code_hash_vectors"])
      QCOMPARE(code_hash(bytes_of(vector["code"]).bytes, bytes_of(vector["extra"]).bytes),
               vector["key"].get<std::string>());
  }
  void hash_kinds() {
    int keys = 0, errors = 0;
    for (const auto& vector : golden("hash")["get_hash_vectors"]) {
      const Bytes content = bytes_of(vector["content"]);
      QCOMPARE(content.text ? python_repr_text(content.bytes) : python_repr_bytes(content.bytes),
               vector["repr"].get<std::string>());
      const auto got = get_hash({content.bytes, content.text}, vector["extra"].get<std::string>(),
                                vector["hash_type"].get<std::string>());
      if (vector.contains("key")) {
        QCOMPARE(got.value(), vector["key"].get<std::string>());
        ++keys;
      } else {
        QCOMPARE(got.error().what, vector["message"].get<std::string>());
        ++errors;
      }
    }
    QCOMPARE(keys, 11);
    QCOMPARE(errors, 1);
  }
  void printed_forms() {
    QCOMPARE(python_repr_text("it's"), std::string("\"it's\""));
    QCOMPARE(python_repr_text("a'b\"c\\\n\x01"), std::string("'a\\'b\"c\\\\\\n\\x01'"));
    QCOMPARE(python_repr_text("é✓\u00a0\u2028😀"), std::string("'é✓\\xa0\\u2028😀'"));
    QCOMPARE(python_repr_bytes(std::string_view("\t\r\n\\\x7f\0", 6)), std::string("b'\\t\\r\\n\\\\\\x7f\\x00'"));
  }
  void strategies() {
    const std::pair<const char*, HashStrategy> named[] = {
        {"compact", kCompact}, {"code", kCode}, {"fx_graph", kFxGraph}, {"system", kSystem}, {"autotune", kAutotune}};
    int seen = 0;
    for (const auto& vector : golden("hash")["cache_key_strategies"])
      for (const auto& [name, strategy] : named) {
        if (vector["name"] != name) continue;
        QCOMPARE(strategy.key({"ab"}), vector["key(b'ab')"].get<std::string>());
        QCOMPARE(strategy.key({"a", "b"}), vector["key(b'a',b'b')"].get<std::string>());
        QCOMPARE(strategy.key({}), vector["key()"].get<std::string>());
        ++seen;
      }
    QCOMPARE(seen, 5);
    QCOMPARE(kAutograd.key({"abc"}), "a" + sha256_hash("abc"));
  }
};

QTEST_APPLESS_MAIN(TestHash)
#include "test_hash.moc"
