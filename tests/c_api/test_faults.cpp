// SPDX-License-Identifier: Apache-2.0
// The C API where the world is bad: struck at the operations that change the disk, forked, beside a second copy of
// SQLite, with a clock that goes back. It is compiled into this test, so that the faults reach what it calls.
#include <dlfcn.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <QFile>
#include <QTemporaryDir>
#include <QtTest>
#include <cstring>

#include "keyhole.h"
#include "keyhole/base/os.h"
#include "struck.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KEYHOLE_SANITIZED 1
#endif

using keyhole::test::Fault;
using keyhole::test::kWrong;
using keyhole::test::Say;

namespace {

constexpr int kKeys = 3, kRemoved = 50;

std::string content(int key) {
  return std::string(static_cast<std::size_t>(key % 2 == 0 ? 400 : 30000), static_cast<char>('A' + key));
}
std::size_t files_of(int key) {
  return key % 2 == 0 ? 1 : 0;  // entries without are kept in memory once they were served
}
kh_bytes bytes(const std::string& s) {
  return {s.data(), s.size()};
}

kh_status put(kh_store* store, int key) {
  const std::string name = "k" + std::to_string(key), whole = content(key), side = content(key + 10);
  const char* guards[] = {"L['t0'] == 8"};
  const kh_file files[] = {{"a/kernel.bin", bytes(side)}};
  kh_component component{};
  component.name = "source";
  component.digest[0] = static_cast<std::uint8_t>(key);
  component.text = {"x + 1", 5};
  kh_entry e{};
  e.size = sizeof e;
  e.layer = KH_LAYER_FX_GRAPH;
  e.key = name.c_str();
  e.guards = guards;
  e.guard_count = 1;
  e.content = bytes(whole);
  e.files = files;
  e.file_count = files_of(key);
  e.components = &component;
  e.component_count = 1;
  return kh_put(store, &e);
}

enum class Got { hit, miss, wrong };
Got get(kh_store* store, int key, std::int64_t size = 8) {
  const std::string name = "k" + std::to_string(key);
  const kh_hint hint{nullptr, size};
  kh_query q{};
  q.size = sizeof q;
  q.layer = KH_LAYER_FX_GRAPH;
  q.key = name.c_str();
  q.hints = &hint;
  q.hint_count = 1;
  kh_lookup* found = nullptr;
  if (kh_get(store, &q, &found) != KH_OK) return Got::wrong;
  Got got = Got::miss;
  if (kh_lookup_outcome(found) == KH_HIT) {
    const kh_bytes whole = kh_lookup_content(found);
    kh_file file{};
    bool right = size == 8 && std::string(static_cast<const char*>(whole.data), whole.size) == content(key) &&
                 kh_lookup_file_count(found) == files_of(key);
    if (right && files_of(key) == 1)
      right = kh_lookup_file(found, 0, &file) == KH_OK &&
              std::string(static_cast<const char*>(file.content.data), file.content.size) == content(key + 10);
    got = right ? Got::hit : Got::wrong;
  }
  kh_lookup_free(found);
  return got;
}

kh_store* open(const std::string& folder, std::int64_t max_size = 0, bool durable = false) {
  kh_options options{};
  options.size = sizeof options;
  options.durable = durable ? 1 : 0;
  options.max_size = max_size;
  kh_store* store = nullptr;
  return kh_store_open((folder + "/store").c_str(), &options, &store) == KH_OK ? store : nullptr;
}

/// Every call that goes to the disk.
void everything(const std::string& root, const Say& say) {
  kh_store* store = open(root, 0, true);
  if (store == nullptr) {
    if (std::strlen(kh_last_error()) == 0) _exit(kWrong);
    return;
  }
  for (int key = 0; key < kKeys; ++key) {
    if (get(store, key) == Got::wrong) _exit(kWrong);
    const kh_status stored = put(store, key);
    if (stored == KH_OK) say(key);
    if (stored != KH_OK && std::strlen(kh_last_error()) == 0) _exit(kWrong);
    if (get(store, key) == Got::wrong || get(store, key, 9) != Got::miss) _exit(kWrong);
  }
  std::int64_t removed = 0;
  say(kRemoved);  // from here on it may be gone
  if (kh_remove(store, KH_LAYER_FX_GRAPH, "k0", &removed) == KH_OK) {
    if (get(store, 0) != Got::miss) _exit(kWrong);
    say(kRemoved + 1);
  }
  if (kh_note_bypass(store, KH_LAYER_FX_GRAPH, "an operator without a key") != KH_OK) _exit(kWrong);
  kh_flush(store);
  char* json = nullptr;
  std::size_t size = 0;
  const kh_status told = kh_explain(store, KH_LAYER_FX_GRAPH, "k1", &json, &size);
  if (told == KH_OK ? size == 0 || json[size] != '\0' : json != nullptr) _exit(kWrong);
  kh_free(json);
  kh_store_close(store);
}

std::string check(const std::string& root, const std::set<int>& acknowledged) {
  kh_store* store = open(root);
  if (store == nullptr) return kh_last_error();
  std::string wrong;
  for (int key = 0; key < kKeys; ++key) {
    const Got got = get(store, key);
    if (got == Got::wrong) wrong = "something else is served";
    if (got == Got::miss && acknowledged.contains(key) && (key != 0 || !acknowledged.contains(kRemoved)))
      wrong = std::to_string(key) + " was acknowledged and is gone";
    if (got == Got::hit && key == 0 && acknowledged.contains(kRemoved + 1)) wrong = "what was removed is served";
    if (put(store, key) != KH_OK || get(store, key) != Got::hit) wrong = "cannot be put again";
  }
  if (kh_flush(store) != KH_OK) wrong = kh_last_error();
  char* json = nullptr;
  std::size_t size = 0;
  if (kh_explain(store, KH_LAYER_FX_GRAPH, "k1", &json, &size) != KH_OK) wrong = kh_last_error();
  kh_free(json);
  kh_store_close(store);
  return wrong;
}

/// Another process with a store of its own: told a key, it puts it, or gets it where the number is negative. Made
/// before this one opens the store, so that it shares nothing of SQLite's memory.
class Neighbour {
 public:
  explicit Neighbour(const std::string& root) {
    int orders[2], answers[2];
    if (pipe(orders) != 0 || pipe(answers) != 0) qFatal("pipe");
    pid_ = fork();
    orders_ = orders[pid_ == 0 ? 0 : 1];
    answers_ = answers[pid_ == 0 ? 1 : 0];
    ::close(orders[pid_ == 0 ? 1 : 0]);
    ::close(answers[pid_ == 0 ? 0 : 1]);
    if (pid_ != 0) return;
    kh_store* store = nullptr;
    for (signed char key = 0; read(orders_, &key, 1) == 1;) {
      if (store == nullptr) store = open(root);
      const bool well = store != nullptr && (key > 0 ? put(store, key) == KH_OK : get(store, -key) == Got::hit);
      if (write(answers_, well ? "y" : "n", 1) != 1) break;
    }
    kh_store_close(store);
    _exit(0);
  }
  Neighbour(const Neighbour&) = delete;
  Neighbour& operator=(const Neighbour&) = delete;
  ~Neighbour() {
    ::close(orders_);
    ::close(answers_);
    waitpid(pid_, nullptr, 0);
  }
  bool puts(int key) { return does(key); }
  bool gets(int key) { return does(-key); }

 private:
  [[nodiscard]] bool does(int order) const {
    const auto key = static_cast<signed char>(order);
    char answer = 0;
    return write(orders_, &key, 1) == 1 && read(answers_, &answer, 1) == 1 && answer == 'y';
  }

  int orders_ = -1, answers_ = -1;
  pid_t pid_ = -1;
};

}  // namespace

class TestFaults : public QObject {
  Q_OBJECT

 private slots:
  void struck_at_every_step_data() { keyhole::test::add_fault_kinds(); }
  void struck_at_every_step() {
    QFETCH(int, kind);
    keyhole::test::strike({everything, check}, static_cast<Fault::Kind>(kind), 40);
  }

  /// The parent closes its store, as the last for all that SQLite knows; the child goes on beside another process.
  void a_fork_goes_on_after_the_parent_has_closed() {
    QTemporaryDir folder;
    const std::string root = folder.path().toStdString();
    Neighbour neighbour(root);
    kh_store* store = open(root);
    QVERIFY2(store != nullptr, kh_last_error());
    QCOMPARE(put(store, 1), KH_OK);
    QVERIFY(get(store, 1) == Got::hit);
    int closed[2], used[2];
    QCOMPARE(pipe(closed), 0);
    QCOMPARE(pipe(used), 0);
    const pid_t child = fork();
    if (child == 0) {
      char word = 0;
      bool well = get(store, 1) == Got::hit && put(store, 2) == KH_OK;
      well = well && write(used[1], "x", 1) == 1 && read(closed[0], &word, 1) == 1;
      for (int key = 3; key < 19 && well; key += 2) {
        well = get(store, 1) == Got::hit && put(store, key) == KH_OK && neighbour.gets(key) &&
               neighbour.puts(key + 1) && get(store, key + 1) == Got::hit;
      }
      kh_store_close(store);
      _exit(well ? 0 : 1);
    }
    char word = 0;
    QCOMPARE(read(used[0], &word, 1), ssize_t{1});
    kh_store_close(store);
    QCOMPARE(write(closed[1], "x", 1), ssize_t{1});
    int status = 0;
    waitpid(child, &status, 0);
    QCOMPARE(status, 0);
    store = open(root);
    QVERIFY2(store != nullptr, kh_last_error());
    for (int key = 1; key < 19; ++key) QVERIFY2(get(store, key) == Got::hit, qPrintable(QString::number(key)));
    kh_store_close(store);
    for (const int end : {closed[0], closed[1], used[0], used[1]}) ::close(end);
  }

  /// It opens the file and closes it: seeing no locks of its own process (fcntl(2)), it believes to be the last and
  /// removes the log.
  void a_second_copy_of_sqlite_loses_nothing() {
#ifdef KEYHOLE_SANITIZED
    QSKIP("RTLD_DEEPBIND does not go with a sanitizer: a second copy of SQLite was not tried");
#else
    Dl_info library{};
    if (dladdr(reinterpret_cast<void*>(&sqlite3_libversion_number), &library) == 0 ||
        std::strstr(library.dli_fname, "libsqlite3") == nullptr)
      QSKIP("SQLite is part of this program: a second copy was not tried");
    QTemporaryDir folder;
    const std::string root = folder.path().toStdString();
    Neighbour neighbour(root);
    kh_store* store = open(root);
    QVERIFY2(store != nullptr, kh_last_error());
    QCOMPARE(put(store, 1), KH_OK);
    for (int i = 0; i < 3; ++i) QVERIFY(get(store, 1) == Got::hit);

    const QString copy = folder.filePath("copy.so");
    QVERIFY(QFile::copy(library.dli_fname, copy));
    void* handle = dlopen(copy.toUtf8().constData(), RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    QVERIFY2(handle != nullptr, dlerror());
    const auto open_it = reinterpret_cast<decltype(&sqlite3_open)>(dlsym(handle, "sqlite3_open"));
    const auto run_it = reinterpret_cast<decltype(&sqlite3_exec)>(dlsym(handle, "sqlite3_exec"));
    const auto close_it = reinterpret_cast<decltype(&sqlite3_close)>(dlsym(handle, "sqlite3_close"));
    QVERIFY(open_it != &sqlite3_open);
    sqlite3* db = nullptr;
    QCOMPARE(open_it((root + "/store/cache.db").c_str(), &db), SQLITE_OK);
    QCOMPARE(run_it(db, "SELECT count(*) FROM entry", nullptr, nullptr, nullptr), SQLITE_OK);
    QCOMPARE(close_it(db), SQLITE_OK);

    QVERIFY(!QFile::exists(folder.filePath("store/cache.db-wal")));  // else nothing is tried here
    QVERIFY(get(store, 1) == Got::hit);
    QVERIFY(neighbour.puts(2));  // makes another log
    // Both go on, each seeing what the other puts.
    for (int key = 3; key < 19; key += 2) {
      QCOMPARE(put(store, key), KH_OK);
      QVERIFY2(neighbour.gets(key), qPrintable(QString::number(key)));
      QVERIFY2(neighbour.puts(key + 1), qPrintable(QString::number(key)));
      QVERIFY2(get(store, key + 1) == Got::hit, qPrintable(QString::number(key)));
    }
    for (int key = 1; key < 19; ++key) QVERIFY2(get(store, key) == Got::hit, qPrintable(QString::number(key)));
    QCOMPARE(kh_remove(store, KH_LAYER_FX_GRAPH, "k1", nullptr), KH_OK);
    QVERIFY(get(store, 1) == Got::miss);  // from memory neither
    kh_store_close(store);
    store = open(root);
    QVERIFY2(store != nullptr, kh_last_error());
    for (int key = 2; key < 19; ++key) QVERIFY2(get(store, key) == Got::hit, qPrintable(QString::number(key)));
    QVERIFY(get(store, 1) == Got::miss);
    kh_store_close(store);
#endif
  }

  void the_clock_may_go_back() {
    struct Yesterday : keyhole::Os {
      std::int64_t now() override { return Os::now() - 86'400'000'000'000; }
    } yesterday;
    QTemporaryDir folder;
    kh_store* store = open(folder.path().toStdString(), 100'000);
    QVERIFY2(store != nullptr, kh_last_error());
    QCOMPARE(put(store, 1), KH_OK);
    keyhole::replace_os(&yesterday);
    bool well = true;
    for (int key = 2; key < 8; ++key) well = well && put(store, key) == KH_OK && get(store, key) == Got::hit;
    const kh_status flushed = kh_flush(store);
    char* json = nullptr;
    std::size_t size = 0;
    const kh_status told = kh_explain(store, KH_LAYER_FX_GRAPH, "k7", &json, &size);
    kh_free(json);
    keyhole::replace_os(nullptr);
    QVERIFY(well);  // what was just put stays, whatever the clock says
    QCOMPARE(flushed, KH_OK);
    QCOMPARE(told, KH_OK);
    QVERIFY(get(store, 7) == Got::hit);
    kh_store_close(store);
  }
};

QTEST_GUILESS_MAIN(TestFaults)
#include "test_faults.moc"
