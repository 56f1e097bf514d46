// SPDX-License-Identifier: Apache-2.0
// `keyhole record` and the real PyTorch: default traces, no debug loggers, the program unchanged.
#include <signal.h>

#include <QElapsedTimer>
#include <QJsonArray>
#include <QJsonObject>
#include <QtTest>

#include "command.h"

using keyhole::test::Keyhole;
using keyhole::test::Ran;

namespace {

constexpr const char* kProgram = R"(
import os, signal, sys, time
import torch
import torch._inductor.config as config
if os.environ.get("TEST_EPILOGUE_FUSION") == "0":
    config.epilogue_fusion = False

@torch.compile
def f(x):
    return (x * 2).relu().sum() + 1

def compute():
    f(torch.ones(8))
    print("computed", flush=True)

what = sys.argv[1] if len(sys.argv) > 1 else ""
if what == "parent":  # compiles nothing itself
    import subprocess
    sys.exit(subprocess.run([sys.executable, __file__]).returncode)
if what == "nothing":
    print("nothing to compile")
    sys.exit(0)
compute()
if what == "wait":
    open(sys.argv[2], "w").close()
    time.sleep(120)
if what == "crash":
    os.kill(os.getpid(), signal.SIGSEGV)
if what == "fail":
    print("to stderr", file=sys.stderr)
    sys.exit(7)
)";

QString python() {
  for (const QString& candidate :
       {qEnvironmentVariable("KEYHOLE_PYTHON"), QStringLiteral(KEYHOLE_SOURCE_DIR "/build/venv/bin/python")})
    if (!candidate.isEmpty() && QFile::exists(candidate)) return candidate;
  return {};
}

/// A store, a cache folder and the program.
struct Workplace : Keyhole {
  Workplace() {
    QFile file(program_file());
    if (!file.open(QIODevice::WriteOnly)) qFatal("the program cannot be written");
    file.write(kProgram);
    environment.insert("TORCHINDUCTOR_CACHE_DIR", folder.filePath("cache"));
    environment.insert("TORCHINDUCTOR_COMPILE_THREADS", "1");
    environment.insert("PYTHONWARNINGS", "ignore");
  }
  [[nodiscard]] QString program_file() const { return folder.filePath("train.py"); }
  [[nodiscard]] Ran record(const QString& run, const QStringList& arguments = {}) const {
    return (*this)(QStringList{"record", "--run", run, "--", python(), program_file()} + arguments, 280'000);
  }
  [[nodiscard]] QJsonObject run_named(const QString& run) const {
    for (const QJsonValue& value : (*this)({"--json", "log"}).json().array())
      if (value["run"].toString() == run) return value.toObject();
    return {};
  }
  [[nodiscard]] bool spool_is_gone() const { return !QDir(folder.filePath("store/spool")).exists(); }
};

}  // namespace

class TestPytorch : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase() {
    if (python().isEmpty())
      QSKIP("no Python with PyTorch: set KEYHOLE_PYTHON, or run ./dev test, which makes build/venv");
    const Ran ran = keyhole::test::run(python(), {"-c", "import torch; print(torch.__version__)"},
                                       QProcessEnvironment::systemEnvironment());
    if (ran.status != 0) QSKIP("that Python cannot import torch");
    if (!ran.out.startsWith("2.13.")) QSKIP("the tests were written for PyTorch 2.13");
  }

  void record_again_hits_and_a_changed_flag_is_named() {
    Workplace place;
    Ran ran = place.record("first");
    QVERIFY2(ran.status == 0 && ran.out == "computed\n", ran.told());
    QVERIFY2(ran.err.contains("keyhole: recorded first: "), ran.told());
    QVERIFY(place.spool_is_gone());
    QVERIFY(place.run_named("first")["misses"].toInt() > 0);

    ran = place.record("again");
    QVERIFY2(ran.status == 0, ran.told());
    const QJsonObject again = place.run_named("again");
    QVERIFY2(again["hits"].toInt() > 0 && again["misses"].toInt() == 0, place({"log", "--run", "again"}).told());
    const Ran all_hits = place({"why"});
    QVERIFY2(all_hits.out.contains(" 0 misses"), all_hits.told());

    place.environment.insert("TEST_EPILOGUE_FUSION", "0");
    ran = place.record("changed");
    QVERIFY2(ran.status == 0, ran.told());
    const Ran why = place({"--json", "why", "--all"});
    bool seen = false;
    for (const QJsonValue& lookup : why.json().array()) {
      if (lookup["layer"].toString() != "fx_graph") continue;
      seen = true;
      QCOMPARE(lookup["verdict"].toString(), QString("key_differs"));
      QCOMPARE(lookup["causes"][0]["component"].toString(), QString("inductor_config[epilogue_fusion]"));
      QCOMPARE(lookup["causes"][0]["after"].toString(), QString("False"));
      QVERIFY2(lookup["cost_seconds"].toDouble() > 0, why.told());
      QVERIFY2(QStringList({"first", "again"}).contains(lookup["baseline"]["run"].toString()), why.told());
    }
    QVERIFY2(seen, why.told());
    const Ran text = place({"why"});
    const QList<QByteArray> lines = text.out.split('\n');
    QVERIFY2(lines[0].contains(" lost") && lines[1].contains("inductor_config[epilogue_fusion]  True → False"),
             text.told());

    // What the run was is there too.
    const QJsonObject run = place.run_named("changed");
    QCOMPARE(run["argv"].toArray().last().toString(), place.program_file());
    QCOMPARE(run["exit_status"].toInt(-1), 0);
    QCOMPARE(run["environment"]["TORCHINDUCTOR_CACHE_DIR"].toString(), place.folder.filePath("cache"));
  }

  void the_exit_status_and_stderr_are_the_programs() {
    const Workplace place;
    const Ran ran = place.record("failing", {"fail"});
    QVERIFY2(ran.status == 7 && ran.err.startsWith("to stderr\n"), ran.told());
    QCOMPARE(place.run_named("failing")["exit_status"].toInt(), 7);
    QVERIFY(place.run_named("failing")["lookups"].toInt() > 0);
  }

  void a_crash_of_the_program_leaves_a_complete_store() {
    const Workplace place;
    const Ran ran = place.record("crashing", {"crash"});
    QVERIFY2(ran.status == 128 + SIGSEGV, ran.told());
    QVERIFY2(place.run_named("crashing")["lookups"].toInt() > 0, ran.told());
    QVERIFY(place.spool_is_gone());
  }

  void child_processes_are_seen() {
    const Workplace place;
    const Ran ran = place.record("parent", {"parent"});
    QVERIFY2(ran.status == 0 && place.run_named("parent")["lookups"].toInt() > 0, ran.told());
  }

  void ctrl_c_reaches_the_program_and_all_is_kept() {
    const Workplace place;
    const QString ready = place.folder.filePath("ready");
    QProcess recorder;
    recorder.setProcessEnvironment(place.environment);
    recorder.start(Keyhole::program(), {"--store", place.store(), "record", "--run", "stopped", "--", python(),
                                        place.program_file(), "wait", ready});
    QTRY_VERIFY_WITH_TIMEOUT(QFile::exists(ready), 250'000);
    ::kill(static_cast<pid_t>(recorder.processId()), SIGINT);
    QVERIFY(recorder.waitForFinished(60'000));
    QCOMPARE(recorder.exitStatus(), QProcess::NormalExit);
    QCOMPARE(recorder.exitCode(), 128 + SIGINT);
    QVERIFY(place.run_named("stopped")["lookups"].toInt() > 0);
    QVERIFY(place.spool_is_gone());
  }

  void when_the_recorder_is_killed_the_next_command_takes_the_rest_in() {
    const Workplace place;
    const QString ready = place.folder.filePath("ready");
    QProcess recorder;
    recorder.setProcessEnvironment(place.environment);
    recorder.start(Keyhole::program(), {"--store", place.store(), "record", "--run", "killed", "--", python(),
                                        place.program_file(), "wait", ready});
    QTRY_VERIFY_WITH_TIMEOUT(QFile::exists(ready), 250'000);
    const QByteArray children =
        keyhole::test::run("pgrep", {"-P", QString::number(recorder.processId())}, place.environment).out.trimmed();
    recorder.kill();
    QVERIFY(recorder.waitForFinished(60'000));
    QVERIFY2(!children.isEmpty(), "pgrep found no child");
    ::kill(children.split('\n')[0].toInt(), SIGKILL);  // it would go on without its recorder
    const Ran log = place({"--json", "log"});
    QVERIFY2(log.err.contains("took in run killed"), log.told());
    QVERIFY2(log.json().array().size() == 1 && log.json()[0]["lookups"].toInt() > 0, log.told());
    QVERIFY(place.spool_is_gone());
    QVERIFY2(place({"log"}).err.isEmpty(), "it was taken in twice");
  }

  void what_could_not_be_seen_is_said() {
    Workplace place;
    Ran ran = place.record("nothing", {"nothing"});
    QVERIFY2(ran.status == 0 && ran.err.contains("not seen: PyTorch wrote no trace"), ran.told());
    place.environment.insert("TORCHINDUCTOR_FORCE_DISABLE_CACHES", "1");
    ran = place.record("off");
    QVERIFY2(ran.status == 0 && ran.err.contains("not seen: TORCHINDUCTOR_FORCE_DISABLE_CACHES=1"), ran.told());
    for (const QJsonValue& lookup : place({"--json", "why", "--all", "--run", "off"}).json().array())
      QCOMPARE(lookup["verdict"].toString(), QString("cache_off"));
  }

  void a_users_own_trace_folder_is_kept() {
    Workplace place;
    place.environment.insert("TORCH_TRACE", place.folder.filePath("mine"));
    const Ran ran = place.record("mine");
    QVERIFY2(ran.status == 0 && place.run_named("mine")["lookups"].toInt() > 0, ran.told());
    QCOMPARE(QDir(place.folder.filePath("mine")).entryList(QDir::Files).size(), 1);
  }
};

QTEST_GUILESS_MAIN(TestPytorch)
#include "test_pytorch.moc"
