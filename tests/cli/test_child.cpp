// SPDX-License-Identifier: Apache-2.0
#include "child.h"

#include <signal.h>
#include <unistd.h>

#include <QFile>
#include <QTemporaryDir>
#include <QtTest>

using namespace keyhole::cli;
using namespace std::chrono_literals;

class TestChild : public QObject {
  Q_OBJECT
  static std::optional<Child::Ended> run(const std::vector<std::string>& argv,
                                         const std::vector<std::pair<std::string, std::string>>& extra = {}) {
    auto child = Child::start(argv, extra);
    return child ? child->wait(20s) : std::nullopt;
  }
 private slots:
  void initTestCase() { Child::hold_signals(); }

  void ends_with_the_status_of_the_program() {
    QCOMPARE(run({"true"})->exit_status, 0);
    QCOMPARE(run({"sh", "-c", "exit 7"})->exit_status, 7);
    const auto killed = run({"sh", "-c", "kill -9 $$"});
    QCOMPARE(killed->exit_status, 137);
    QCOMPARE(killed->signal, 9);
  }
  void says_what_cannot_be_started() {
    const auto child = Child::start({"/no/such/program"}, {});
    QVERIFY(!child);
    QCOMPARE(child.error().kind, keyhole::ErrorKind::not_found);
    QVERIFY(!Child::start({"/etc/passwd"}, {}));
  }
  void variables_replace_those_that_were_there() {
    qputenv("KEYHOLE_TEST_A", "old");
    qputenv("KEYHOLE_TEST_B", "kept");
    const auto ended = run({"sh", "-c",
                            "test \"$KEYHOLE_TEST_A$KEYHOLE_TEST_B\" = newkept && "
                            "test $(env | grep -c ^KEYHOLE_TEST_A=) = 1"},
                           {{"KEYHOLE_TEST_A", "new"}});
    QCOMPARE(ended->exit_status, 0);
  }
  void a_signal_sent_to_us_reaches_the_program_and_not_us() {
    const QTemporaryDir folder;
    const std::string ready = folder.filePath("ready").toStdString();
    auto child = Child::start({"sh", "-c", "trap 'exit 42' TERM; : > " + ready + "; while :; do sleep 0.05; done"}, {});
    QVERIFY(child.has_value());
    QTRY_VERIFY(QFile::exists(QString::fromStdString(ready)));
    QVERIFY(!child->wait(10ms));
    raise(SIGTERM);  // to this thread: Qt Test has others, which have not blocked it
    const auto ended = child->wait(20s);
    QVERIFY(ended.has_value());
    QCOMPARE(ended->exit_status, 42);
  }
  void the_program_does_not_inherit_our_blocked_signals() {
    auto child = Child::start({"sleep", "60"}, {});
    QVERIFY(child.has_value());
    QVERIFY(!child->wait(100ms));
    kill(child->pid(), SIGINT);
    QCOMPARE(child->wait(20s)->exit_status, 130);
  }
};

QTEST_GUILESS_MAIN(TestChild)
#include "test_child.moc"
