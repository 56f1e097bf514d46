// SPDX-License-Identifier: Apache-2.0
#include "keyhole/ingest/mega_cache.h"

#include <QTemporaryDir>
#include <QtTest>

#include "collecting_sink.h"
#include "keyhole/base/mega_cache_codec.h"
#include "keyhole/ingest/inductor_entry.h"
#include "keyhole/ingest/pickle.h"
#include "pickle_writer.h"
#include "recordings.h"

using namespace keyhole;

namespace {

std::string blob_of(const std::vector<MegaCacheRecord>& records) {
  MegaCacheWriter writer;
  for (const auto& r : records) writer.append(r);
  return writer.blob();
}

std::string graph() {
  namespace p = pickled;
  return p::file(p::object("torch._inductor.output_code", "CompiledFxGraph",
                           {{"guards_expr", p::text("L['t0'] <= 8")}, {"_fx_graph_cache_key", p::text("fkey")}}));
}

}  // namespace

class TestMegaCache : public QObject {
  Q_OBJECT
  QTemporaryDir temp_;

  std::string file(const std::string& bytes) {
    const QString path = temp_.filePath("mega.bin");
    QFile f(path);
    if (f.open(QIODevice::WriteOnly)) f.write(bytes.data(), static_cast<qint64>(bytes.size()));
    return path.toStdString();
  }

 private slots:
  void every_type_becomes_an_entry() {
    const std::string fx = graph();
    const std::string path = file(blob_of({{"inductor", {{"fkey", fx}}},
                                           {"autotune", {{"ab/0123.best_config", "{}"}}},
                                           {"pgo", {{"code_state", "x"}}},
                                           {"mine\"", {{"k", "v"}}},
                                           {"inductor", {{"fkey2", "no pickle"}}}}));
    ComponentPool pool;
    CollectingSink sink;
    const auto summary = read_mega_cache_file(path, {}, pool, sink);
    QVERIFY(summary);
    QCOMPARE(sink.snapshots.size(), 1u);
    QCOMPARE(sink.snapshots[0].first.location, path);
    const auto& entries = sink.snapshots[0].second;
    QCOMPARE(entries.size(), 5u);
    QCOMPARE(entries[0].layer, Layer::fx_graph);
    QCOMPARE(entries[0].guard, std::string("L['t0'] <= 8"));
    QCOMPARE(entries[0].state, EntryState::ok);
    QCOMPARE(entries[0].name.size(), 51u);
    QCOMPARE(entries[1].layer, Layer::autotune);
    QCOMPARE(entries[1].key, std::string("0123"));
    QCOMPARE(entries[2].layer, Layer::dynamo);
    QCOMPARE(entries[3].metadata_json, std::string(R"({"artifact_type":"mine"})"));
    QCOMPARE(entries[4].state, EntryState::damaged);  // a type may come again
    QCOMPARE(sink.problems.size(), 1u);
    QVERIFY(sink.problems[0].offset > 0);
  }

  void cut_at_every_byte_keeps_what_was_readable() {
    const std::string fx = graph();
    const std::string blob = blob_of({{"inductor", {{"fkey", fx}}}, {"pgo", {{"code_state", "x"}}}});
    for (std::size_t size = 0; size < blob.size(); ++size) {
      const MegaCacheScan scan = scan_mega_cache(std::string_view(blob).substr(0, size));
      QVERIFY2(scan.problem, std::to_string(size).c_str());
      QVERIFY(scan.problem_offset <= size);
    }
    const std::string path = file(blob.substr(0, blob.size() - 1));
    ComponentPool pool;
    CollectingSink sink;
    const auto summary = read_mega_cache_file(path, {}, pool, sink);
    QVERIFY(summary);
    QCOMPARE(summary->entries, 1);
    QCOMPARE(sink.problems.size(), 1u);
    QVERIFY(QString::fromStdString(sink.problems[0].what).contains("ends within"));
  }

  void absurd_counts_and_lengths() {
    const std::string head = std::string(4, '\0') + std::string(7, '\0') + "\x01";
    const std::string type = std::string(7, '\0') + "\x04" + "cGdv";
    for (const std::string& tail :
         {type + std::string(8, '\xff'), type + std::string(7, '\0') + "\x02" + "\x80" + std::string(7, '\0'),
          std::string("\x80") + std::string(7, '\0')}) {
      const std::string blob = head + tail;  // lives as long as the views of the scan
      QVERIFY(scan_mega_cache(blob).problem);
    }
    QVERIFY(!looks_like_mega_cache("hello, this is some text that is long enough"));
    QVERIFY(looks_like_mega_cache(blob_of({{"inductor", {{"k", "v"}}}})));
  }

  void no_mega_cache_is_an_error() {
    ComponentPool pool;
    CollectingSink sink;
    QVERIFY(!read_mega_cache_file(file("short"), {}, pool, sink));
    QVERIFY(!read_mega_cache_file("/no/such/file", {}, pool, sink));
    QVERIFY(sink.snapshots.empty());
  }

  void recorded_blobs_are_read_to_the_last_byte_and_written_back() {
    if (recordings_folder().isEmpty()) QSKIP("the recordings are not here: no real mega-cache was read");
    int blobs = 0, entries = 0;
    std::int64_t bytes = 0;
    std::string smallest;
    for (const QString& name : recording_files("mega.bin*")) {
      std::string blob;
      if (name.endsWith(".xz")) {
        blob = unxz(name).toStdString();
      } else {
        QFile f(name);
        QVERIFY(f.open(QIODevice::ReadOnly));
        blob = f.readAll().toStdString();
      }
      QVERIFY2(looks_like_mega_cache(blob), name.toUtf8());
      const auto records = read_mega_cache(blob);
      QVERIFY2(records, name.toUtf8());
      QVERIFY2(blob_of(*records) == blob, name.toUtf8());
      ComponentPool pool;
      CollectingSink sink;
      const auto summary = read_mega_cache_file(name.toStdString(), {}, pool, sink);
      QVERIFY2(summary, name.toUtf8());
      QVERIFY2(sink.problems.empty(), name.toUtf8());
      ++blobs;
      bytes += static_cast<std::int64_t>(blob.size());
      for (const EntryRecord& e : sink.snapshots[0].second) {
        ++entries;
        QCOMPARE(e.state, EntryState::ok);
        if (e.layer == Layer::fx_graph) QVERIFY(e.components.size() > 500);
      }
      for (const auto& record : *records) {
        for (const auto& item : record.items) {
          if (smallest.empty() || item.content.size() < smallest.size()) smallest = item.content;
        }
      }
    }
    qInfo("%d mega-cache files, %d entries, %lld bytes, all written back the same", blobs, entries,
          static_cast<long long>(bytes));
    QVERIFY(blobs > 0);

    // A real entry cut anywhere: at every byte near both ends, at every 61st between.
    for (std::size_t size = 0; size < smallest.size();
         size += (size < 1500 || size + 1500 > smallest.size()) ? 1 : 61) {
      const auto document = pickle::Document::parse(std::string_view(smallest).substr(0, size));
      QVERIFY(document.problem());
      QVERIFY(document.problem()->offset <= size);
      QVERIFY(document.consumed() <= size);
    }
  }
};

QTEST_APPLESS_MAIN(TestMegaCache)
#include "test_mega_cache.moc"
