// SPDX-License-Identifier: Apache-2.0
// Clicks and types through every page, offscreen.
#include <QAbstractButton>
#include <QAbstractItemModelTester>
#include <QAccessible>
#include <QApplication>
#include <QClipboard>
#include <QDirIterator>
#include <QInputDialog>
#include <QJsonArray>
#include <QJsonDocument>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QMenuBar>
#include <QSettings>
#include <QStandardPaths>
#include <QTabWidget>
#include <QTableView>
#include <QTreeView>
#include <QtTest>

#include "inspector/core/format.h"
#include "inspector/models/roles.h"
#include "inspector/ui/bars.h"
#include "inspector/ui/charts.h"
#include "inspector/ui/diff_view.h"
#include "inspector/ui/main_window.h"
#include "inspector/ui/timeline_view.h"
#include "inspector/ui/views.h"
#include "keyhole/cache/artifact_cache.h"
#include "keyhole/db/sqlite.h"
#include "made_store.h"

using namespace keyhole;
using namespace keyhole::inspector;

namespace {

constexpr PageId kPages[] = {PageId::overview, PageId::history,  PageId::entries,
                             PageId::compiles, PageId::diagnose, PageId::compare};
static_assert(std::size(kPages) == std::size_t(PageId::compare), "a new page is to be walked too");

// The visible widget of a type with this accessible name.
template <class T>
T* named(QWidget& window, const QString& name) {
  for (T* w : window.findChildren<T*>())
    if (w->accessibleName() == name && w->isVisible()) return w;
  return nullptr;
}

// A run "many" with so many hits, a second apart.
void add_hits(made::Store& store, int hits) {
  auto many = store.begin("many", made::kMorning);
  for (int i = 0; i < hits; ++i)
    store.lookup(many, Layer::code, std::to_string(i) + "/0", made::key_of('c', std::to_string(i)), Outcome::hit,
                 made::kMorning + i * made::kSecond, i);
  store.commit();
}

// Whether the list of lookups on the page stands at this row and shows it.
bool stands_at(QWidget& window, int row) {
  auto* view = named<QTableView>(window, QStringLiteral("Lookups"));
  return view && view->currentIndex().row() == row &&
         view->viewport()->rect().contains(QPoint(5, view->rowViewportPosition(row) + view->rowHeight(row) - 1));
}

}  // namespace

class TestWindow : public QObject {
  Q_OBJECT
  made::Store store_;

  std::unique_ptr<MainWindow> shown() {
    auto window = std::make_unique<MainWindow>();
    window->show();
    window->open_store(store_.qpath());
    auto* view = window.get();
    [&] {
      QTRY_VERIFY(named<QTableView>(*view, QStringLiteral("Runs")) &&
                  named<QTableView>(*view, QStringLiteral("Runs"))->model()->rowCount() == 2);
    }();
    return window;
  }

 private slots:
  void initTestCase() {
    QStandardPaths::setTestModeEnabled(true);
    QApplication::setOrganizationName(QStringLiteral("keyhole-test"));
    QApplication::setApplicationName(QStringLiteral("window"));
    apply_theme(*qApp, Scheme::light);
    store_.fill();
  }
  void init() { QSettings().clear(); }

  void the_start_page_says_what_to_do() {
    MainWindow window;
    window.show();
    QVERIFY(named<QAbstractItemView>(window, QStringLiteral("Recent stores")));
  }

  void a_store_that_is_not_there_is_reported_with_a_next_step() {
    MainWindow window;
    window.show();
    window.open_store(QStringLiteral("/nowhere/at/all"));
    QTRY_VERIFY([&] {
      for (QLabel* label : window.findChildren<QLabel*>())
        if (label->isVisible() && label->text().startsWith(QStringLiteral("What to do"))) return true;
      return false;
    }());
    QVERIFY(named<QAbstractItemView>(window, QStringLiteral("Recent stores")));
  }

  void a_newer_store_says_that_it_is_one() {
    made::Store store;
    store.fill();
    {
      auto db = Db::open(store.path() + "/history.db", {});
      QVERIFY(db && db->exec("PRAGMA user_version = 999"));
    }
    MainWindow window;
    window.show();
    window.open_store(store.qpath());
    auto* said = window.findChild<MessagePanel*>();
    QTRY_VERIFY(said->isVisible() && said->text().contains(QStringLiteral("999")));
    window.workspace().go(PageId::history);
    QTRY_COMPARE(named<QTableView>(window, QStringLiteral("Lookups"))->model()->rowCount(), 8);
  }

  void an_empty_store_says_what_to_do_on_every_page() {
    const made::Store store;  // a history without a run
    MainWindow window;
    window.show();
    window.open_store(store.qpath());
    for (const PageId page : kPages) {
      window.workspace().go(page);
      QTRY_COMPARE(window.workspace().session()->pending(), 0);
      QTRY_VERIFY2(
          [&] {
            for (auto* empty : window.findChildren<EmptyState*>())
              if (empty->isVisible()) return true;
            return false;
          }(),
          qPrintable(QString::number(int(page))));
      for (QLabel* label : window.findChildren<QLabel*>())
        QVERIFY(!label->isVisible() || !label->text().contains(QStringLiteral("passes the filter")));
    }
  }

  void figures_lead_to_their_rows() {
    auto window = shown();
    auto* link = named<QPushButton>(*window, QStringLiteral("Show the rows of Bypassed"));
    QVERIFY(link);
    QTest::mouseClick(link, Qt::LeftButton);
    QCOMPARE(window->workspace().place().page, PageId::history);
    auto* table = named<QTableView>(*window, QStringLiteral("Lookups"));
    QVERIFY(table);
    QTRY_COMPARE(table->model()->rowCount(), 1);
    QTest::keyClick(window.get(), Qt::Key_Left, Qt::AltModifier);
    QCOMPARE(window->workspace().place().page, PageId::overview);
  }

  void typing_a_filter_narrows_the_table() {
    auto window = shown();
    window->workspace().go(PageId::history);
    auto* table = named<QTableView>(*window, QStringLiteral("Lookups"));
    QTRY_COMPARE(table->model()->rowCount(), 8);
    auto* filter = named<QLineEdit>(*window, QStringLiteral("Filter"));
    filter->setFocus();
    QTest::keyClicks(filter, QStringLiteral("outcome:miss run:B"));
    QTRY_COMPARE(table->model()->rowCount(), 2);
    QTest::keyClicks(filter, QStringLiteral(" ("));
    QVERIFY(filter->property("wrong").toBool());
    QCOMPARE(table->model()->rowCount(), 2);  // the last good filter stays
    QTest::keyClick(filter, Qt::Key_Z, Qt::ControlModifier);
    QVERIFY(!filter->property("wrong").toBool());
    auto* chip = named<QPushButton>(*window, QStringLiteral("Remove the condition run:B"));
    QTRY_VERIFY(chip = named<QPushButton>(*window, QStringLiteral("Remove the condition run:B")));
    QTest::mouseClick(chip, Qt::LeftButton);
    QTRY_COMPARE(table->model()->rowCount(), 5);
  }

  void enter_on_a_row_explains_it() {
    auto window = shown();
    window->workspace().go_to_rows(QStringLiteral("outcome:miss run:B layer:fx_graph"));
    auto* table = named<QTableView>(*window, QStringLiteral("Lookups"));
    QTRY_COMPARE(table->model()->rowCount(), 1);
    table->setCurrentIndex(table->model()->index(0, 0));
    table->setFocus();
    QTest::keyClick(table, Qt::Key_Return);
    QCOMPARE(window->workspace().place().page, PageId::diagnose);
    QLabel* why = nullptr;
    QTRY_VERIFY((why = named<QLabel>(*window, QStringLiteral("Why"))) &&
                why->text().contains(QStringLiteral("epilogue_fusion")));
    auto* causes = named<QTreeView>(*window, QStringLiteral("Causes"));
    QVERIFY(causes);
    QVERIFY(causes->currentIndex().data().toString().contains(QStringLiteral("epilogue_fusion")));
    auto* diff = named<DiffView>(*window, QStringLiteral("Difference: before and after"));
    QVERIFY(diff);
    QCOMPARE(diff->lines().size(), std::size_t{1});
    QCOMPARE(diff->lines()[0].left, QStringLiteral("True"));
    QCOMPARE(diff->lines()[0].right, QStringLiteral("False"));
    auto* chain = named<ChainView>(*window, QStringLiteral("The layers of this compile"));
    QVERIFY(chain);
    // The key of the same lookup.
    auto* tabs = named<QTabWidget>(*window, QStringLiteral("Explanation"));
    tabs->setCurrentIndex(1);
    auto* key = named<QTreeView>(*window, QStringLiteral("Components of the key"));
    QVERIFY(key);
    QTRY_VERIFY(key->model()->rowCount() >= 3);
  }

  void table_and_timeline_share_the_selection() {
    auto window = shown();
    window->workspace().go(PageId::history);
    auto* timeline = named<TimelineView>(*window, QStringLiteral("Timeline of lookups"));
    QVERIFY(timeline);
    QTRY_VERIFY(timeline->timeline() && timeline->timeline()->lane_count() == 4);
    auto* table = named<QTableView>(*window, QStringLiteral("Lookups"));
    QTRY_COMPARE(table->model()->rowCount(), 8);
    const QPoint at = timeline->point_of(1);
    QVERIFY(!at.isNull());
    QTest::mouseClick(timeline->viewport(), Qt::LeftButton, {}, at);
    QCOMPARE(window->workspace().selected(), RowId{1});
    QTRY_COMPARE(table->currentIndex().data(IdRole).toLongLong(), 1);
    table->setCurrentIndex(table->model()->index(0, 0));
    QCOMPARE(timeline->selected(), window->workspace().selected());
    // Keys: the next event of the lane, zoom, all.
    timeline->setFocus();
    window->workspace().select(2);
    QTest::keyClick(timeline, Qt::Key_Right);
    QCOMPARE(window->workspace().selected(), RowId{3});
    const auto whole = timeline->visible_end() - timeline->visible_begin();
    QTest::keyClick(timeline, Qt::Key_Plus);
    QVERIFY(timeline->visible_end() - timeline->visible_begin() < whole);
    QTest::keyClick(timeline, Qt::Key_Home);
    QCOMPARE(timeline->visible_end() - timeline->visible_begin(), whole);
    // Shift and drag marks a range.
    const int y = timeline->viewport()->height() / 2;
    QTest::mousePress(timeline->viewport(), Qt::LeftButton, Qt::ShiftModifier, {300, y});
    QTest::mouseMove(timeline->viewport(), {500, y});
    QTest::mouseRelease(timeline->viewport(), Qt::LeftButton, Qt::ShiftModifier, {500, y});
    QVERIFY(timeline->marked());
    QVERIFY(timeline->marked()->second > timeline->marked()->first);
    QTest::keyClick(timeline, Qt::Key_Escape);
    QVERIFY(!timeline->marked());
  }

  void the_jump_box_finds_a_key() {
    auto window = shown();
    QTest::keyClick(window.get(), Qt::Key_K, Qt::ControlModifier);
    QLineEdit* edit = nullptr;
    QTRY_VERIFY((edit = named<QLineEdit>(*window, QStringLiteral("Jump to"))));
    QTest::keyClicks(edit, QString::fromStdString(made::key_of('f', "0 off").substr(0, 10)));
    auto* list = named<QAbstractItemView>(*window, QStringLiteral("Places to jump to"));
    QTRY_VERIFY(list->model()->index(0, 0).data(IdRole).toLongLong() == 5);
    QTest::keyClick(edit, Qt::Key_Return);
    QCOMPARE(window->workspace().place().page, PageId::diagnose);
    QCOMPARE(window->workspace().selected(), RowId{5});
    QVERIFY(!edit->isVisible());
  }

  void rows_are_copied_whole() {
    auto window = shown();
    window->workspace().go_to_rows(QStringLiteral("id=2"));
    auto* table = named<QTableView>(*window, QStringLiteral("Lookups"));
    QTRY_COMPARE(table->model()->rowCount(), 1);
    table->selectRow(0);
    table->setFocus();
    QTest::keyClick(table, Qt::Key_C, Qt::ControlModifier);
    const QString text = QApplication::clipboard()->text();
    QVERIFY2(text.contains(QString::fromStdString(made::key_of('f', "0 on"))), qPrintable(text));
    copy_rows(*table, true);
    QVERIFY(QApplication::clipboard()->text().startsWith(QStringLiteral("Time\tOutcome")));
  }

  // Of a long table only the pages that were looked at are at hand; the others are read for the file.
  void all_rows_are_exported_however_few_were_shown() {
    made::Store store;
    constexpr int kRows = 1500;
    add_hits(store, kRows);
    MainWindow window;
    window.show();
    window.open_store(store.qpath());
    window.workspace().go(PageId::history);
    QTableView* table = nullptr;
    QTRY_VERIFY((table = named<QTableView>(window, QStringLiteral("Lookups"))) && table->model()->rowCount() == kRows);
    table->setCurrentIndex(table->model()->index(0, 0));
    const QTemporaryDir folder;
    const auto read = [&](const QString& name) {
      QFile file(folder.filePath(name));
      return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
    };
    export_to(*table, folder.filePath(QStringLiteral("x.csv")), window.workspace());
    QTRY_VERIFY(!read(QStringLiteral("x.csv")).isEmpty());
    const QByteArray csv = read(QStringLiteral("x.csv"));
    QCOMPARE(csv.count('\n'), kRows + 1);
    for (const int i : {0, 700, kRows - 1}) QVERIFY(csv.contains(made::key_of('c', std::to_string(i)).c_str()));
    export_to(*table, folder.filePath(QStringLiteral("x.json")), window.workspace());
    QTRY_VERIFY(!read(QStringLiteral("x.json")).isEmpty());
    QCOMPARE(QJsonDocument::fromJson(read(QStringLiteral("x.json"))).array().size(), kRows);
    // A lookup that was chosen elsewhere is found, however far away it stands.
    window.workspace().select(3);
    QTRY_COMPARE(table->currentIndex().data(IdRole).toLongLong(), 3);
    QCOMPARE(table->currentIndex().row(), kRows - 3);
    QTRY_VERIFY(table->viewport()->rect().contains(table->visualRect(table->currentIndex())));
    window.workspace().explain(900);
    QTRY_VERIFY(stands_at(window, kRows - 900));
    window.workspace().back();
    // Selected with the keyboard, copied with headers.
    table->setFocus();
    QTest::keyClick(table, Qt::Key_A, Qt::ControlModifier);
    QApplication::clipboard()->clear();
    QTest::keyClick(&window, Qt::Key_C, Qt::ControlModifier | Qt::ShiftModifier);
    QTRY_COMPARE(QApplication::clipboard()->text().count(u'\n'), kRows + 1);
    QVERIFY(QApplication::clipboard()->text().startsWith(QStringLiteral("Time\tOutcome")));
    // Where nothing can be written that is said.
    QSignalSpy failed(&window.workspace(), &Workspace::failed);
    export_to(*table, QStringLiteral("/nowhere/x.csv"), window.workspace());
    QCOMPARE(failed.size(), 1);
  }

  void the_lookup_explained_is_in_sight_in_a_list_just_filled() {
    made::Store store;
    add_hits(store, 150);
    MainWindow window;
    window.show();
    window.open_store(store.qpath());
    window.workspace().go(PageId::history);
    QTableView* table = nullptr;
    QTRY_VERIFY((table = named<QTableView>(window, QStringLiteral("Lookups"))) && table->model()->rowCount() == 150);
    QTRY_COMPARE(window.workspace().session()->pending(), 0);
    window.workspace().explain(50);
    QTRY_VERIFY(stands_at(window, 100));
  }

  void a_recording_appears_as_it_goes() {
    made::Store store;
    store.fill();
    MainWindow window;
    window.show();
    window.open_store(store.qpath());
    window.workspace().go(PageId::history);
    auto* table = named<QTableView>(window, QStringLiteral("Lookups"));
    QTRY_COMPARE(table->model()->rowCount(), 8);
    window.workspace().session()->watch(20);
    QTest::qWait(60);
    auto c = store.begin("C", made::kMorning + 6000 * made::kSecond);
    store.lookup(c, Layer::fx_graph, "0/0", made::key_of('f', "0 on"), Outcome::hit,
                 made::kMorning + 6001 * made::kSecond, 1);
    store.commit();
    QTRY_COMPARE(table->model()->rowCount(), 9);
  }

  void an_entry_shows_what_is_in_it() {
    made::Store store;
    store.fill();
    SnapshotRecord snapshot;
    snapshot.location = "/cache";
    snapshot.time = made::kMorning;
    const auto id = store.recorder().begin_snapshot(snapshot);
    EntryRecord e;
    e.layer = Layer::autotune;
    e.key = "mm";
    e.path = "autotune/mm";
    e.guard = "L['s0'] <= 8 and 2 <= L['s1']";
    e.metadata_json =
        R"({"cache": {"mm": {"[(8, 8)]": {"highest": {"aten": 0.002, "triton_1": 0.001}}}}, "files": ["a.json"]})";
    store.recorder().entry(id, e);
    e.layer = Layer::fx_graph;
    e.key = made::key_of('f', "0 on");
    e.path = "fxgraph/x";
    e.metadata_json = R"({"device_types": "needle in the metadata"})";
    store.recorder().entry(id, e);
    store.commit();
    MainWindow window;
    window.show();
    window.open_store(store.qpath());
    window.workspace().go(PageId::entries);
    auto* table = named<QTableView>(window, QStringLiteral("Entries"));
    QTRY_COMPARE(table->model()->rowCount(), 2);
    auto* filter = named<QLineEdit>(window, QStringLiteral("Filter entries"));
    QVERIFY(filter);
    filter->setFocus();
    QTest::keyClicks(filter, QStringLiteral("needle"));  // stands in the metadata alone
    QTRY_COMPARE(table->model()->rowCount(), 1);
    QTest::keyClicks(filter, QStringLiteral(" size>"));
    QVERIFY(filter->property("wrong").toBool());
    QTest::keyClick(filter, Qt::Key_Z, Qt::ControlModifier);
    QTest::keyClick(filter, Qt::Key_Z, Qt::ControlModifier);
    QTRY_COMPARE(table->model()->rowCount(), 2);
    QTest::keyClicks(filter, QStringLiteral("layer:autotune"));
    QTRY_COMPARE(table->model()->rowCount(), 1);
    table->selectRow(0);
    auto* tabs = named<QTabWidget>(window, QStringLiteral("Details of the entry"));
    QTRY_COMPARE(tabs->tabText(2), QStringLiteral("Guard (2)"));
    QVERIFY(tabs->isTabVisible(3));   // files
    QVERIFY(tabs->isTabVisible(4));   // timings
    QVERIFY(!tabs->isTabVisible(5));  // no pickle
    tabs->setCurrentIndex(4);
    QVERIFY(named<BarList>(window, QStringLiteral("Autotune timings")));
  }

  void a_compile_shows_what_its_key_was_made_of() {
    made::Store store;
    auto p = store.begin("make", made::kMorning);
    std::vector<Component> parts{{"source", made::digest_of("main.cpp"), "main.cpp"},
                                 {"toolchain[g++]", made::digest_of("g++"), "/usr/bin/g++, sha256 aa"},
                                 {"option[-O]", made::digest_of("2"), "2"},
                                 {"include[main.cpp]", made::digest_of("1"), "sha256 bb"},
                                 {"include[util.h]", made::digest_of("2x"), "sha256 cc"}};
    LookupRecord r;
    r.layer = Layer::code;
    r.key = "kabc";
    r.outcome = Outcome::miss;
    r.status = "full_miss";
    r.time = made::kMorning + made::kSecond;
    r.cost = made::kSecond;
    for (const Component& c : parts) r.components.push_back(&c);
    store.recorder().lookup(p, r);
    store.commit();
    MainWindow window;
    window.show();
    window.open_store(store.qpath());
    window.workspace().go(PageId::compiles);
    auto* jobs = named<QTableView>(window, QStringLiteral("Compiles"));
    QTRY_VERIFY((jobs = named<QTableView>(window, QStringLiteral("Compiles"))) && jobs->model()->rowCount() == 1);
    QCOMPARE(jobs->model()->index(0, 2).data().toString(), QStringLiteral("main.cpp"));
    QCOMPARE(jobs->model()->index(0, 3).data().toString(), QStringLiteral("g++"));
    auto* tabs = named<QTabWidget>(window, QStringLiteral("Details of the compile"));
    QTRY_COMPARE(tabs->tabText(1), QStringLiteral("Files (2)"));
    tabs->setCurrentIndex(3);
    auto* pool = named<TimelineView>(window, QStringLiteral("What was compiled at the same time"));
    QVERIFY(pool && pool->timeline());
    QCOMPARE(pool->timeline()->lane_count(), 1);
    QCOMPARE(pool->selected(), RowId{1});
    QTest::mouseClick(named<QPushButton>(window, QStringLiteral("Why this compile went as it did")), Qt::LeftButton);
    QCOMPARE(window.workspace().place().page, PageId::diagnose);
  }

  // Such a folder has no history until somebody takes in what the compiles noted.
  void a_store_that_only_a_cache_wrote_opens() {
    const QTemporaryDir folder;
    const QString path = folder.filePath(QStringLiteral("store"));
    {
      auto cache = ArtifactCache::open(path.toStdString());
      QVERIFY(cache);
      QVERIFY(!(*cache)->get({.layer = Layer::code, .key = "kabc"}).hit());
    }
    QVERIFY(!QFile::exists(path + QStringLiteral("/history.db")));
    QVERIFY(MainWindow::is_store(path));
    MainWindow window;
    window.show();
    window.open_paths({path});
    window.workspace().go(PageId::history);
    QTableView* table = nullptr;
    QTRY_VERIFY((table = named<QTableView>(window, QStringLiteral("Lookups"))) && table->model()->rowCount() == 1);
  }

  void layouts_are_remembered() {
    {
      auto window = shown();
      QTRY_COMPARE(QSettings().value(QStringLiteral("recent")).toStringList().value(0), store_.qpath());
      window->close();
    }
    QVERIFY(!QSettings().allKeys().filter(QStringLiteral("/last/splitter_")).isEmpty());
    QCOMPARE(QSettings().value(QStringLiteral("recent")).toStringList().value(0), store_.qpath());
  }

  void a_named_layout_brings_back_page_filter_and_columns() {
    auto window = shown();
    const auto layouts = [&]() -> QMenu& {
      for (QMenu* menu : window->findChildren<QMenu*>())
        if (menu->accessibleName() == QLatin1String("Layouts")) {
          Q_EMIT menu->aboutToShow();
          return *menu;
        }
      qFatal("there is no menu of layouts");
    };
    const auto act = [](const QMenu& menu, const QString& text) {
      for (QAction* action : menu.actions())
        if (action->text() == text) return action->trigger(), true;
      return false;
    };
    window->workspace().go_to_rows(QStringLiteral("outcome:miss"));
    auto* table = named<QTableView>(*window, QStringLiteral("Lookups"));
    QTRY_COMPARE(table->model()->rowCount(), 5);
    table->setColumnWidth(2, 217);
    QVERIFY(act(layouts(), QStringLiteral("Save this layout…")));
    auto* dialog = window->findChild<QInputDialog*>();
    QVERIFY(dialog && !dialog->isModal());
    QTest::keyClicks(dialog->findChild<QLineEdit*>(), QStringLiteral("misses, wide"));
    QTest::keyClick(dialog, Qt::Key_Return);
    table->setColumnWidth(2, 90);
    window->workspace().set_filter({});
    window->workspace().go(PageId::compare);
    QVERIFY(act(layouts(), QStringLiteral("misses, wide")));
    QCOMPARE(window->workspace().place().page, PageId::history);
    QCOMPARE(window->workspace().filter().source, QStringLiteral("outcome:miss"));
    QCOMPARE(table->columnWidth(2), 217);
    QMenu* remove = nullptr;
    for (QAction* action : layouts().actions())
      if (action->menu()) remove = action->menu();
    QVERIFY(remove && act(*remove, QStringLiteral("misses, wide")));
    QVERIFY(!act(layouts(), QStringLiteral("misses, wide")));
  }

  // Whatever model a page has, now or later, behaves while the window is used.
  void every_model_of_the_window_behaves() {
    MainWindow window;
    QSet<const QAbstractItemModel*> tested;
    std::vector<std::unique_ptr<QAbstractItemModelTester>>
        testers;  // go before the window: Qt's own models go piecemeal
    const auto test_new = [&] {
      for (auto* model : window.findChildren<QAbstractItemModel*>()) {
        if (tested.contains(model)) continue;
        tested.insert(model);
        testers.push_back(
            std::make_unique<QAbstractItemModelTester>(model, QAbstractItemModelTester::FailureReportingMode::QtTest));
      }
    };
    test_new();
    QVERIFY(tested.size() >= 20);
    window.show();
    window.open_store(store_.qpath());
    for (const PageId page : kPages) {
      window.workspace().go(page);
      window.workspace().select(5);
      QTRY_COMPARE(window.workspace().session()->pending(), 0);
      test_new();
      for (auto* tabs : window.findChildren<QTabWidget*>())
        for (int i = 0; tabs->isVisible() && tabs->accessibleName() != QLatin1String("Browse") && i < tabs->count();
             ++i)
          tabs->setCurrentIndex(i);
      for (auto* view : window.findChildren<QTableView*>())
        if (view->isVisible() && view->isSortingEnabled())
          for (int column = 0; column < view->model()->columnCount(); ++column) {
            view->sortByColumn(column, Qt::AscendingOrder);
            QTRY_COMPARE(window.workspace().session()->pending(), 0);
          }
      window.workspace().set_filter(QStringLiteral("outcome:miss"));
      QTRY_COMPARE(window.workspace().session()->pending(), 0);
      window.workspace().set_filter({});
    }
    window.open_store(store_.qpath());
    QTRY_COMPARE(window.workspace().session()->pending(), 0);
    window.workspace().close();
    test_new();
  }

  void every_control_has_a_name() {
    auto window = shown();
    QStringList unnamed;
    const auto walk = [&](const QString& page) {
      for (QWidget* w : window->findChildren<QWidget*>()) {
        if (!w->isVisible() || w->focusPolicy() == Qt::NoFocus || w->objectName().startsWith(QStringLiteral("qt_")))
          continue;
        if (qobject_cast<QLabel*>(w)) continue;
        QAccessibleInterface* a = QAccessible::queryAccessibleInterface(w);
        if (!a || a->text(QAccessible::Name).isEmpty())
          unnamed << QStringLiteral("%1: %2 in %3")
                         .arg(page, QString::fromLatin1(w->metaObject()->className()),
                              w->parentWidget() ? w->parentWidget()->accessibleName() : QString());
      }
    };
    for (const PageId page : kPages) {
      window->workspace().go(page);
      window->workspace().select(5);
      QTRY_COMPARE(window->workspace().session()->pending(), 0);
      walk(QString::number(int(page)));
      // What lies behind tabs, whichever they are.
      for (auto* tabs : window->findChildren<QTabWidget*>())
        for (int i = 0; tabs->isVisible() && tabs->accessibleName() != QLatin1String("Browse") && i < tabs->count();
             ++i) {
          tabs->setCurrentIndex(i);
          walk(QStringLiteral("%1, %2").arg(int(page)).arg(tabs->tabText(i)));
        }
    }
    QTest::keyClick(window.get(), Qt::Key_K, Qt::ControlModifier);
    window->workspace().report({ErrorKind::io, "what", "where", "hint"});
    walk(QStringLiteral("panels"));
    const std::function<void(const QWidget&)> walk_menus = [&](const QWidget& bar) {
      for (const QAction* action : bar.actions()) {
        if (!action->isSeparator() && action->text().isEmpty()) unnamed << QStringLiteral("an action of a menu");
        if (action->menu()) walk_menus(*action->menu());
      }
    };
    walk_menus(*window->menuBar());
    unnamed.removeDuplicates();
    QVERIFY2(unnamed.isEmpty(), qPrintable(unnamed.join(u'\n')));
  }

  void colours_stand_in_the_theme_alone() {
    static const QRegularExpression literal(
        QStringLiteral("#[0-9a-fA-F]{3,8}\\b|\\bQColor\\s*\\(\\s*(?:0x|\\d|\")|\\bqRgba?\\(|\\bQColorConstants\\b|"
                       "\\bQt::(?:red|green|blue|white|black|gray|darkGray|lightGray|yellow|cyan|magenta)\\b"));
    QStringList found;
    QDirIterator files(QStringLiteral(KEYHOLE_SOURCE_DIR "/inspector"),
                       {QStringLiteral("*.cpp"), QStringLiteral("*.h")}, QDir::Files, QDirIterator::Subdirectories);
    int seen = 0;
    while (files.hasNext()) {
      QFile file(files.next());
      if (file.fileName().endsWith(QStringLiteral("/theme.cpp"))) continue;
      QVERIFY(file.open(QIODevice::ReadOnly));
      ++seen;
      int number = 0;
      for (const QString& line : QString::fromUtf8(file.readAll()).split(u'\n')) {
        ++number;
        if (literal.match(line).hasMatch())
          found << QStringLiteral("%1:%2: %3").arg(file.fileName()).arg(number).arg(line);
      }
    }
    QVERIFY(seen > 20);
    QVERIFY2(found.isEmpty(), qPrintable(found.join(u'\n')));
  }

  void both_schemes_keep_contrast() {
    // WCAG: 4.5 for text, 3 for shapes.
    const auto luminance = [](const QColor& c) {
      const auto part = [](double v) { return v <= 0.03928 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4); };
      return 0.2126 * part(c.redF()) + 0.7152 * part(c.greenF()) + 0.0722 * part(c.blueF());
    };
    const auto contrast = [&](const QColor& a, const QColor& b) {
      const double x = luminance(a) + 0.05, y = luminance(b) + 0.05;
      return std::max(x, y) / std::min(x, y);
    };
    for (const Scheme scheme : {Scheme::light, Scheme::dark}) {
      apply_theme(*qApp, scheme);
      QWidget w;
      const Theme& t = Theme::of(w);
      QCOMPARE(t.dark, scheme == Scheme::dark);
      QVERIFY(contrast(t.text, t.surface) >= 7);
      QVERIFY(contrast(t.muted, t.surface) >= 4.5);
      QVERIFY(contrast(t.muted, t.window) >= 4.5);
      QVERIFY(contrast(t.accent, t.surface) >= 4.5);
      for (int o = 1; o <= kOutcomes; ++o) QVERIFY2(contrast(t.of(Outcome(o)), t.surface) >= 3, name_of(Outcome(o)));
      for (const QColor& c : {t.keyword, t.literal, t.number}) QVERIFY(contrast(c, t.surface) >= 4.5);
    }
    apply_theme(*qApp, Scheme::light);
  }
};

QTEST_MAIN(TestWindow)
#include "test_window.moc"
