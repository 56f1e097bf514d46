// SPDX-License-Identifier: Apache-2.0
#include "keyhole/base/digest.h"

#include <QtTest>

using keyhole::Digest;

class TestDigest : public QObject {
  Q_OBJECT
 private slots:
  void base32_round_trip() {
    // sha256_hash(b"") of PyTorch 2.13.
    const std::string text = "4oymiquy7qobjgx36tejs35zeqt24qpemsnzgtfeswmrw6csxbk";
    Digest d;
    QVERIFY(Digest::parse_base32(text, d));
    QCOMPARE(d.base32(), text);
    QCOMPARE(d.hex().substr(0, 16), std::string("e3b0c44298fc1c14"));
  }
  void the_52nd_character_is_ignored() {
    Digest a, b;
    const std::string text = "4oymiquy7qobjgx36tejs35zeqt24qpemsnzgtfeswmrw6csxbk";
    QVERIFY(Digest::parse_base32(text + "a", a));
    QVERIFY(Digest::parse_base32(text + "q", b));
    QCOMPARE(a, b);
  }
  void refuses_what_is_not_base32() {
    Digest d;
    QVERIFY(!Digest::parse_base32("", d));
    QVERIFY(!Digest::parse_base32(std::string(51, '1'), d));
    QVERIFY(!Digest::parse_base32(std::string(50, 'a'), d));
    QVERIFY(!Digest::parse_base32(std::string(51, 'a') + "!", d));
    QVERIFY(d.is_zero());
  }
};

QTEST_APPLESS_MAIN(TestDigest)
#include "test_digest.moc"
