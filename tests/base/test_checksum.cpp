// SPDX-License-Identifier: Apache-2.0
#include "keyhole/base/checksum.h"

#include <QtTest>
#include <string>

using keyhole::crc32c;

class TestChecksum : public QObject {
  Q_OBJECT
 private slots:
  void published_values() {
    QCOMPARE(crc32c(""), 0U);
    QCOMPARE(crc32c("123456789"), 0xe3069283U);            // the check value of CRC-32C
    QCOMPARE(crc32c(std::string(32, '\0')), 0x8a9136aaU);  // RFC 3720, B.4
    QCOMPARE(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  }
  void every_length_equals_the_bytes_one_by_one() {
    std::string data;
    for (int i = 0; i < 20000; ++i) data += static_cast<char>(i * 7919 >> 3);
    std::uint32_t running = 0;
    for (std::size_t n = 0; n <= data.size(); ++n) {
      if (n % 97 == 0 || n % 6144 < 2) QCOMPARE(crc32c(std::string_view(data).substr(0, n)), running);
      if (n < data.size()) running = crc32c(std::string_view(data).substr(n, 1), running);
    }
  }
};

QTEST_APPLESS_MAIN(TestChecksum)
#include "test_checksum.moc"
