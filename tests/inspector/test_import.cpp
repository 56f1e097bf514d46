// SPDX-License-Identifier: Apache-2.0
// Imports as a person starts them: by the menu, by dropping files, and stopped in the middle.
#include <QAbstractItemView>
#include <QApplication>
#include <QDirIterator>
#include <QDropEvent>
#include <QElapsedTimer>
#include <QFileDialog>
#include <QLabel>
#include <QMimeData>
#include <QProgressBar>
#include <QPushButton>
#include <QSettings>
#include <QStandardPaths>
#include <QUrl>
#include <QtTest>

#include "inspector/ui/bars.h"
#include "inspector/ui/main_window.h"
#include "keyhole/db/query.h"
#include "keyhole/db/reader.h"
#include "keyhole/db/upkeep.h"

using namespace keyhole;
using namespace keyhole::inspector;

class TestImport : public QObject {
  Q_OBJECT
  QTemporaryDir folder_;

  static QStringList traces() {
    QStringList files;
    QDirIterator it(QStringLiteral(KEYHOLE_SOURCE_DIR "/resources/sample"), QDir::Files, QDirIterator::Subdirectories);
    while (it.hasNext())
      if (const QString file = it.next(); file.contains(QStringLiteral("torch_trace"))) files << file;
    files.sort();
    return files;
  }
  // One trace that takes seconds to read: a real one, over and over (200 MB when unpacked).
  QString large_trace() const {
    const QString path = folder_.filePath(QStringLiteral("dedicated_log_torch_trace_large.log.xz"));
    if (QFile::exists(path)) return path;
    QFile small(traces().value(0)), large(path);
    if (!small.open(QIODevice::ReadOnly) || !large.open(QIODevice::WriteOnly)) return {};
    const QByteArray content = small.readAll();
    while (large.size() < 12'000'000) large.write(content);
    return path;
  }
  static void drop(QWidget& window, const QStringList& paths) {
    QMimeData data;
    QList<QUrl> urls;
    for (const QString& path : paths) urls << QUrl::fromLocalFile(path);
    data.setUrls(urls);
    QDragEnterEvent enter({100, 100}, Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
    QApplication::sendEvent(&window, &enter);
    QVERIFY(enter.isAccepted());
    QDropEvent dropped({100, 100}, Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
    QApplication::sendEvent(&window, &dropped);
  }
  static std::int64_t lookups(const QString& store) {
    auto reader = Reader::open(store.toStdString());
    return reader ? reader->count({}).value_or(-1) : -1;
  }

 private slots:
  void initTestCase() {
    QStandardPaths::setTestModeEnabled(true);
    QApplication::setOrganizationName(QStringLiteral("keyhole-test"));
    QApplication::setApplicationName(QStringLiteral("import"));
    qputenv("KEYHOLE_STORE", folder_.filePath(QStringLiteral("default")).toUtf8());
    QVERIFY(!traces().isEmpty());
  }
  void init() { QSettings().clear(); }

  void a_dropped_trace_is_taken_into_the_default_store() {
    MainWindow window;
    window.show();
    drop(window, {traces()[0]});
    QTRY_VERIFY_WITH_TIMEOUT(window.workspace().session() != nullptr, 10'000);
    QTRY_VERIFY(lookups(folder_.filePath(QStringLiteral("default"))) > 0);
    QCOMPARE(window.workspace().store_name(), folder_.filePath(QStringLiteral("default")));
  }

  void the_menu_takes_files_into_the_open_store() {
    MainWindow window;
    window.show();
    window.open_store(folder_.filePath(QStringLiteral("default")));
    const std::int64_t before = lookups(folder_.filePath(QStringLiteral("default")));
    QVERIFY(QTest::qWaitForWindowActive(&window, 60'000));
    QTest::keyClick(&window, Qt::Key_I, Qt::ControlModifier);
    QFileDialog* dialog = nullptr;
    QTRY_VERIFY((dialog = window.findChild<QFileDialog*>()) && dialog->isVisible());
    Q_EMIT dialog->filesSelected({traces().last()});
    dialog->close();
    QTRY_VERIFY(lookups(folder_.filePath(QStringLiteral("default"))) > before);
    QTRY_VERIFY(!window.findChild<ImportPanel*>()->busy());
  }

  void progress_is_shown_and_cancel_stops() {
    const QString large = large_trace();
    QVERIFY(!large.isEmpty());
    const QString store = folder_.filePath(QStringLiteral("stopped"));
    QVERIFY(QDir().mkpath(store));
    qputenv("KEYHOLE_STORE", store.toUtf8());
    MainWindow window;
    window.show();
    drop(window, {large});
    auto* panel = window.findChild<ImportPanel*>();
    auto* bar = panel->findChild<QProgressBar*>();
    QLabel* text = panel->findChild<QLabel*>();
    QTRY_VERIFY(panel->isVisible() && bar->maximum() == 1000 && bar->value() > 0);
    QTRY_VERIFY2_WITH_TIMEOUT(text->text().contains(QStringLiteral(" left")), qPrintable(text->text()), 10'000);
    QVERIFY(panel->busy());
    auto* cancel = panel->findChild<QPushButton*>();
    QElapsedTimer timer;
    timer.start();
    QTest::mouseClick(cancel, Qt::LeftButton);
    while (panel->busy() && timer.elapsed() < 5000) QApplication::processEvents(QEventLoop::WaitForMoreEvents, 10);
    const auto took = timer.elapsed();
    QVERIFY2(took < 2000, qPrintable(QStringLiteral("%1 ms").arg(took)));  // inspector_bench measures it
    QVERIFY(!panel->isVisible());
    // What was taken in before stays, and is sound; the rest follows when it is imported again.
    const auto verified = verify_history(store.toStdString(), false);
    QVERIFY(verified);
    for (const auto& fault : verified->faults) QFAIL(fault.what.c_str());
    const std::int64_t kept = lookups(store);
    QVERIFY(kept > 0);
    QTRY_VERIFY(window.workspace().session() != nullptr);
    window.open_paths({traces()[0]});
    QTRY_VERIFY(!panel->busy());
    QVERIFY(lookups(store) >= kept);
  }

  void what_is_no_recording_is_reported() {
    const QString file = folder_.filePath(QStringLiteral("notes.txt"));
    QFile notes(file);
    QVERIFY(notes.open(QIODevice::WriteOnly));
    notes.write("nothing to see here\n");
    notes.close();
    qputenv("KEYHOLE_STORE", folder_.filePath(QStringLiteral("default")).toUtf8());
    MainWindow window;
    window.show();
    drop(window, {file});
    auto* messages = window.findChild<MessagePanel*>();
    QTRY_VERIFY(messages->isVisible() && messages->text().contains(QStringLiteral("notes.txt")));
  }
};

QTEST_MAIN(TestImport)
#include "test_import.moc"
