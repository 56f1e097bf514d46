// SPDX-License-Identifier: Apache-2.0
#include "keyhole/ingest/torch_log.h"

#include <QTemporaryDir>
#include <QtTest>

#include <map>
#include <set>

#include "collecting_sink.h"
#include "keyhole/ingest/trace.h"
#include "lookup_index.h"
#include "recordings.h"

using namespace keyhole;

namespace {

const std::string kCodecache = "torch/_inductor/codecache.py";
const std::string kAutograd = "torch/_functorch/_aot_autograd/autograd_cache.py";
const std::string kFx = "f" + std::string(51, 'q');
const std::string kAot = "a" + std::string(51, 'b');
const std::string kDigest = std::string(50, 'c') + "q";

/// A message as TORCH_LOGS writes it: the prefix again on every line.
std::string message(const std::string& time, const std::string& path, const std::string& text, char level = 'I',
                    const std::string& before = "", const std::string& compile = "0/0", int pid = 77) {
  std::string out, line;
  const std::string prefix = before + level + "1121 " + time + " " + std::to_string(pid) + " " + path + ":1646] " +
                             (compile.empty() ? "" : "[" + compile + "] ");
  std::size_t at = 0;
  for (;;) {
    const auto end = text.find('\n', at);
    out += prefix + text.substr(at, end == std::string::npos ? end : end - at) + "\n";
    if (end == std::string::npos) return out;
    at = end + 1;
  }
}

const std::string kTraceback =
    "\nTraceback (most recent call last):\n  File \"codecache.py\", line 1714, in iterate\n    yield "
    "pickle.loads(content)\n"
    "          ^^^^^^^^\n";

}  // namespace

class TestTorchLog : public QObject {
  Q_OBJECT
  QTemporaryDir temp_;
  int files_ = 0;

  std::string file(const std::string& text) {
    const QString path = temp_.filePath(QString::number(files_++) + ".log");
    QFile f(path);
    if (f.open(QIODevice::WriteOnly)) f.write(text.data(), static_cast<qint64>(text.size()));
    return path.toStdString();
  }
  std::vector<LookupRecord> read(const std::string& text, CollectingSink& sink, ComponentPool& pool) {
    const auto summary = read_torch_log(file(text), {}, pool, sink);
    return summary && !sink.processes.empty() ? sink.processes[0].lookups : std::vector<LookupRecord>{};
  }

 private slots:
  void a_log_without_pytorchs_prefix_data() {
    QTest::addColumn<QString>("prefix");
    QTest::newRow("short") << "DEBUG:torch._inductor.codecache:";
    QTest::newRow("own") << "2026-11-21 10:43:44,487 torch._inductor.codecache DEBUG ";
    QTest::newRow("level") << "DEBUG: ";
  }
  /// TORCH_LOGS_FORMAT: "short", or what the user gave.
  void a_log_without_pytorchs_prefix() {
    QFETCH(QString, prefix);
    const std::string p = prefix.toStdString();
    const std::string details = "[" + kDigest +
                                "] gm: <lambda>()\n\n\ndef forward(self, arg0_1):\n    return (arg0_1,)\n[" + kDigest +
                                "] cache_key_tag: fx graph cache miss for key \n";
    const std::string text = "loading data\n" + p + "Autograd graph cache hash details for key " + kAot + ":\n" +
                             details + p + "AOTAutograd cache miss for key " + kAot + "\n" + p +
                             "FX graph cache hash details for key " + kFx + ":\n" + details + p +
                             "fx graph cache miss for key " + kFx + "\nstep 1 loss 0.5\n";
    CollectingSink sink;
    ComponentPool pool;
    const auto rows = read(text, sink, pool);
    QCOMPARE(rows.size(), std::size_t{2});
    QCOMPARE(rows[0].layer, Layer::aot_autograd);
    QCOMPARE(rows[0].key, kAot);
    QCOMPARE(rows[0].components.size(), std::size_t{2});
    QCOMPARE(rows[1].layer, Layer::fx_graph);
    QCOMPARE(rows[1].key, kFx);
    QCOMPARE(rows[1].outcome, Outcome::miss);
    QCOMPARE(rows[1].components.size(), std::size_t{2});
    QVERIFY(rows[1].components[0]->text.find("def forward") != std::string::npos);
    QVERIFY(looks_like_torch_log(text));
    QVERIFY(!looks_like_torch_log("DEBUG:root:Recording the losses\nBypassing the warm-up\n"));
  }
  void key_details_and_outcomes() {
    ComponentPool pool;
    CollectingSink sink;
    const auto lookups =
        read("compiling...\n" +
                 message("10:00:00.001000", kAutograd,
                         "Autograd graph cache hash details for key " + kAot + ":\n[" + kDigest +
                             "] autograd_config: a\x0b\rb\nc\n[" + kDigest + "] gm: x",
                         'V') +
                 "epoch 1\n" + message("10:00:00.002000", kAutograd, "AOTAutograd cache miss for key " + kAot) +
                 message("10:00:00.500000", kCodecache,
                         "FX graph cache hash details for key " + kFx + ":\n[" + kDigest + "] gm: y", 'V') +
                 message("10:00:00.501000", kCodecache, "fx graph cache miss for key " + kFx) +
                 message("10:00:09.000000", kCodecache, "fx graph cache hit for key " + kFx, 'I', "[rank3]:", "1/2_1"),
             sink, pool);
    QCOMPARE(lookups.size(), 3u);
    QCOMPARE(sink.processes[0].record.pid, 77);
    QVERIFY(QString::fromStdString(sink.processes[0].record.identity).startsWith("log:"));
    QCOMPARE(lookups[0].layer, Layer::aot_autograd);
    QCOMPARE(lookups[0].outcome, Outcome::miss);
    QCOMPARE(lookups[0].components.size(), 2u);
    QCOMPARE(lookups[0].components[0]->text, std::string("a\x0b\rb\nc"));
    QCOMPARE(lookups[1].layer, Layer::fx_graph);
    QCOMPARE(lookups[1].components.size(), 1u);
    QCOMPARE(lookups[1].ordinal, 0);
    QCOMPARE(lookups[2].ordinal, 1);
    QCOMPARE(lookups[2].outcome, Outcome::hit);
    QCOMPARE(lookups[2].compile.text(), std::string("1/2"));
    QCOMPARE(lookups[2].compile.attempt, 1);
    QVERIFY(sink.problems.empty());
  }

  /// The inner graph's entry cannot be read: AOTAutograd never says that it missed.
  void an_unreadable_graph_within_an_aot_hit() {
    ComponentPool pool;
    CollectingSink sink;
    const auto lookups = read(
        message("10:00:00.001000", kAutograd,
                "Autograd graph cache hash details for key " + kAot + ":\n[" + kDigest + "] gm: x", 'V') +
            message("10:00:00.002000", kCodecache,
                    "fx graph cache unable to load compiled graph" + kTraceback + "EOFError: Ran out of input", 'W') +
            message("10:00:00.002000", kCodecache, "fx graph cache miss for key " + kFx) +
            message("10:00:00.900000", kCodecache,
                    "FX graph cache hash details for key " + kFx + ":\n[" + kDigest + "] gm: y", 'V') +
            message("10:00:00.901000", kCodecache, "fx graph cache miss for key " + kFx) +
            message("10:00:01.000000", kCodecache,
                    "fx graph unable to write to cache" + kTraceback + "OSError: [Errno 28] No space left on device",
                    'W'),
        sink, pool);
    QCOMPARE(lookups.size(), 3u);
    QCOMPARE(lookups[0].key, kFx);
    QCOMPARE(lookups[0].load_error, std::string("EOFError: Ran out of input"));
    QCOMPARE(lookups[1].key, kAot);
    QCOMPARE(lookups[1].outcome, Outcome::miss);
    QCOMPARE(lookups[2].ordinal, 1);
    QCOMPARE(lookups[2].save_error, std::string("OSError: [Errno 28] No space left on device"));
    QVERIFY(lookups[2].load_error.empty());
  }

  /// The compile of a graph failed: its lookup never came into the trace, the log has it.
  void a_key_that_the_trace_does_not_know_is_added() {
    ComponentPool pool;
    CollectingSink sink;
    LookupIndex index(sink);
    ProcessRecord process;
    process.identity = "trace";
    process.pid = 77;
    const auto id = index.process(process);
    LookupRecord known;
    known.layer = Layer::aot_autograd;
    known.key = kAot;
    known.outcome = Outcome::miss;
    index.lookup(id, known);
    const std::string log = message("10:00:00.001000", kAutograd, "AOTAutograd cache miss for key " + kAot) +
                            message("10:00:00.002000", kCodecache,
                                    "FX graph cache hash details for key " + kFx + ":\n[" + kDigest + "] gm: y", 'V') +
                            message("10:00:00.003000", kCodecache, "fx graph cache miss for key " + kFx);
    QVERIFY(read_torch_log(file(log), {}, pool, index, &index));
    QCOMPARE(sink.processes.size(), 1u);
    const auto& lookups = sink.processes[0].lookups;
    QCOMPARE(lookups.size(), 2u);
    QCOMPARE(lookups[1].key, kFx);
    QCOMPARE(lookups[1].components.size(), 1u);
  }

  /// TORCH_LOGS=recompiles, which many have on.
  void recompiles() {
    ComponentPool pool;
    CollectingSink sink;
    const auto lookups =
        read(message("10:00:00.001000", "torch/_dynamo/guards.py",
                     "[__recompiles] Recompiling function forward in /app/model.py:9\n"
                     "[__recompiles]     triggered by the following guard failure(s):\n"
                     "[__recompiles]     - 0/1: k == 2  # return x * k  # model.py:11 in forward\n"
                     "[__recompiles]     - 0/0: tensor 'x' size mismatch at index 0. expected 4, actual 5",
                     'V', "", "0/2"),
             sink, pool);
    QCOMPARE(lookups.size(), std::size_t{1});
    QCOMPARE(lookups[0].layer, Layer::dynamo);
    QCOMPARE(lookups[0].outcome, Outcome::miss);
    QCOMPARE(lookups[0].compile.text(), std::string("0/2"));
    QCOMPARE(
        lookups[0].reason,
        std::string("0/1: k == 2  # return x * k  # model.py:11 in forward\n0/0: tensor 'x' size mismatch at index "
                    "0. expected 4, actual 5"));
    const auto& compiles = sink.processes.at(0).compiles;
    QCOMPARE(compiles.size(), std::size_t{1});
    QCOMPARE(compiles[0].function, std::string("forward"));
    QCOMPARE(compiles[0].filename, std::string("/app/model.py"));
    QCOMPARE(compiles[0].line, std::int64_t{9});
  }
  void a_warning_alone_has_the_key_of_its_path() {
    ComponentPool pool;
    CollectingSink sink;
    const auto lookups =
        read(message("10:00:00.002000", kCodecache,
                     "fx graph cache unable to load compiled graph" + kTraceback +
                         "IsADirectoryError: [Errno 21] Is a directory: '/c/aotautograd/" + kAot + "/x'",
                     'W'),
             sink, pool);
    QCOMPARE(lookups.size(), 1u);
    QCOMPARE(lookups[0].layer, Layer::aot_autograd);
    QCOMPARE(lookups[0].key, kAot);
    QVERIFY(QString::fromStdString(lookups[0].load_error).startsWith("IsADirectoryError"));
  }

  void bypasses_and_what_cannot_be_saved() {
    ComponentPool pool;
    CollectingSink sink;
    const auto lookups = read(
        message("10:00:00.001000", kAutograd,
                "Bypassing autograd cache due to: Unsupported call_function target cond. ") +
            message("10:00:00.002000", kCodecache,
                    "Bypassing FX Graph Cache because 'Can't cache HigherOrderOperator: cond'") +
            message("10:00:01.000000", kAutograd, "AOTAutograd cache miss for key " + kAot, 'I', "", "1/0") +
            message("10:00:02.000000", kAutograd, "Bypassing autograd cache due to: cannot pickle it", 'I', "", "1/0") +
            message("10:00:03.000000", "torch/_inductor/remote_cache.py",
                    "Unable to create cache" + kTraceback + "RuntimeError: redis not available", 'W'),
        sink, pool);
    QCOMPARE(lookups.size(), 4u);
    QCOMPARE(lookups[0].outcome, Outcome::bypass);
    QCOMPARE(lookups[0].reason, std::string("Unsupported call_function target cond. "));
    QCOMPARE(lookups[1].reason, std::string("Can't cache HigherOrderOperator: cond"));
    QCOMPARE(lookups[2].save_error, std::string("cannot pickle it"));
    QCOMPARE(lookups[3].layer, Layer::remote);
    QCOMPARE(lookups[3].outcome, Outcome::error);
    QCOMPARE(lookups[3].reason, std::string("Unable to create cache: RuntimeError: redis not available"));
  }

  void processes_mix_and_launchers_prefix() {
    ComponentPool pool;
    CollectingSink sink;
    const std::string a = message("10:00:00.001000", kCodecache,
                                  "FX graph cache hash details for key " + kFx + ":\n[" + kDigest + "] gm: a\nmore",
                                  'V', "[default0]:[rank0]:");
    const std::string b = message("10:00:00.001000", kCodecache, "fx graph cache miss for key " + kFx, 'I',
                                  "  3%|#  | 1/30\r", "0/0", 78);
    const auto half = a.find('\n') + 1;
    CollectingSink other;
    read(a.substr(0, half) + b + a.substr(half) +
             message("10:00:00.002000", kCodecache, "fx graph cache hit for key " + kFx),
         sink, pool);
    QCOMPARE(sink.processes.size(), 2u);
    QCOMPARE(sink.processes[0].record.rank, std::optional<int>(0));
    QCOMPARE(sink.processes[0].lookups.size(), 1u);
    QCOMPARE(sink.processes[0].lookups[0].components[0]->text, std::string("a\nmore"));
    QCOMPARE(sink.processes[1].record.pid, 78);
    QCOMPARE(sink.processes[1].lookups.size(), 1u);
  }

  void recognised_by_its_lines() {
    QVERIFY(
        looks_like_torch_log("hello\nW1121 10:43:44.487000 3049 torch/_inductor/codecache.py:1716] [0/0] fx graph"));
    QVERIFY(
        !looks_like_torch_log("V1121 09:59:15.043000 15419 torch/_dynamo/utils.py:2350] {\"chromium_event\": {}}\n"));
    QVERIFY(!looks_like_torch_log("epoch 1\nloss 3\n"));
    QVERIFY(!looks_like_torch_log("W1121 10:43:44.487000 3049 other/thing.py:3] hello\n"));
  }

  void lines_of_any_length_and_bytes() {
    ComponentPool pool;
    CollectingSink sink;
    LogOptions options;
    options.max_message = 1 << 16;
    std::string text(3 << 20, 'x');
    text +=
        "\n" + std::string(1000, '\0') + "\n" +
        message("10:00:00.002000", kCodecache, "fx graph cache hit for key " + kFx) +
        message("10:00:00.003000", kCodecache, "FX graph cache hash details for key " + std::string(1 << 20, 'k'), 'V');
    const auto summary = read_torch_log(file(text), options, pool, sink);
    QVERIFY(summary);
    QCOMPARE(summary->bytes, text.size());
    QCOMPARE(sink.processes[0].lookups.size(), 1u);
  }

  /// What the log tells of a lookup, its trace tells too: the same layer, key and ordinal, the same components.
  void recorded_logs_agree_with_their_traces() {
    if (recordings_folder().isEmpty()) QSKIP("the recordings are not here: no real log was read");
    int logs = 0, rows = 0, aot_components = 0, load_errors = 0, save_errors = 0, remote = 0;
    for (const QString& log : recording_files("stderr.log.xz")) {
      const QDir folder(QFileInfo(log).path());
      const QStringList traces = folder.entryList({"*torch_trace*.xz"}, QDir::Files);
      if (traces.isEmpty()) continue;
      ++logs;
      ComponentPool pool;
      CollectingSink told, alone;
      LookupIndex index(told);
      index.begin_source(folder.path().toStdString());
      for (const QString& trace : traces)
        QVERIFY2(read_trace(folder.filePath(trace).toStdString(), {}, pool, index), log.toUtf8());
      const auto before = told.processes;
      QVERIFY2(read_torch_log(log.toStdString(), {}, pool, alone), log.toUtf8());

      std::map<std::tuple<Layer, std::string, std::int64_t>, LookupRecord> of_trace;
      for (const auto& process : before) {
        for (const LookupRecord& l : process.lookups) of_trace[{l.layer, l.key, l.ordinal}] = l;
      }
      for (const auto& process : alone.processes) {
        for (const LookupRecord& l : process.lookups) {
          remote += l.layer == Layer::remote;
          if (l.layer == Layer::remote || (l.key.empty() && !l.save_error.empty())) continue;
          const auto at = of_trace.find({l.layer, l.key, l.ordinal});
          QVERIFY2(at != of_trace.end(),
                   (log + ": " + name_of(l.layer) + " " + l.key.c_str() + " " + QString::number(l.ordinal)).toUtf8());
          ++rows;
          const LookupRecord& t = at->second;
          QVERIFY2(l.outcome == t.outcome || t.outcome == Outcome::guard_miss, log.toUtf8());
          QVERIFY2(l.compile == t.compile, log.toUtf8());
          if (l.outcome == Outcome::bypass) QCOMPARE(l.reason, t.reason);
          if (l.time != kUnknownTime && t.time != kUnknownTime) QVERIFY(std::abs(l.time - t.time) < 120'000'000'000);
          if (l.components.empty() || t.components.empty()) continue;
          QVERIFY2(l.components.size() == t.components.size(), log.toUtf8());
          for (std::size_t i = 0; i < l.components.size(); ++i) {
            QCOMPARE(l.components[i]->name, t.components[i]->name);
            QCOMPARE(l.components[i]->digest.hex(), t.components[i]->digest.hex());
          }
          if (l.layer == Layer::aot_autograd) ++aot_components;
        }
      }

      // Together: no row more than before but the remote cache's errors.
      QVERIFY2(read_torch_log(log.toStdString(), {}, pool, index, &index), log.toUtf8());
      QCOMPARE(told.processes.size(), before.size());
      for (std::size_t i = 0; i < before.size(); ++i) {
        std::size_t more = 0;
        for (const LookupRecord& l : told.processes[i].lookups)
          more += l.layer == Layer::remote && l.outcome == Outcome::error;
        QVERIFY2(told.processes[i].lookups.size() == before[i].lookups.size() + more, log.toUtf8());
        for (std::size_t n = 0; n < before[i].lookups.size(); ++n) {
          QCOMPARE(told.processes[i].lookups[n].outcome, before[i].lookups[n].outcome);
          load_errors += !told.processes[i].lookups[n].load_error.empty();
          save_errors += !told.processes[i].lookups[n].save_error.empty();
        }
      }
    }
    qInfo(
        "%d logs: %d lookups, all in their traces; AOT components agree for %d; %d load errors, %d save errors, %d "
        "remote errors",
        logs, rows, aot_components, load_errors, save_errors, remote);
    QVERIFY(logs > 0);
    QVERIFY(load_errors >= 3);
    QVERIFY(save_errors >= 1);
  }
};

QTEST_APPLESS_MAIN(TestTorchLog)
#include "test_torch_log.moc"
