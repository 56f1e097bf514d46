// SPDX-License-Identifier: Apache-2.0
#include "keyhole/cache/source_files.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "cache_golden.h"
#include "keyhole/base/os.h"

using namespace keyhole;

namespace {
std::string with_root(std::string text, const std::string& root) {
  if (const auto at = text.find("<CACHE>"); at != std::string::npos) text.replace(at, 7, root);
  return text;
}
}  // namespace

class TestSourceFiles : public QObject {
  Q_OBJECT
 private slots:
  void writes_as_pytorch_does() {
    QTemporaryDir folder;
    const std::string root = folder.path().toStdString();
    int written = 0;
    for (const auto& v : golden("write_vectors")) {
      if (!v.contains("content") || !v.contains("ext")) continue;
      const bool text = v.at("content").is_string();
      const std::string content =
          text ? v.at("content").get<std::string>()
               : QByteArray::fromHex(QByteArray::fromStdString(v.at("content").at("hex").get<std::string>()))
                     .toStdString();
      const auto ext = v.at("ext").get<std::string>(), extra = v.at("extra").get<std::string>();
      const auto p = write_source(root, {.content = {content, text}, .ext = ext, .extra = extra});
      QVERIFY(p);
      QCOMPARE(p->basename, v.at("key").get<std::string>());
      QCOMPARE(p->path, with_root(v.at("path").get<std::string>(), root));
      QCOMPARE(read_file(p->path).value_or("?"), v.at("file_content").get<std::string>());
      ++written;
    }
    QCOMPARE(written, 6);
    const auto given = write_source(root, {.content = {"first", true}, .ext = "txt", .key = "cabcdefgh"});
    QCOMPARE(given->path, root + "/ab/cabcdefgh.txt");
    QVERIFY(write_source(root, {.content = {"second", true}, .ext = "txt", .key = "cabcdefgh"}));
    QCOMPARE(read_file(given->path).value_or("?"), std::string("first"));
    struct stat info {};
    QCOMPARE(stat(given->path.c_str(), &info), 0);
    const auto mask = umask(0);
    umask(mask);
    QCOMPARE(static_cast<unsigned>(info.st_mode & 0777), 0666U & ~mask);
    for (const auto& f : std::filesystem::recursive_directory_iterator(root))
      QVERIFY(!f.path().filename().string().starts_with('.'));
  }

  void an_atomic_write_needs_its_folder() {
    QTemporaryDir folder;
    const std::string path = folder.filePath("a/b/c.txt").toStdString();
    QCOMPARE(write_atomic(path, "x").error().kind, ErrorKind::not_found);
    QVERIFY(write_atomic(path, "x", true));
    QVERIFY(write_atomic(path, "replaced"));
    QCOMPARE(read_file(path).value_or("?"), std::string("replaced"));
  }

  void a_full_disk_leaves_the_old_file() {
    QTemporaryDir folder;
    const std::string path = folder.filePath("c.txt").toStdString();
    QVERIFY(write_atomic(path, "old"));
    struct FullDisk : Os {
      std::int64_t write(int, const void*, std::size_t) override { return errno = ENOSPC, -1; }
    } full;
    replace_os(&full);
    const auto result = write_atomic(path, "new");
    replace_os(nullptr);
    QVERIFY(!result);
    QCOMPARE(read_file(path).value_or("?"), std::string("old"));
    QCOMPARE(QDir(folder.path()).entryList(QDir::Files | QDir::Hidden).size(), 1);
  }

  void a_lock_keeps_others_out_for_a_bounded_time() {
    QTemporaryDir folder;
    const std::string locks = folder.filePath("locks").toStdString();
    auto mine = FileLock::take(locks, "k", std::chrono::milliseconds(100));
    QVERIFY(mine);
    const pid_t child = fork();
    if (child == 0) {
      const auto other = FileLock::take(locks, "k", std::chrono::milliseconds(100));
      const auto free = FileLock::take(locks, "other", std::chrono::milliseconds(100));
      _exit(!other && other.error().kind == ErrorKind::busy && free ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    QCOMPARE(status, 0);
    { const FileLock released = std::move(*mine); }
    QVERIFY(FileLock::take(locks, "k", std::chrono::milliseconds(0)));
    QVERIFY(std::filesystem::exists(locks + "/k.lock"));
  }
};

QTEST_APPLESS_MAIN(TestSourceFiles)
#include "test_source_files.moc"
