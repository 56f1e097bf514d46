// SPDX-License-Identifier: Apache-2.0
#include "keyhole.h"

#include <sys/wait.h>
#include <unistd.h>

#include <QFileInfo>
#include <QProcess>
#include <QStandardPaths>
#include <QTemporaryDir>
#include <QtTest>
#include <atomic>
#include <cstring>
#include <thread>

namespace {

kh_bytes text(const char* s) {
  return {s, std::strlen(s)};
}
std::string string(kh_bytes b) {
  return {static_cast<const char*>(b.data), b.size};
}

kh_entry entry(const char* key, const char* content) {
  kh_entry e{};
  e.size = sizeof e;
  e.layer = KH_LAYER_FX_GRAPH;
  e.key = key;
  e.content = text(content);
  return e;
}
kh_query query(const char* key) {
  kh_query q{};
  q.size = sizeof q;
  q.layer = KH_LAYER_FX_GRAPH;
  q.key = key;
  return q;
}

}  // namespace

class TestKeyhole : public QObject {
  Q_OBJECT
  std::unique_ptr<QTemporaryDir> folder_;
  kh_store* store_ = nullptr;

  kh_outcome get(const char* key, std::string* content = nullptr, const kh_hint* hints = nullptr, std::size_t n = 0) {
    auto q = query(key);
    q.hints = hints;
    q.hint_count = n;
    kh_lookup* found = nullptr;
    if (kh_get(store_, &q, &found) != KH_OK) return KH_ERROR;
    const auto outcome = kh_lookup_outcome(found);
    if (content != nullptr) *content = string(kh_lookup_content(found));
    kh_lookup_free(found);
    return outcome;
  }

 private slots:
  void init() {
    folder_ = std::make_unique<QTemporaryDir>();
    QCOMPARE(kh_store_open(folder_->filePath("store").toUtf8(), nullptr, &store_), KH_OK);
  }
  void cleanup() { kh_store_close(store_); }

  void versions() {
    QCOMPARE(kh_abi_version(), KH_ABI_VERSION);
    QVERIFY(std::strlen(kh_version()) > 0);
  }

  void put_and_get() {
    auto e = entry("k1", "content");
    e.metadata = text("{\"a\": 1}");
    const kh_file files[] = {{"a/b.txt", text("file")}, {"empty", {nullptr, 0}}};
    e.files = files;
    e.file_count = 2;
    QCOMPARE(kh_put(store_, &e), KH_OK);
    const auto q = query("k1");
    kh_lookup* found = nullptr;
    QCOMPARE(kh_get(store_, &q, &found), KH_OK);
    QCOMPARE(kh_lookup_outcome(found), KH_HIT);
    QCOMPARE(string(kh_lookup_content(found)), std::string("content"));
    QCOMPARE(string(kh_lookup_metadata(found)), std::string("{\"a\": 1}"));
    QCOMPARE(kh_lookup_file_count(found), std::size_t{2});
    kh_file file{};
    QCOMPARE(kh_lookup_file(found, 0, &file), KH_OK);
    QCOMPARE(file.name, "a/b.txt");
    QCOMPARE(string(file.content), std::string("file"));
    QCOMPARE(kh_lookup_file(found, 2, &file), KH_USAGE);
    kh_lookup_free(found);
    std::int64_t removed = 0;
    QCOMPARE(kh_remove(store_, KH_LAYER_FX_GRAPH, "k1", &removed), KH_OK);
    QCOMPARE(removed, std::int64_t{1});
    QCOMPARE(get("k1"), KH_MISS);
  }

  void guards_and_hints() {
    auto e = entry("k1", "small");
    const char* small[] = {"L['t0'] <= 8 or L['t0'] == 100", "s1 == 3"};
    e.guards = small;
    e.guard_count = 2;
    QCOMPARE(kh_put(store_, &e), KH_OK);
    const kh_hint fits[] = {{nullptr, 5}, {"s1", 3}}, fails[] = {{nullptr, 100}, {"s1", 4}};
    QCOMPARE(get("k1", nullptr, fits, 2), KH_HIT);
    QCOMPARE(get("k1", nullptr, fails, 2), KH_GUARD_MISS);  // clauses keep their meaning: no precedence trap
    const char* broken[] = {"L['t0'"};
    e.guards = broken;
    e.guard_count = 1;
    QCOMPARE(kh_put(store_, &e), KH_BAD_INPUT);
    QVERIFY(std::strlen(kh_last_error()) > 0);
  }

  void keys_are_stable_and_explain_their_difference() {
    const auto make = [&](std::int64_t level) {
      kh_key* key = kh_key_new("k", "compiler 1.0");
      kh_key_add_text(key, "source", text("a + b"));
      kh_key_add_integer(key, "options[level]", level);
      kh_key_add_boolean(key, "options[debug]", 0);
      kh_key_add_real(key, "options[ratio]", 0.5);
      kh_key_add_bytes(key, "blob", {"\0\1", 2});
      const std::uint8_t digest[32] = {1, 2, 3};
      kh_key_add_digest(key, "imported", digest, text("shown"));
      return key;
    };
    kh_key *one = make(1), *again = make(1), *two = make(2);
    const std::string first = kh_key_text(one), second = kh_key_text(two);
    QCOMPARE(first.size(), std::size_t{52});
    QCOMPARE(first[0], 'k');
    QCOMPARE(std::string(kh_key_text(again)), first);
    QVERIFY(first != second);
    std::size_t count = 0;
    for (kh_key* key : {one, two}) {
      const std::string name = kh_key_text(key);
      auto e = entry(name.c_str(), "code");
      e.components = kh_key_components(key, &count);
      e.component_count = count;
      QCOMPARE(count, std::size_t{6});
      auto q = query(name.c_str());
      q.components = e.components;
      q.component_count = count;
      kh_lookup* found = nullptr;
      QCOMPARE(kh_get(store_, &q, &found), KH_OK);
      kh_lookup_free(found);
      QCOMPARE(kh_put(store_, &e), KH_OK);
    }
    char* json = nullptr;
    std::size_t size = 0;
    QCOMPARE(kh_explain(store_, KH_LAYER_FX_GRAPH, second.c_str(), &json, &size), KH_OK);
    QCOMPARE(std::strlen(json), size);
    QVERIFY2(std::strstr(json, "options[level]") != nullptr, json);
    QVERIFY2(std::strstr(json, "key_differs") != nullptr, json);
    kh_free(json);
    QCOMPARE(kh_explain(store_, KH_LAYER_FX_GRAPH, "never", &json, &size), KH_NOT_FOUND);
    for (kh_key* key : {one, again, two}) kh_key_free(key);
  }

  void misuse_is_an_error_not_a_crash() {
    auto e = entry("k", "x");
    auto q = query("k");
    kh_lookup* found = nullptr;
    QCOMPARE(kh_put(nullptr, &e), KH_USAGE);
    QCOMPARE(kh_put(store_, nullptr), KH_USAGE);
    e.size = 0;
    QCOMPARE(kh_put(store_, &e), KH_USAGE);
    e = entry(nullptr, "x");
    QCOMPARE(kh_put(store_, &e), KH_USAGE);
    e = entry("k", "x");
    e.layer = static_cast<kh_layer>(99);
    QCOMPARE(kh_put(store_, &e), KH_USAGE);
    QCOMPARE(kh_get(store_, &q, nullptr), KH_USAGE);
    QCOMPARE(kh_get(nullptr, &q, &found), KH_USAGE);
    kh_store* none = nullptr;
    QVERIFY(kh_store_open("/proc/nowhere", nullptr, &none) != KH_OK);
    QVERIFY(none == nullptr);
    QVERIFY(std::strlen(kh_last_error()) > 0);
    QCOMPARE(kh_key_text(nullptr), nullptr);
    QCOMPARE(kh_lookup_outcome(nullptr), KH_ERROR);
    kh_lookup_free(nullptr);
    kh_store_close(nullptr);
    kh_key_free(nullptr);
  }

  void an_older_header_is_understood() {
    auto e = entry("k1", "content");
    e.size = offsetof(kh_entry, files);  // a caller that knows no bundles
    e.file_count = 77;                   // is not looked at
    QCOMPARE(kh_put(store_, &e), KH_OK);
    std::string content;
    QCOMPARE(get("k1", &content), KH_HIT);
    QCOMPARE(content, std::string("content"));
  }

  void a_fork_goes_on_with_the_store() {
    auto e = entry("k1", "content");
    QCOMPARE(kh_put(store_, &e), KH_OK);
    QCOMPARE(get("k1"), KH_HIT);
    const pid_t child = fork();
    if (child == 0) {
      auto mine = entry("k2", "child");
      _exit(get("k1") == KH_HIT && kh_put(store_, &mine) == KH_OK ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    QCOMPARE(status, 0);
    QCOMPARE(get("k2"), KH_HIT);
  }

  void threads_share_a_store() {
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 30; ++i) {
          const std::string key = "k" + std::to_string((t * 7 + i) % 11), content = "of " + key;
          auto e = entry(key.c_str(), content.c_str());
          std::string served;
          if (get(key.c_str(), &served) == KH_HIT ? served != content : kh_put(store_, &e) != KH_OK) ++wrong;
          for (int again = 0; again < 2; ++again)
            if (get(key.c_str(), &served) != KH_HIT || served != content) ++wrong;
          // The error is this thread's own.
          kh_key* made = kh_key_new("k", "compiler 1.0");
          if (kh_key_add_integer(made, "level", i) != KH_OK || kh_key_text(made) == nullptr) ++wrong;
          kh_key_free(made);
          if (kh_put(store_, nullptr) != KH_USAGE || std::strlen(kh_last_error()) == 0) ++wrong;
        }
        if (kh_note_bypass(store_, KH_LAYER_FX_GRAPH, "none") != KH_OK || kh_flush(store_) != KH_OK) ++wrong;
        char* json = nullptr;
        std::size_t size = 0;
        // Another thread may be taking in the journal just now.
        const kh_status told = kh_explain(store_, KH_LAYER_FX_GRAPH, "k1", &json, &size);
        if (told != KH_OK && told != KH_NOT_FOUND) ++wrong;
        kh_free(json);
      });
    }
    for (auto& thread : threads) thread.join();
    QCOMPARE(wrong.load(), 0);
    char* json = nullptr;
    std::size_t size = 0;
    QCOMPARE(kh_explain(store_, KH_LAYER_FX_GRAPH, "k1", &json, &size), KH_OK);
    kh_free(json);
  }

  void what_is_not_there_is_refused() {
    auto e = entry("k1", "content");
    e.content = {nullptr, 5};
    QCOMPARE(kh_put(store_, &e), KH_USAGE);
    QVERIFY(std::strlen(kh_last_error()) > 0);
    e = entry("k1", "content");
    e.component_count = 1;
    QCOMPARE(kh_put(store_, &e), KH_USAGE);
    const kh_file file{"a", {nullptr, 3}};
    e = entry("k1", "content");
    e.files = &file;
    e.file_count = 1;
    QCOMPARE(kh_put(store_, &e), KH_USAGE);
    auto q = query("k1");
    q.hint_count = 1;
    kh_lookup* found = nullptr;
    QCOMPARE(kh_get(store_, &q, &found), KH_USAGE);
    QVERIFY(found == nullptr);
    q = query("k1");
    q.component_count = 2;
    QCOMPARE(kh_get(store_, &q, &found), KH_USAGE);
    QCOMPARE(get("k1"), KH_MISS);
  }

  void header_and_library_are_of_one_version() { QCOMPARE(kh_version(), KH_VERSION); }

  void a_put_keeps_to_the_largest_size() {
    kh_store* small = nullptr;
    kh_options options{};
    options.size = sizeof options;
    options.max_size = 3000;
    QCOMPARE(kh_store_open(folder_->filePath("small").toUtf8(), &options, &small), KH_OK);
    const auto put = [&](const char* key, char c) {
      const std::string content(1000, c);
      auto e = entry(key, "");
      e.content = {content.data(), content.size()};
      return kh_put(small, &e);
    };
    for (const char c : {'a', 'b', 'c', 'd'}) QCOMPARE(put((std::string("k") + c).c_str(), c), KH_OK);
    std::swap(small, store_);
    QCOMPARE(get("ka"), KH_MISS);
    QCOMPARE(get("kd"), KH_HIT);
    std::swap(small, store_);
    kh_store_close(small);
  }

  /// Two machines, which share nothing but the server.
  void what_one_machine_puts_another_is_served() {
    const QString program = QStandardPaths::findExecutable("redis-server");
    if (program.isEmpty()) QSKIP("redis-server is not installed: the shared tier was not tried");
    const QString socket = folder_->filePath("redis.sock");
    QProcess server;
    server.start(program, {"--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder_->path()});
    QVERIFY(server.waitForStarted());
    QTRY_VERIFY_WITH_TIMEOUT(QFileInfo::exists(socket), 10000);
    const std::string url = "unix://" + socket.toStdString();
    const auto machine = [&](const char* name, const char* secret) {
      kh_options options{};
      options.size = sizeof options;
      options.remote = url.c_str();
      options.remote_secret = secret;
      kh_store* store = nullptr;
      if (kh_store_open(folder_->filePath(name).toUtf8(), &options, &store) != KH_OK) qFatal("%s", kh_last_error());
      return store;
    };
    const auto ask = [](kh_store* store, const char* key, std::int64_t size) {
      const kh_hint hint{nullptr, size};
      auto q = query(key);
      q.hints = &hint;
      q.hint_count = 1;
      kh_lookup* found = nullptr;
      if (kh_get(store, &q, &found) != KH_OK) qFatal("%s", kh_last_error());
      return found;
    };
    kh_store *first = machine("first", "secret"), *second = machine("second", "secret"),
             *stranger = machine("x", "other");
    const char* guard = "L['t0'] <= 8";
    const kh_file file{"kernel.bin", text("kernel")};
    auto e = entry("k1", "content");
    e.guards = &guard;
    e.guard_count = 1;
    e.files = &file;
    e.file_count = 1;
    QCOMPARE(kh_put(first, &e), KH_OK);
    for (const int remote : {1, 0}) {  // the second time it is here
      kh_lookup* found = ask(second, "k1", 4);
      QCOMPARE(kh_lookup_outcome(found), KH_HIT);
      QCOMPARE(kh_lookup_is_remote(found), remote);
      QCOMPARE(string(kh_lookup_content(found)), std::string("content"));
      QCOMPARE(kh_lookup_file_count(found), std::size_t{1});
      kh_file got{};
      QCOMPARE(kh_lookup_file(found, 0, &got), KH_OK);
      QCOMPARE(string(got.content), std::string("kernel"));
      kh_lookup_free(found);
    }
    for (const auto& [store, size] : {std::pair{second, 9}, std::pair{stranger, 4}}) {
      kh_lookup* found = ask(store, "k1", size);  // the guard does not hold; the signature is another's
      QVERIFY(kh_lookup_outcome(found) != KH_HIT);
      kh_lookup_free(found);
    }
    // Poisoned: any value that stands there is a miss.
    QProcess client;
    for (const char* value : {"x", "{}", "{\"data\": \"AAAA\", \"time_taken_ms\": 1}", ""}) {
      client.start("redis-cli", {"-s", socket, "SET", "pt2:keyhole-v1::3:k2:c1", value});
      if (!client.waitForFinished()) break;
      kh_lookup* found = ask(second, "k2", 4);
      QVERIFY(kh_lookup_outcome(found) != KH_HIT);
      kh_lookup_free(found);
    }
    server.kill();
    server.waitForFinished();
    QCOMPARE(kh_put(first, &e), KH_OK);  // a server that is gone fails nothing
    kh_lookup* found = ask(first, "k1", 4);
    QCOMPARE(kh_lookup_outcome(found), KH_HIT);
    kh_lookup_free(found);
    for (kh_store* store : {first, second, stranger}) kh_store_close(store);
  }

  void only_kh_symbols_leave_the_library() {
    QProcess nm;
    nm.start("nm", {"-D", "--defined-only", "--format=just-symbols",
                    QStringLiteral(KEYHOLE_BIN_DIR "/../lib/libkeyhole.so")});
    if (!nm.waitForStarted()) QSKIP("nm is not installed");
    nm.waitForFinished();
    const auto symbols = QString::fromUtf8(nm.readAllStandardOutput()).split('\n', Qt::SkipEmptyParts);
    QVERIFY(symbols.size() >= 30);
    for (const auto& symbol : symbols) QVERIFY2(symbol.startsWith("kh_"), qPrintable(symbol));
  }
};

QTEST_GUILESS_MAIN(TestKeyhole)
#include "test_keyhole.moc"
