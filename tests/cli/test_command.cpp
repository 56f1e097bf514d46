// SPDX-License-Identifier: Apache-2.0
// The built `keyhole` as a user meets it: help, errors, exit statuses, and what it says of the sample recording.
#include <QJsonArray>
#include <QJsonObject>
#include <QtTest>

#include "command.h"
#include "recordings.h"

using keyhole::test::Keyhole;
using keyhole::test::Ran;
using keyhole::test::sample;

class TestCommand : public QObject {
  Q_OBJECT

  /// A store that holds the two runs of the sample.
  static void import_sample(const Keyhole& keyhole) {
    for (const char* run : {"warm-up", "after-change"}) {
      const Ran ran = keyhole({"import", "--run", run, sample(run)});
      QVERIFY2(ran.status == 0 && ran.err.isEmpty(), ran.told());
    }
  }

 private slots:
  void every_command_has_help_with_an_example_data() {
    QTest::addColumn<QString>("name");
    for (const char* name : {"record", "import", "why", "diff", "log", "show", "env"}) QTest::newRow(name) << name;
  }
  void every_command_has_help_with_an_example() {
    QFETCH(QString, name);
    const Keyhole keyhole;
    const Ran ran = keyhole({name, "--help"});
    QVERIFY2(ran.status == 0 && ran.err.isEmpty(), ran.told());
    QVERIFY2(ran.out.contains("Example:\n  keyhole " + name.toUtf8()), ran.told());
    QVERIFY2(ran.out.contains("--json"), ran.told());
    QVERIFY2(keyhole({"--help"}).out.contains("\n  " + name.toUtf8() + " "), "not in the list of commands");
  }
  void wrong_usage_is_one_line_and_status_2_data() {
    QTest::addColumn<QStringList>("arguments");
    QTest::newRow("no such command") << QStringList{"frobnicate"};
    QTest::newRow("no such option") << QStringList{"why", "--frobnicate"};
    QTest::newRow("import of nothing") << QStringList{"import"};
    QTest::newRow("record of nothing") << QStringList{"record"};
    QTest::newRow("record of nothing behind --") << QStringList{"record", "--"};
    QTest::newRow("diff of one") << QStringList{"diff", "a"};
    QTest::newRow("against without target") << QStringList{"why", "--against", "a"};
    QTest::newRow("not a number") << QStringList{"log", "-n", "many"};
  }
  void wrong_usage_is_one_line_and_status_2() {
    QFETCH(QStringList, arguments);
    const Keyhole keyhole;
    if (arguments.contains("--against")) import_sample(keyhole);
    const Ran ran = keyhole(arguments);
    QVERIFY2(ran.status == 2 && ran.out.isEmpty(), ran.told());
    QVERIFY2(ran.err.startsWith("keyhole: ") && ran.err.count('\n') == 1, ran.told());
  }
  void without_a_store_every_reader_says_what_to_do_data() {
    QTest::addColumn<QStringList>("arguments");
    for (const char* line : {"why", "why last", "why --all", "log", "show", "diff a b"})
      QTest::newRow(line) << QString(line).split(' ');
  }
  void without_a_store_every_reader_says_what_to_do() {
    QFETCH(QStringList, arguments);
    const Keyhole keyhole;
    const Ran ran = keyhole(arguments);
    QVERIFY2(ran.status == 1 && ran.err.count('\n') == 1 && ran.err.contains("keyhole record -- "), ran.told());
    QVERIFY2(!QDir(keyhole.store()).exists(), "looking made a store");
  }
  void what_is_not_there_is_named() {
    const Keyhole keyhole;
    import_sample(keyhole);
    Ran ran = keyhole({"why", "--run", "nightly"});
    QVERIFY2(ran.status == 1 && ran.err.contains("nightly") && ran.err.contains("warm-up"), ran.told());
    ran = keyhole({"why", "7/7"});
    QVERIFY2(ran.status == 1 && ran.err.contains("7/7"), ran.told());
    ran = keyhole({"why", "99999"});
    QVERIFY2(ran.status == 1 && ran.err.contains("99999"), ran.told());
    ran = keyhole({"import", "no-such-file"});
    QVERIFY2(ran.status == 1 && ran.err.contains("no-such-file"), ran.told());
    ran = keyhole({"why", "f"});  // too little of a key
    QVERIFY2(ran.status == 2 && ran.err.count('\n') == 1, ran.told());
  }

  void the_sample_is_explained_in_two_lines() {
    const Keyhole keyhole;
    import_sample(keyhole);
    const Ran ran = keyhole({"why"});
    QVERIFY2(ran.status == 0 && ran.err.isEmpty(), ran.told());
    const QList<QByteArray> lines = ran.out.split('\n');
    QVERIFY2(lines[0].startsWith("after-change") && lines[0].contains("3 lookups, 0 hits, 3 misses") &&
                 lines[0].contains(" s lost"),
             ran.told());
    QVERIFY2(lines[1].contains("inductor_config[epilogue_fusion]  True → False") &&
                 lines[1].contains("3 misses: aot_autograd 0/0, fx_graph 0/0, fx_graph 0/0 backward"),
             ran.told());
    QVERIFY2(lines[2].contains("against run warm-up"), ran.told());
    QVERIFY2(!ran.out.contains('\033'), "colour on a pipe");
  }
  void what_was_bypassed_is_not_called_a_miss() {
    const QString folder = keyhole::recordings_folder();
    if (folder.isEmpty()) QSKIP("the recordings are not here: $KEYHOLE_FIXTURES or ../shared/fixtures");
    const Keyhole keyhole;
    const Ran ran = keyhole({"why", folder + "/p29_hop_bypass/A", folder + "/p29_hop_bypass/B"});
    QVERIFY2(ran.status == 0 && ran.out.contains("2 bypasses: aot_autograd 0/0, fx_graph 0/0"), ran.told());
    QVERIFY2(!ran.out.contains("2 misses"), ran.told());
  }
  void global_options_stand_before_or_behind() {
    const Keyhole keyhole;
    import_sample(keyhole);
    const Ran before = keyhole({"--json", "log"});
    const Ran behind = keyhole({"log", "--json"});
    QVERIFY2(before.status == 0 && before.json().isArray(), before.told());
    QCOMPARE(behind.out, before.out);
  }
  void json_of_every_lookup() {
    const Keyhole keyhole;
    import_sample(keyhole);
    const Ran ran = keyhole({"--json", "why", "--all", "--run", "after-change"});
    QVERIFY2(ran.status == 0, ran.told());
    const QJsonArray lookups = ran.json().array();
    QCOMPARE(lookups.size(), 3);
    for (const QJsonValue& value : lookups) {
      const QJsonObject lookup = value.toObject();
      for (const char* field : {"lookup", "run", "layer", "compile_id", "key", "outcome", "verdict", "summary", "fix",
                                "cost_seconds", "baseline", "candidates", "causes", "guards", "chain"})
        QVERIFY2(lookup.contains(field), field);
      QCOMPARE(lookup["run"].toString(), QString("after-change"));
      QCOMPARE(lookup["outcome"].toString(), QString("miss"));
      QVERIFY(lookup["summary"].toString().size() <= 240);
      if (lookup["layer"].toString() != "fx_graph") continue;
      QCOMPARE(lookup["verdict"].toString(), QString("key_differs"));
      const QJsonObject cause = lookup["causes"].toArray().at(0).toObject();
      QCOMPARE(cause["component"].toString(), QString("inductor_config[epilogue_fusion]"));
      QCOMPARE(cause["before"].toString(), QString("True"));
      QCOMPARE(cause["after"].toString(), QString("False"));
      QCOMPARE(cause["role"].toString(), QString("root"));
      QCOMPARE(lookup["baseline"].toObject()["run"].toString(), QString("warm-up"));
    }
  }
  void a_lookup_is_named_in_several_ways() {
    const Keyhole keyhole;
    import_sample(keyhole);
    const QJsonArray all = keyhole({"--json", "why", "--all"}).json().array();
    QCOMPARE(all.size(), 3);
    const QJsonObject last = all.last().toObject();
    QCOMPARE(keyhole({"--json", "why", "last"}).json().object(), last);
    QCOMPARE(keyhole({"--json", "why", QString::number(last["lookup"].toInt())}).json().object(), last);
    QCOMPARE(keyhole({"--json", "why", last["key"].toString()}).json().object(), last);
    QCOMPARE(keyhole({"--json", "why", last["key"].toString().left(8)}).json().object(), last);
    QCOMPARE(keyhole({"--json", "why", "0/0"}).json().object()["layer"].toString(), QString("aot_autograd"));
    const QJsonObject first = keyhole({"--json", "why", "0/0", "--run", "warm-up"}).json().object();
    QCOMPARE(first["run"].toString(), QString("warm-up"));
  }
  void a_baseline_can_be_chosen() {
    const Keyhole keyhole;
    import_sample(keyhole);
    const Ran ran = keyhole({"--json", "why", "last", "--against", "warm-up"});
    QVERIFY2(ran.status == 0, ran.told());
    QCOMPARE(ran.json().object()["baseline"].toObject()["run"].toString(), QString("warm-up"));
  }
  void files_alone_are_explained_without_a_store() {
    const Keyhole keyhole;
    const Ran ran = keyhole({"why", sample("warm-up"), sample("after-change")});
    QVERIFY2(ran.status == 0 && ran.err.isEmpty(), ran.told());
    QVERIFY2(ran.out.contains("inductor_config[epilogue_fusion]  True → False"), ran.told());
    QVERIFY2(!QDir(keyhole.store()).exists(), "a store was made");
  }
  void importing_again_adds_nothing() {
    const Keyhole keyhole;
    import_sample(keyhole);
    const Ran before = keyhole({"--json", "log", "--run", "after-change"});
    import_sample(keyhole);
    QCOMPARE(keyhole({"--json", "log", "--run", "after-change"}).out, before.out);
    QCOMPARE(keyhole({"--json", "log"}).json().array().size(), 2);
  }
  void runs_are_compared_as_a_whole() {
    const Keyhole keyhole;
    import_sample(keyhole);
    const Ran ran = keyhole({"diff", "warm-up", "after-change"});
    QVERIFY2(ran.status == 0, ran.told());
    QVERIFY2(ran.out.startsWith("warm-up → after-change: 3 lookups in both, 0 with equal keys, 3 differ, 1 cause\n"),
             ran.told());
    QVERIFY2(ran.out.contains("inductor_config[epilogue_fusion]  True → False"), ran.told());
    const Ran same = keyhole({"--json", "diff", "warm-up", "warm-up"});
    QCOMPARE(same.json().object()["equal_keys"].toInt(), 3);
    QVERIFY2(same.json().object()["causes"].toArray().isEmpty(), same.told());
  }
  void two_lookups_are_compared_by_component() {
    const Keyhole keyhole;
    import_sample(keyhole);
    const auto key = [&](const char* run) {
      for (const QJsonValue& l : keyhole({"--json", "log", "--run", run}).json().array())
        if (l["layer"].toString() == "fx_graph" && l["direction"].toString() != "backward") return l["key"].toString();
      return QString();
    };
    const Ran ran = keyhole({"--json", "diff", key("warm-up"), key("after-change")});
    QVERIFY2(ran.status == 0, ran.told());
    const QJsonArray components = ran.json().object()["components"].toArray();
    QVERIFY2(components.size() == 1, ran.told());
    QCOMPARE(components[0]["component"].toString(), QString("inductor_config[epilogue_fusion]"));
    QCOMPARE(components[0]["before"]["text"].toString(), QString("True"));
  }
  void stores_are_compared_by_their_last_runs() {
    const Keyhole a, b;
    QCOMPARE(a({"import", "--run", "warm-up", sample("warm-up")}).status, 0);
    QCOMPARE(b({"import", "--run", "after-change", sample("after-change")}).status, 0);
    const Ran ran = a({"diff", a.store(), b.store()});
    QVERIFY2(ran.status == 0 && ran.out.contains("inductor_config[epilogue_fusion]  True → False"), ran.told());
  }
  void show_tells_a_run_a_lookup_and_its_texts() {
    const Keyhole keyhole;
    import_sample(keyhole);
    QVERIFY(keyhole({"show", "warm-up"}).out.startsWith("run warm-up\n"));
    const Ran lookup = keyhole({"--json", "show", "last"});
    QVERIFY2(lookup.json().object()["components"].toArray().size() > 500, lookup.told());
    const Ran code = keyhole({"show", "last", "--text", "output_code"});
    QVERIFY2(code.status == 0 && code.out.contains("def call("), code.told());
    QCOMPARE(keyhole({"show", "last", "--text", "frobnicate"}).status, 2);
  }
  void env_tells_the_machine() {
    const Keyhole keyhole;
    const QJsonObject env = keyhole({"env", "--json"}).json().object();
    for (const char* field :
         {"keyhole", "store", "cache_folder", "system", "cpu", "gpus", "git", "variables", "in_the_way"})
      QVERIFY2(env.contains(field), field);
    QVERIFY(env["cpu"]["threads"].toInt() > 0);
    QVERIFY2(keyhole({"env"}).out.startsWith("keyhole "), "no text");
  }
  void what_cannot_be_read_is_listed_and_the_rest_is_kept() {
    Keyhole keyhole;
    QFile junk(keyhole.folder.filePath("junk.bin"));
    QVERIFY(junk.open(QIODevice::WriteOnly));
    junk.write(QByteArray(5000, '\x93'));
    junk.close();
    const Ran ran = keyhole({"import", "--run", "mixed", junk.fileName(), sample("warm-up")});
    QVERIFY2(ran.status == 1 && ran.err.contains("junk.bin"), ran.told());
    QCOMPARE(keyhole({"--json", "log", "--run", "mixed"}).json().array().size(), 3);
  }
  void a_full_disk_at_the_output_is_an_error() {
    if (!QFile::exists("/dev/full")) QSKIP("there is no /dev/full here");
    const Keyhole keyhole;
    import_sample(keyhole);
    const Ran ran = keyhole::test::run(
        "sh", {"-c", "exec " + Keyhole::program() + " --store " + keyhole.store() + " why > /dev/full"},
        keyhole.environment);
    QVERIFY2(ran.status == 1 && ran.err.startsWith("keyhole: "), ran.told());
  }
};

QTEST_GUILESS_MAIN(TestCommand)
#include "test_command.moc"
