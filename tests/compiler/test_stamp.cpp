// SPDX-License-Identifier: Apache-2.0
#include "stamp.h"

#include <QTest>
#include <fstream>

#include "keyhole/base/os.h"
#include "temporary_folder.h"

using namespace keyhole;

namespace {

void write(const std::string& path, int content) {
  std::ofstream(path) << content;
}

}  // namespace

class TestStamp : public QObject {
  Q_OBJECT

 private slots:
  /// A header that is touched and then compiled at once was called changed during the compile, where its time was ahead
  /// of the tick.
  void whatWasWrittenBeforeIsSettled() {
    const test::TemporaryFolder home;
    const std::string path = home / "h.h";
    for (int i = 0; i < 100; ++i) {
      write(path, i);
      QVERIFY(stamp_of(path).exists());  // who asked gets an exact time for the next change
      write(path, -i);
      const auto start = wait_for_clock(os().now());
      QVERIFY(stamp_of(path).settled(start));
    }
  }

  void whatIsWrittenAfterIsNot() {
    const test::TemporaryFolder home;
    const std::string path = home / "h.h";
    for (int i = 0; i < 100; ++i) {
      const auto start = wait_for_clock(os().now());
      write(path, i);
      QVERIFY(!stamp_of(path).settled(start));
    }
  }

  void doesNotWaitForAClockFarAhead() {
    const auto ahead = os().now() + 3'600'000'000'000;
    QVERIFY(wait_for_clock(ahead) < ahead);
  }
};

QTEST_GUILESS_MAIN(TestStamp)
#include "test_stamp.moc"
