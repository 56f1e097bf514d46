// SPDX-License-Identifier: Apache-2.0
// Compiles in a folder of its own, with the compiler alone and through `keyhole cc`, and tells what the store noted.
#pragma once

#include <QFile>
#include <QMap>
#include <QStandardPaths>
#include <optional>

#include "command.h"
#include "keyhole/base/os.h"
#include "keyhole/base/pool.h"
#include "keyhole/cache/maintenance.h"
#include "keyhole/db/reader.h"
#include "temporary_folder.h"

namespace keyhole::test {

class Compiling {
 public:
  Compiling() : environment(QProcessEnvironment::systemEnvironment()) {
    for (const auto& name : environment.keys())
      if (name.startsWith("NVCC") || name.startsWith("CCACHE") || name.startsWith("KEYHOLE")) environment.remove(name);
    environment.insert("KEYHOLE_RUN", "test");
    environment.insert("KEYHOLE_STORE", QString::fromStdString(store()));
    make_folders(home.path() + "/work");
  }

  [[nodiscard]] std::string store() const { return home / "store"; }
  [[nodiscard]] std::string path(const std::string& name) const {
    return name.front() == '/' ? name : home / ("work/" + name);
  }
  /// Writes a file of the working folder.
  void write(const std::string& name, const std::string& text) const {
    const std::string file = path(name);
    make_folders(file.substr(0, file.rfind('/')));
    QFile out(QString::fromStdString(file));
    if (!out.open(QIODevice::WriteOnly) || out.write(text.data(), static_cast<qint64>(text.size())) < 0)
      qFatal("cannot write");
  }
  [[nodiscard]] std::string bytes(const std::string& name) const {
    return read_file(path(name)).value_or(std::string());
  }
  void remove(const std::string& name) const { QFile::remove(QString::fromStdString(path(name))); }

  /// The compiler alone.
  [[nodiscard]] Ran plain(QStringList command, const QString& folder = "work") const {
    const QString program = command.takeFirst();
    return run(program, command, environment, 300'000, QString::fromStdString(home.path()) + "/" + folder);
  }
  /// Through the store.
  Ran cc(QStringList command, const QString& folder = "work") {
    command.prepend("--");
    command.prepend("cc");
    return run(Keyhole::program(), command, environment, 300'000, QString::fromStdString(home.path()) + "/" + folder);
  }

  /// What the store noted of the last compile.
  [[nodiscard]] LookupRecord last() const {
    const auto all = lookups();
    return all.empty() ? LookupRecord{} : all.back().record;
  }
  [[nodiscard]] std::vector<LookupRow> lookups() const {
    if (!take_in_journals(store(), std::chrono::seconds(20))) return {};
    auto reader = Reader::open(store());
    if (!reader) return {};
    const auto row = reader->run_named("test");
    if (!row || !*row) return {};
    auto rows = reader->lookups_of_run((*row)->id);
    return rows ? *rows : std::vector<LookupRow>{};
  }
  /// What the key of the last compile was made of: name and text.
  [[nodiscard]] QMap<QString, QString> components() const {
    QMap<QString, QString> out;
    const auto all = lookups();
    auto reader = Reader::open(store());
    ComponentPool pool;
    if (all.empty() || all.back().component_set == 0 || !reader) return out;
    if (const auto set = reader->components(all.back().component_set, pool))
      for (const auto* part : *set) out[QString::fromStdString(part->name)] = QString::fromStdString(part->text);
    return out;
  }
  [[nodiscard]] int count(Outcome outcome) const {
    int n = 0;
    for (const auto& row : lookups()) n += row.record.outcome == outcome ? 1 : 0;
    return n;
  }

  [[nodiscard]] static bool same_object(const std::string& a, const std::string& b) { return !a.empty() && a == b; }

  TemporaryFolder home;
  QProcessEnvironment environment;
};

/// With nvcc.
class CompilingCuda : public Compiling {
 public:
  /// nvcc alone, with its intermediate files in a folder: else it puts its process id into the name of a symbol.
  [[nodiscard]] Ran plain(QStringList command, const QString& folder = "work") const {
    if (command.front().endsWith("nvcc")) {
      make_folders(path("keep"));
      command += {"--keep", "--keep-dir", QString::fromStdString(path("keep"))};
    }
    return Compiling::plain(command, folder);
  }
};

inline bool is_installed(const char* program) {
  return !QStandardPaths::findExecutable(program).isEmpty();
}
#define NEEDS(program, what_is_left_out) \
  if (!test::is_installed(program)) QSKIP(program " is not installed: " what_is_left_out)

/// Compiles with `command` through the store, wants `outcome`, and wants the bytes that the compiler alone writes.
#define COMPILES(c, outcome_wanted, command)                                                                           \
  do {                                                                                                                 \
    (c).remove("o.o");                                                                                                 \
    const auto ran_through = (c).cc(command);                                                                          \
    QVERIFY2(ran_through.status == 0, ran_through.told());                                                             \
    const std::string through = (c).bytes("o.o");                                                                      \
    const auto noted = (c).last();                                                                                     \
    QVERIFY2(noted.outcome == (outcome_wanted),                                                                        \
             (std::string("noted: ") + name_of(noted.outcome) + " " + noted.reason + " " + noted.save_error).c_str()); \
    const auto ran_plain = (c).plain(command);                                                                         \
    QVERIFY2(ran_plain.status == 0, ran_plain.told());                                                                 \
    QVERIFY((c).same_object(through, (c).bytes("o.o")));                                                               \
    QCOMPARE(ran_through.out, ran_plain.out);                                                                          \
    QCOMPARE(ran_through.err, ran_plain.err);                                                                          \
  } while (false)

}  // namespace keyhole::test
