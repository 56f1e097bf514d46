// SPDX-License-Identifier: Apache-2.0
#include "keyhole/remote/remote_cache.h"

#include <QFile>
#include <QTemporaryDir>
#include <QtTest>
#include <nlohmann/json.hpp>

#include "keyhole/remote/python_json.h"

using namespace keyhole;

namespace {

nlohmann::ordered_json golden() {
  QFile file(QStringLiteral(KEYHOLE_SOURCE_DIR "/tests/data/golden/caches.json"));
  if (!file.open(QIODevice::ReadOnly)) qFatal("tests/data/golden/caches.json is missing");
  return nlohmann::ordered_json::parse(file.readAll().toStdString()).at("remote_cache_section");
}

class Broken : public RemoteBackend {
 public:
  Result<std::optional<std::string>> get(const std::string&) override { return fail(ErrorKind::io, "boom"); }
  Result<void> put(const std::string&, std::string_view) override { return fail(ErrorKind::io, "boom"); }
  [[nodiscard]] const char* name() const override { return "Boom"; }
};

}  // namespace

class TestRemoteCache : public QObject {
  Q_OBJECT
 private slots:
  void init() { remote_statistics().clear(); }

  void keys_and_bytes_are_those_of_pytorch() {
    const auto section = golden();
    for (const char* id : {"fx-graph-v1", "autograd-experimental", "bundled-autotune-v1", "dynamo-pgo"})
      QCOMPARE(remote_key(id, "KEY"), section.at("key:" + std::string(id)).get<std::string>());
    auto backend = std::make_shared<MemoryBackend>();
    RemoteCache cache("FxGraphCache", "fx-graph-v1", backend);
    const std::string key = "fkdmfryeyl3gh6ycbrkxqzrnllb7ufqsxbkeebfnj5dgkzuhwkro";
    QVERIFY(!cache.get(key));
    QVERIFY(cache.put(key, {"hello", 7}));
    QCOMPARE(cache.get(key)->data, std::string("hello"));
    QCOMPARE(cache.get(key)->time_taken_ms, std::int64_t{7});
    for (const auto& [stored_key, bytes] : section.at("stored_bytes").items())
      QCOMPARE(backend->all().at(stored_key), bytes.get<std::string>());
  }

  void the_json_serialiser_writes_as_python_does() {
    const auto vectors = golden();
    for (const auto& c : vectors.at("json_serde")) {
      const auto bytes = c.at("bytes").get<std::string>();
      QCOMPARE(python_json(nlohmann::ordered_json::parse(bytes)), bytes);
    }
  }

  void statistics() {
    QCOMPARE(remote_statistics().text(), std::string("Cache Metrics: None"));
    RemoteCache cache("A", "id", std::make_shared<MemoryBackend>());
    static_cast<void>(cache.get_text("k"));
    cache.put_text("k", "1");
    static_cast<void>(cache.get_text("k"));
    remote_statistics().exception("A");
    QCOMPARE(remote_statistics().of("A").text(), golden().at("cache_stats_strings").at("A").get<std::string>());
    QCOMPARE(remote_statistics().text(),
             std::string("Cache Metrics:\n  A: {hit: 1, miss: 1, put: 1, exception: 1}\n"
                         "  backend:MemoryBackend: {hit: 1, miss: 1, put: 1, exception: 0}"));
  }

  void a_failing_backend_is_a_miss() {
    RemoteCache cache("A", "id", std::make_shared<Broken>());
    QVERIFY(!cache.put_text("k", "1"));
    QCOMPARE(remote_statistics().of("backend:Boom").text(),
             golden().at("backend_stat_names").at("backend:Boom").get<std::string>());
    QVERIFY(!cache.get_text("k"));
    QCOMPARE(remote_statistics().of("A"), (RemoteCounts{0, 1, 1, 2}));
  }

  void what_is_no_record_is_a_miss() {
    auto backend = std::make_shared<MemoryBackend>();
    RemoteCache cache("A", "id", backend);
    for (const char* bad :
         {"", "{", "[]", "1", "{\"data\": 1}", "{\"data\": \"*\"}", "{\"time_taken_ms\": 1}", "\xff\xfe"}) {
      QVERIFY(backend->put(remote_key("id", "k"), bad));
      QVERIFY2(!cache.get("k"), bad);
    }
  }

  void the_file_backend() {
    QTemporaryDir folder;
    FileBackend backend;
    const std::string path = folder.filePath("a/b.best_config").toStdString();
    QCOMPARE(backend.get(path).value_or("?"), std::optional<std::string>());
    QVERIFY(backend.put(path, "{\"a\": 1}"));
    QCOMPARE(backend.get(path).value_or(std::nullopt), std::optional<std::string>("{\"a\": 1}"));
    QVERIFY(backend.put(path, ""));
    QCOMPARE(backend.get(path).value_or("?"), std::optional<std::string>());
  }

  void a_poisoned_value_is_not_served_to_who_has_the_secret() {
    auto backend = std::make_shared<MemoryBackend>();
    RemoteCache writer("A", "id", backend, "secret"), reader("A", "id", backend, "secret"),
        stranger("A", "id", backend, "another"), unsigned_reader("A", "id", backend);
    QVERIFY(writer.put("k", {"hello", 7}));
    QCOMPARE(reader.get("k")->data, std::string("hello"));
    QVERIFY(!stranger.get("k"));
    QCOMPARE(unsigned_reader.get("k")->data, std::string("hello"));
    // To PyTorch it is a record like any other.
    const std::string stored = backend->all().at(remote_key("id", "k"));
    QCOMPARE(nlohmann::json::parse(stored).at("data").get<std::string>(), std::string("aGVsbG8="));

    QVERIFY(backend->put(remote_key("id", "other"), stored));
    QVERIFY2(!reader.get("other"), "a value was moved to another key");
    for (std::size_t i = 0; i < stored.size(); ++i) {
      std::string changed = stored;
      changed[i] = static_cast<char>(changed[i] ^ 1);
      QVERIFY(backend->put(remote_key("id", "k"), changed));
      QVERIFY(!reader.get("k"));
    }
    QVERIFY(backend->put(remote_key("id", "k"), "{\"data\": \"aGVsbG8=\", \"time_taken_ms\": 7}"));
    QVERIFY2(!reader.get("k"), "an unsigned value was served");
  }
};

QTEST_APPLESS_MAIN(TestRemoteCache)
#include "test_remote_cache.moc"
