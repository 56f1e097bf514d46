// SPDX-License-Identifier: Apache-2.0
// What `keyhole record` holds open and leaves behind, for the program and for itself.
#include <QtTest>

#include "child_process.h"

using keyhole::test::Keyhole;
using keyhole::test::Ran;
using keyhole::test::sample;

class TestLeaks : public QObject {
  Q_OBJECT

  static Ran record(const Keyhole& keyhole, const QString& script) {
    return keyhole({"record", "--", "bash", "-c", script, "bash", sample("warm-up")});
  }

 private slots:
  void the_program_inherits_no_file() {
    const Keyhole keyhole;
    const QByteArray ours = keyhole::test::run("ls", {"/proc/self/fd"}, keyhole.environment).out;
    const Ran ran = keyhole({"record", "--", "ls", "/proc/self/fd"});
    QVERIFY2(ran.status == 0 && ran.out == ours, ran.told() + "\nwithout keyhole: " + ours);
  }
  void a_program_that_forks_leaves_no_zombie_and_no_open_file() {
    if (QStandardPaths::findExecutable("xz").isEmpty()) QSKIP("no xz: a program that forks was not tried");
    const Keyhole keyhole;
    // The recorder is the parent of the shell: its open files after two rounds of polling, and again 40 traces later.
    const Ran ran = record(keyhole, R"(files() { ls /proc/$PPID/fd | wc -l; }
for i in $(seq 20); do (exit 0) & done; wait; sleep 1.2; files
for i in $(seq 40); do (xz -dc $1/*.xz | sed "s@ [0-9]* torch/@ $((7000 + i)) torch/@" > $TORCH_TRACE/dedicated_log_torch_trace_$i.log) & done
wait; sleep 1.2; files
for s in /proc/[0-9]*/stat; do read -r line < $s || continue; set -- ${line##*) }; [[ $1$2 == Z$PPID ]] && echo zombie; done
exit 0)");
    QVERIFY2(ran.status == 0, ran.told());
    const QList<QByteArray> lines = ran.out.trimmed().split('\n');
    QVERIFY2(lines.size() == 2, ran.told());
    QVERIFY2(lines[1].toInt() <= lines[0].toInt() + 41, ran.told());  // each trace once while it may still grow
  }
  /// Of more processes than a recorder may hold files open every one is in the store.
  void more_traces_than_open_files() {
    if (QStandardPaths::findExecutable("xz").isEmpty()) QSKIP("no xz: more traces than open files were not tried");
    const Keyhole keyhole;
    const QString store = keyhole.store();
    const QString script = R"(for i in $(seq 80); do
  xz -dc $1/*.xz | sed "s@ [0-9]* torch/@ $((7000 + i)) torch/@" > $TORCH_TRACE/dedicated_log_torch_trace_$i.log
done; sleep 0.7)";
    const Ran ran = keyhole::test::run(
        "bash",
        {"-c", "ulimit -n 48; exec \"$@\"", "bash", Keyhole::program(), "--store", keyhole.store(), "--json", "record",
         "--run", "many", "--no-snapshot", "--", "bash", "-c", script, "bash", sample("warm-up")},
        keyhole.environment);
    QVERIFY2(ran.status == 0, ran.told());
    QCOMPARE(ran.json()["processes"].toInt(), 80);
    QVERIFY2(ran.json()["problems"].toInt() == 0, ran.told());
  }
};

QTEST_GUILESS_MAIN(TestLeaks)
#include "test_leaks.moc"
