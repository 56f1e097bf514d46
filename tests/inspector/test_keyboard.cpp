// SPDX-License-Identifier: Apache-2.0
// Walks through every page by keys alone, and through sizes of the window: what has the focus is seen to have it, Tab
// is never trapped, and nothing is cut off or covered.
#include <QAbstractButton>
#include <QApplication>
#include <QComboBox>
#include <QFileDialog>
#include <QLabel>
#include <QLineEdit>
#include <QMenuBar>
#include <QSettings>
#include <QStackedWidget>
#include <QStandardPaths>
#include <QStatusBar>
#include <QTabBar>
#include <QTableView>
#include <QtTest>

#include "inspector/ui/history_page.h"
#include "inspector/ui/main_window.h"
#include "made_store.h"

using namespace keyhole;
using namespace keyhole::inspector;

namespace {

QString told(const QWidget& w) {
  return QStringLiteral("%1 ‘%2’").arg(QString::fromLatin1(w.metaObject()->className()), w.accessibleName());
}

}  // namespace

class TestKeyboard : public QObject {
  Q_OBJECT
  made::Store store_;

  void fill() {
    store_.fill();
    SnapshotRecord snapshot;
    snapshot.location = "/cache";
    snapshot.time = made::kMorning;
    const auto id = store_.recorder().begin_snapshot(snapshot);
    EntryRecord e;
    e.layer = Layer::fx_graph;
    e.key = made::key_of('f', "0 on");
    e.path = "fxgraph/x";
    e.guard = "L['s0'] <= 8 and 2 <= L['s1']";
    store_.recorder().entry(id, e);
    auto p = store_.begin("make", made::kMorning + 5000 * made::kSecond);
    const Component source{"source", made::digest_of("main.cpp"), "main.cpp"};
    LookupRecord r;
    r.layer = Layer::code;
    r.key = "kabc";
    r.outcome = Outcome::miss;
    r.time = made::kMorning + 5001 * made::kSecond;
    r.cost = made::kSecond;
    r.components.push_back(&source);
    store_.recorder().lookup(p, r);
    store_.commit();
  }

  static constexpr PageId kAll[] = {PageId::overview, PageId::history,  PageId::entries,
                                    PageId::compiles, PageId::diagnose, PageId::compare};

  // A page with its answers there and something chosen in it.
  static void settle(MainWindow& window) {
    int calm = 0;
    for (int i = 0; i < 400 && calm < 5; ++i) {
      QTest::qWait(5);
      const Session* session = window.workspace().session();
      calm = session && session->pending() == 0 ? calm + 1 : 0;
    }
  }
  std::unique_ptr<MainWindow> shown() {
    auto window = std::make_unique<MainWindow>();
    window->show();
    window->activateWindow();
    window->open_store(store_.qpath());
    settle(*window);
    return window;
  }
  RowId a_miss(MainWindow& window) {
    RowId id = 0;
    window.workspace().session()->ask(
        Session::Lane::quick, &window, 7,
        [](Source& source, const Ticket&) {
          LookupQuery query;
          query.filter = parse_filter(QStringLiteral("outcome:miss run:B layer:fx_graph")).root;
          return source.rows(query, 0, 1);
        },
        [&](const Result<std::vector<LookupRow>>& rows) {
          if (rows && !rows->empty()) id = rows->front().id;
        });
    settle(window);
    return id;
  }

 private slots:
  void initTestCase() {
    QStandardPaths::setTestModeEnabled(true);
    QApplication::setOrganizationName(QStringLiteral("keyhole-test"));
    QApplication::setApplicationName(QStringLiteral("keyboard"));
    apply_theme(*qApp, Scheme::light);
    fill();
  }
  void init() { QSettings().clear(); }

  void keys_reach_every_page() {
    auto window = shown();
    QVERIFY(QTest::qWaitForWindowActive(window.get(), 60'000));
    const auto press = [&](int key, Qt::KeyboardModifiers modifiers = Qt::NoModifier) {
      QTest::keyClick(QApplication::focusWidget() ? QApplication::focusWidget() : window.get(), Qt::Key(key),
                      modifiers);
    };
    const std::pair<const char*, PageId> names[] = {{"his", PageId::history},    {"ent", PageId::entries},
                                                    {"compi", PageId::compiles}, {"dia", PageId::diagnose},
                                                    {"compar", PageId::compare}, {"over", PageId::overview}};
    for (const auto& [typed, page] : names) {
      press(Qt::Key_K, Qt::ControlModifier);
      QTest::keyClicks(QApplication::focusWidget(), QLatin1String(typed));
      settle(*window);
      press(Qt::Key_Return);
      QCOMPARE(window->workspace().place().page, page);
    }
    for (int i = 0; i < 5; ++i) press(Qt::Key_Left, Qt::AltModifier);
    QCOMPARE(window->workspace().place().page, PageId::history);
    press(Qt::Key_2, Qt::ControlModifier);
    QCOMPARE(window->workspace().place().page, PageId::diagnose);
    press(Qt::Key_3, Qt::ControlModifier);
    QCOMPARE(window->workspace().place().page, PageId::compare);
    press(Qt::Key_1, Qt::ControlModifier);
    QCOMPARE(window->workspace().place().page, PageId::history);
    QTabBar* tabs = nullptr;
    for (QTabBar* bar : window->findChildren<QTabBar*>())
      if (bar->isVisible()) tabs = bar;
    QVERIFY(tabs);
    tabs->setFocus();
    press(Qt::Key_Right);
    QCOMPARE(window->workspace().place().page, PageId::entries);
  }

  // Tab goes through all that can be used, shows where it is, and comes round again.
  void tab_is_seen_and_never_trapped() {
    auto window = shown();
    QVERIFY(QTest::qWaitForWindowActive(window.get(), 60'000));
    const RowId miss = a_miss(*window);
    QVERIFY(miss != 0);
    QStringList wrong;
    for (const PageId page : kAll) {
      Place place;
      place.page = page;
      place.lookup = miss;
      window->workspace().go(place);
      settle(*window);
      const QString name = QStringLiteral("page %1: ").arg(int(page));
      QSet<QWidget*> wanted, seen;
      for (QWidget* w : window->findChildren<QWidget*>())
        if (w->isVisible() && w->isEnabled() && (w->focusPolicy() & Qt::TabFocus) && !w->focusProxy() &&
            !w->objectName().startsWith(QStringLiteral("qt_")))
          wanted << w;
      QWidget* first = QApplication::focusWidget();
      if (!first) {
        wrong << name + QStringLiteral("nothing has the focus");
        continue;
      }
      QWidget* at = first;
      bool round = false;
      for (int step = 0; step < 80 && !round; ++step) {
        seen << at;
        const QImage with = at->grab().toImage();
        QTest::keyClick(at, Qt::Key_Tab);
        QWidget* next = QApplication::focusWidget();
        if (next == at || !next) {
          wrong << name + told(*at) + QStringLiteral(" keeps the focus");
          break;
        }
        if (at->grab().toImage() == with) wrong << name + told(*at) + QStringLiteral(" looks the same without focus");
        at = next;
        round = at == first || seen.contains(at);
      }
      if (!round) wrong << name + QStringLiteral("Tab does not come round");
      for (const QWidget* w : wanted - seen) wrong << name + told(*w) + QStringLiteral(" is not reached");
    }
    QVERIFY2(wrong.isEmpty(), qPrintable(u'\n' + wrong.join(u'\n')));
  }

  void nothing_is_cut_off_or_covered_data() {
    QTest::addColumn<QSize>("size");
    QTest::newRow("small") << QSize(800, 500);
    QTest::newRow("large") << QSize(2560, 1440);
  }
  void nothing_is_cut_off_or_covered() {
    QFETCH(QSize, size);
    auto window = shown();
    const RowId miss = a_miss(*window);
    QStringList wrong;
    for (const PageId page : kAll) {
      Place place;
      place.page = page;
      place.lookup = miss;
      window->workspace().go(place);
      window->resize(size);
      settle(*window);
      const QString name = QStringLiteral("page %1: ").arg(int(page));
      if (window->size() != size)
        wrong << name + QStringLiteral("is %1 by %2").arg(window->width()).arg(window->height());
      for (QWidget* w : window->findChildren<QWidget*>()) {
        QWidget* parent = w->parentWidget();
        if (!w->isVisible() || w->isWindow() || !parent || w->objectName().startsWith(QStringLiteral("qt_"))) continue;
        const bool is_control = qobject_cast<QAbstractButton*>(w) || qobject_cast<QComboBox*>(w) ||
                                qobject_cast<QLineEdit*>(w) || qobject_cast<QLabel*>(w);
        if (!is_control || qobject_cast<QLineEdit*>(parent)) continue;
        const auto* label = qobject_cast<QLabel*>(w);
        const QSize least = label && label->wordWrap() ? QSize(1, 1) : w->minimumSizeHint();
        if (w->width() < least.width() || w->height() < least.height() || !parent->rect().contains(w->geometry()))
          wrong << name + told(*w) + (label ? label->text().left(60) : QString()) +
                       QStringLiteral(" has %1 by %2 of %3 by %4")
                           .arg(w->width())
                           .arg(w->height())
                           .arg(least.width())
                           .arg(least.height());
        for (QObject* other : parent->children()) {
          auto* o = qobject_cast<QWidget*>(other);
          if (o && o != w && o->isVisible() && !o->isWindow() && o->geometry().intersects(w->geometry()))
            wrong << name + told(*w) + QStringLiteral(" and ") + told(*o) + QStringLiteral(" overlap");
        }
      }
    }
    QVERIFY2(wrong.isEmpty(), qPrintable(u'\n' + wrong.join(u'\n')));
  }

  // The dialog takes a path that is typed, and what it names is imported.
  void a_typed_path_is_imported() {
    const QString recording = QStringLiteral(KEYHOLE_SOURCE_DIR "/resources/sample/warm-up");
    made::Store store;
    store.fill();
    MainWindow window;
    window.show();
    window.activateWindow();
    window.open_store(store.qpath());
    settle(window);
    QVERIFY(QTest::qWaitForWindowActive(&window, 60'000));
    window.workspace().go(PageId::history);
    settle(window);
    QAction* import = nullptr;
    for (QAction* menu : window.menuBar()->actions())
      for (QAction* action : menu->menu() ? menu->menu()->actions() : QList<QAction*>())
        if (action->text() == QStringLiteral("Import a &folder…")) import = action;
    QVERIFY(import);
    import->trigger();
    auto* dialog = window.findChild<QFileDialog*>();
    QVERIFY(dialog && dialog->isVisible() && !dialog->isModal());
    auto* name = dialog->findChild<QLineEdit*>(QStringLiteral("fileNameEdit"));
    QVERIFY(name);
    dialog->activateWindow();
    QVERIFY(QTest::qWaitForWindowActive(dialog, 60'000));
    QTRY_VERIFY(name->hasFocus());
    name->selectAll();
    QTest::keyClicks(name, recording);
    QTest::keyClick(name, Qt::Key_Return);
    auto* table = window.findChild<HistoryPage*>()->table()->view();
    QTRY_COMPARE_WITH_TIMEOUT(table->model()->rowCount(), 8 + 3, 10'000);
  }
};

QTEST_MAIN(TestKeyboard)
#include "test_keyboard.moc"
