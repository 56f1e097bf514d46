// SPDX-License-Identifier: Apache-2.0
#include "keyhole/ingest/source.h"

#include <sys/stat.h>

#include <QtTest>
#include <filesystem>
#include <fstream>

#include "packing.h"

namespace fs = std::filesystem;
using namespace keyhole;

Q_DECLARE_METATYPE(keyhole::Packing)

namespace {

std::string sample(std::size_t size) {
  std::string text;
  while (text.size() < size) text += "line " + std::to_string(text.size() * 2654435761u) + "\n";
  text.resize(size);
  return text;
}

struct Drained {
  std::string content;
  std::optional<Error> error;
};

/// Reads to the end in steps of `step` bytes.
Drained drain(const fs::path& path, std::size_t step) {
  Drained outcome;
  auto source = Source::open(path.string());
  if (!source) return {{}, source.error()};
  std::string buffer(step, '\0');
  for (;;) {
    const auto n = (*source)->read(buffer.data(), step);
    if (!n) {
      outcome.error = n.error();
      return outcome;
    }
    if (*n == 0) return outcome;
    outcome.content.append(buffer, 0, *n);
  }
}

}  // namespace

class TestSource : public QObject {
  Q_OBJECT
 private slots:
  void init() { QVERIFY(folder_.isValid()); }
  void gives_the_content_data() { packings(); }
  void gives_the_content();
  void takes_members_behind_one_another_data() { packings(); }
  void takes_members_behind_one_another();
  void gives_what_comes_before_a_cut_data() { packings(); }
  void gives_what_comes_before_a_cut();
  void reports_damage_data() { packings(); }
  void reports_damage();
  void takes_padding_behind_the_last_member();
  void mixes_no_formats();
  void reads_on_in_a_grown_file();
  void refuses_what_is_no_file();
  void reads_a_pipe();
  void bounds_whole_and_head();
  void is_known_by_its_content();

 private:
  static void packings() {
    QTest::addColumn<Packing>("packing");
    QTest::newRow("plain") << Packing::none;
    QTest::newRow("gzip") << Packing::gzip;
    QTest::newRow("xz") << Packing::xz;
    QTest::newRow("zstd") << Packing::zstd;
  }
  fs::path file(const std::string& content) {
    const fs::path path = folder_.filePath("f" + QString::number(++files_)).toStdString();
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }
  QTemporaryDir folder_;
  int files_ = 0;
};

void TestSource::gives_the_content() {
  QFETCH(Packing, packing);
  for (const std::size_t size : {0, 1, 5, 4096, 700'000}) {
    const std::string content = sample(size);
    for (const std::size_t step : {std::size_t{7000}, std::size_t{1} << 20}) {
      const Drained outcome = drain(file(packed(content, packing)), step);
      QVERIFY2(!outcome.error, outcome.error ? outcome.error->line().c_str() : "");
      QVERIFY(outcome.content == content);
    }
  }
}

void TestSource::takes_members_behind_one_another() {
  QFETCH(Packing, packing);
  const std::string a = sample(70'000), b = sample(300'000);
  const Drained outcome = drain(file(packed(a, packing) + packed("", packing) + packed(b, packing)), 1 << 16);
  QVERIFY(!outcome.error);
  QVERIFY(outcome.content == a + b);
}

void TestSource::gives_what_comes_before_a_cut() {
  QFETCH(Packing, packing);
  const std::string content = sample(600'000), whole = packed(content, packing);
  for (std::size_t cut = 7; cut < whole.size(); cut += whole.size() / 40) {
    const Drained outcome = drain(file(whole.substr(0, cut)), 1 << 16);
    QVERIFY(content.starts_with(outcome.content));
    if (packing == Packing::none) continue;
    QVERIFY(outcome.error);
    QCOMPARE(outcome.error->kind, ErrorKind::bad_input);
    QVERIFY(!outcome.error->where.empty() && !outcome.error->hint.empty());
  }
  // Most of the content is there when most of the file is.
  QVERIFY(drain(file(whole.substr(0, whole.size() - whole.size() / 8)), 1 << 16).content.size() > content.size() / 2);
}

void TestSource::reports_damage() {
  QFETCH(Packing, packing);
  if (packing == Packing::none) return;
  const std::string content = sample(600'000);
  std::string bytes = packed(content, packing);
  for (std::size_t i = bytes.size() / 2; i < bytes.size() / 2 + 64; ++i) bytes[i] = static_cast<char>(~bytes[i]);
  const Drained outcome = drain(file(bytes), 1 << 16);
  QVERIFY(outcome.error);
  QCOMPARE(outcome.error->kind, ErrorKind::bad_input);
}

void TestSource::takes_padding_behind_the_last_member() {
  const std::string content = sample(10'000);
  for (const Packing packing : {Packing::gzip, Packing::xz}) {
    const Drained outcome = drain(file(packed(content, packing) + std::string(512, '\0')), 1 << 16);
    QVERIFY(!outcome.error);
    QVERIFY(outcome.content == content);
  }
}

void TestSource::mixes_no_formats() {
  // What looks like the beginning of a format and is none.
  QVERIFY(drain(file("\x1f\x8b"), 100).content == "\x1f\x8b");
  QVERIFY(drain(file(std::string("\x1f\x8b\x08garbage that is no deflate stream", 36)), 100).error);
  QVERIFY(drain(file(packed(sample(1000), Packing::gzip) + "trailing garbage"), 4000).error);
}

void TestSource::reads_on_in_a_grown_file() {
  const fs::path path = file("first\n");
  auto source = Source::open(path.string());
  QVERIFY(source);
  char buffer[100];
  QCOMPARE((*source)->read(buffer, sizeof buffer).value(), std::size_t{6});
  QCOMPARE((*source)->read(buffer, sizeof buffer).value(), std::size_t{0});
  std::ofstream(path, std::ios::app) << "second\n";
  QCOMPARE((*source)->read(buffer, sizeof buffer).value(), std::size_t{7});
  QCOMPARE((*source)->read(buffer, sizeof buffer).value(), std::size_t{0});
}

void TestSource::refuses_what_is_no_file() {
  QCOMPARE(Source::open(folder_.filePath("none").toStdString()).error().kind, ErrorKind::not_found);
  QCOMPARE(Source::open(folder_.path().toStdString()).error().kind, ErrorKind::bad_input);
  QCOMPARE(Source::open("/dev/zero").error().kind, ErrorKind::bad_input);
}

void TestSource::reads_a_pipe() {
  const std::string path = folder_.filePath("pipe").toStdString();
  QCOMPARE(::mkfifo(path.c_str(), 0600), 0);
  // Nobody writes: it must end, not hang.
  QVERIFY(drain(path, 100).content.empty());
}

void TestSource::bounds_whole_and_head() {
  const std::string content = sample(1'000'000);
  for (const Packing packing : {Packing::none, Packing::zstd}) {
    const fs::path path = file(packed(content, packing));
    QVERIFY(read_whole(path.string(), 1'000'000).value() == content);
    QCOMPARE(read_whole(path.string(), 999'999).error().kind, ErrorKind::bad_input);
    QVERIFY(read_head(path.string()).value() == content.substr(0, 4096));
    QVERIFY(read_head(path.string(), 2'000'000).value() == content);
  }
}

void TestSource::is_known_by_its_content() {
  const std::string content = sample(50'000);
  const std::string identity = source_identity(file(content).string()).value();
  QCOMPARE(identity.size(), std::size_t{64});
  QCOMPARE(identity, identity_of(content.substr(0, kIdentityBytes)));
  QCOMPARE(source_identity(file(packed(content, Packing::xz)).string()).value(), identity);
  QCOMPARE(source_identity(file(content.substr(0, 2000)).string()).value(), identity);  // before it grew
  QVERIFY(source_identity(file("x" + content).string()).value() != identity);
  QVERIFY(!source_identity("/nowhere"));
}

QTEST_GUILESS_MAIN(TestSource)
#include "test_source.moc"
