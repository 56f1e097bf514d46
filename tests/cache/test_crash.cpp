// SPDX-License-Identifier: Apache-2.0
// Every call of the cache, struck at every operation that changes the disk: by a kill, a loss of power, a full disk, a
// failing disk. What was acknowledged is served afterwards, and nothing wrong ever is.
#include <sys/wait.h>
#include <unistd.h>

#include <QTemporaryDir>
#include <QtTest>
#include <set>

#include "fault_vfs.h"
#include "keyhole/base/os.h"
#include "keyhole/cache/artifact_cache.h"
#include "keyhole/cache/maintenance.h"
#include "keyhole/db/store.h"

using namespace keyhole;
using keyhole::test::Fault;

namespace {

std::string content(int key) {
  std::string bytes(static_cast<std::size_t>(key % 3 == 0 ? 30000 : 500), '\0');  // a file, or a row
  unsigned seed = static_cast<unsigned>(key);
  for (auto& b : bytes) b = static_cast<char>((seed = seed * 1664525U + 1013904223U) >> 24);
  return bytes;
}
std::vector<NamedFile> bundle(int key) {
  if (key % 2 == 0) return {};
  return {{"a.bin", content(key + 100)}, {"b.bin", content(key + 3 * 67)}};
}
std::string name(int key) {
  return "f" + std::to_string(key);
}

CacheOptions options() {
  return {.durable = true, .inline_limit = 20000};
}

/// Does everything once, and says over `report` what was acknowledged: '+' and key, '-' and key.
void everything(const std::string& store, int report) {
  const auto say = [&](char what, int key) {
    const char message[2] = {what, static_cast<char>(key)};
    if (write(report, message, 2) != 2) _exit(3);
  };
  for (int session = 0; session < 2; ++session) {
    auto cache = ArtifactCache::open(store, options());
    if (!cache) continue;
    for (int key = session * 4; key < session * 4 + 4; ++key) {
      const auto found = (*cache)->get({.key = name(key)});
      if (found.hit() && found.entry.bytes != content(key)) _exit(4);
      const auto files = bundle(key);
      if ((*cache)->put({.key = name(key), .bytes = content(key), .files = files})) say('+', key);
      const auto again = (*cache)->get({.key = name(key)});
      if (again.hit() && again.entry.bytes != content(key)) _exit(4);
    }
    say('-', session);
    static_cast<void>((*cache)->remove(Layer::fx_graph, name(session)));
    static_cast<void>(take_in_journals(**cache, std::chrono::seconds(10)));
    static_cast<void>(evict(**cache, {.max_size = 1 << 30}));
  }
  static_cast<void>(verify_cache(store, true));
}

}  // namespace

class TestCrash : public QObject {
  Q_OBJECT
 private slots:
  void struck_at_every_step_data() {
    QTest::addColumn<int>("kind");
    QTest::newRow("kill") << static_cast<int>(Fault::Kind::kill);
    QTest::newRow("power cut") << static_cast<int>(Fault::Kind::power_cut);
    QTest::newRow("full disk") << static_cast<int>(Fault::Kind::full);
    QTest::newRow("failing disk") << static_cast<int>(Fault::Kind::broken);
  }
  void struck_at_every_step() {
    QFETCH(int, kind);
    bool finished = false;
    int struck = 0;
    for (long at = 1; !finished; at += 1 + at / 60) {  // each of the first sixty, then ever fewer
      QTemporaryDir folder;
      const std::string store = folder.filePath("store").toStdString();
      int ends[2];
      QCOMPARE(pipe(ends), 0);
      const pid_t child = fork();
      if (child == 0) {
        close(ends[0]);
        Fault::install(static_cast<Fault::Kind>(kind), at);
        everything(store, ends[1]);
        _exit(Fault::instance().count < at ? 0 : 1);
      }
      close(ends[1]);
      std::set<int> stored;
      char message[2];
      while (read(ends[0], message, 2) == 2) {
        if (message[0] == '+')
          stored.insert(message[1]);
        else
          stored.erase(message[1]);
      }
      close(ends[0]);
      int status = 0;
      waitpid(child, &status, 0);
      QVERIFY(WIFEXITED(status));
      QVERIFY2(WEXITSTATUS(status) != 4, "wrong bytes were served");
      QVERIFY2(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 1 || WEXITSTATUS(status) == Fault::kExitStatus,
               qPrintable(QString::number(WEXITSTATUS(status))));
      finished = WEXITSTATUS(status) == 0;
      ++struck;

      auto cache = ArtifactCache::open(store);
      QVERIFY2(cache, cache ? "" : cache.error().line().c_str());
      for (int key = 0; key < 8; ++key) {
        const auto found = (*cache)->get({.key = name(key)});
        QVERIFY2(found.reason.empty(),
                 qPrintable(QStringLiteral("step %1, key %2: %3").arg(at).arg(key).arg(found.reason.c_str())));
        if (!found.hit()) {
          QVERIFY2(!stored.contains(key),
                   qPrintable(QStringLiteral("step %1: key %2 was acknowledged and is gone").arg(at).arg(key)));
          continue;
        }
        const auto files = bundle(key);
        QVERIFY(found.entry.bytes == content(key));
        QCOMPARE(found.entry.files.size(), files.size());
        for (std::size_t i = 0; i < files.size(); ++i) QVERIFY(found.entry.files[i].bytes == files[i].bytes);
      }
      QVERIFY((*cache)->put({.key = "after", .bytes = "x"}));
    }
    QVERIFY2(struck > 50, qPrintable(QString::number(struck)));
  }
};

QTEST_APPLESS_MAIN(TestCrash)
#include "test_crash.moc"
