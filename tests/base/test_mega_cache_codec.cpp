// SPDX-License-Identifier: Apache-2.0
#include "keyhole/base/mega_cache_codec.h"

#include <QtTest>

#include "keyhole/base/base64.h"

using namespace keyhole;

namespace {
// What torch.compiler.save_cache_artifacts of 2.13 writes for the artifact (test, 1, foo).
const QByteArray kOne = QByteArray::fromHex(
    "3b43a253000000000000000100000000000000086447567a64413d3d000000000000000100000000000000044d513d3d00000000000000036"
    "66f6f");
std::string_view view(const QByteArray& a) {
  return {a.constData(), static_cast<std::size_t>(a.size())};
}
}  // namespace

class TestMegaCacheCodec : public QObject {
  Q_OBJECT
 private slots:
  void reads_and_writes_the_bytes_of_pytorch() {
    const auto records = read_mega_cache(view(kOne));
    QVERIFY2(records, records ? "" : records.error().line().c_str());
    QCOMPARE(records->size(), std::size_t{1});
    QCOMPARE(records->front().type, std::string("test"));
    QCOMPARE(records->front().items.front().key, std::string("1"));
    QCOMPARE(records->front().items.front().content, std::string_view("foo"));
    MegaCacheWriter writer;
    writer.append(records->front());
    QCOMPARE(writer.blob(), std::string(view(kOne)));
  }
  void refuses_what_is_damaged() {
    for (int n = 0; n < kOne.size(); ++n) QVERIFY(!read_mega_cache(view(kOne.left(n))));
    for (int n = 0; n < kOne.size(); ++n) {
      QByteArray changed = kOne;
      changed[n] = static_cast<char>(changed[n] ^ 0x10);
      QVERIFY(!read_mega_cache(view(changed)));
    }
  }
  void a_count_that_lies_costs_no_memory() {
    MegaCacheWriter writer;
    writer.append({"t", {}});
    std::string blob = writer.blob();
    for (std::size_t i = blob.size() - 8; i < blob.size(); ++i) blob[i] = '\x7f';
    QVERIFY(!read_mega_cache(blob));
  }
  void base64_of_every_length() {
    std::string bytes;
    for (int n = 0; n < 300; ++n) {
      const auto text = base64_encode(bytes);
      QCOMPARE(text, QByteArray(bytes.data(), n).toBase64().toStdString());
      QCOMPARE(base64_decode(text).value_or("?"), bytes);
      bytes += static_cast<char>(n * 37);
    }
    for (const char* bad : {"A", "AB", "ABC", "AB=C", "A===", "AB*=", "QQ==QQ==", "QR=="}) QVERIFY(!base64_decode(bad));
  }
};

QTEST_APPLESS_MAIN(TestMegaCacheCodec)
#include "test_mega_cache_codec.moc"
