// SPDX-License-Identifier: Apache-2.0
// Recordings with known causes, where they are at hand: nothing may fall behind the level that has been reached.
#include <QFileInfo>
#include <QRegularExpression>
#include <QtTest>

#include "command.h"

using keyhole::test::Keyhole;
using keyhole::test::Ran;

class TestScore : public QObject {
  Q_OBJECT
 private slots:
  void every_lookup_of_the_recordings_is_explained() {
    QString fixtures = qEnvironmentVariable("KEYHOLE_FIXTURES");
    if (fixtures.isEmpty()) fixtures = QStringLiteral(KEYHOLE_SOURCE_DIR "/../shared/fixtures");
    if (!QFileInfo::exists(fixtures + "/score.py"))
      QSKIP("no recordings with known causes: set KEYHOLE_FIXTURES to the folder that holds score.py");
    const Ran ran = keyhole::test::run("python3", {fixtures + "/score.py", Keyhole::program(), fixtures},
                                       Keyhole().environment, 590'000);
    const auto total = QRegularExpression(R"(misses (\d+)/(\d+) right, lookups (\d+)/(\d+) right)").match(ran.out);
    QVERIFY2(total.hasMatch(), ran.told());
    const int wrong = total.captured(4).toInt() - total.captured(3).toInt();
    QVERIFY2(wrong <= kKnownToFallShort, ran.told());
  }

 private:
  static constexpr int kKnownToFallShort = 0;
};

QTEST_GUILESS_MAIN(TestScore)
#include "test_score.moc"
