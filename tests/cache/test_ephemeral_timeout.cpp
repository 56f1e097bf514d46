// SPDX-License-Identifier: Apache-2.0
#include "keyhole/cache/ephemeral_timeout.h"

#include <QtTest>

using namespace keyhole;

class TestEphemeralTimeout : public QObject {
  Q_OBJECT
 private slots:
  void whole_seconds_rounded_down() {
    QCOMPARE(add_ephemeral_timeout(5'500'000'000), std::int64_t{0});  // not distributed
    std::int64_t added = 0;
    set_ephemeral_timeout([&](std::int64_t seconds) { added += seconds; });
    QCOMPARE(add_ephemeral_timeout(999'999'999), std::int64_t{0});
    QCOMPARE(add_ephemeral_timeout(1'999'999'999), std::int64_t{1});
    QCOMPARE(add_ephemeral_timeout(5'500'000'000), std::int64_t{5});
    QCOMPARE(add_ephemeral_timeout(-1), std::int64_t{-1});
    QCOMPARE(added, std::int64_t{5});
    set_ephemeral_timeout(nullptr);
  }
};

QTEST_APPLESS_MAIN(TestEphemeralTimeout)
#include "test_ephemeral_timeout.moc"
