// SPDX-License-Identifier: Apache-2.0
#include "inspector/ui/screenshots.h"

#include <QApplication>
#include <QDir>
#include <QElapsedTimer>
#include <QPainter>
#include <QSettings>
#include <QTabWidget>
#include <QTableView>
#include <QTemporaryDir>
#include <QTextStream>
#include <QThread>

#include "inspector/core/filter.h"
#include "inspector/models/roles.h"
#include "inspector/ui/main_window.h"

namespace keyhole::inspector {
namespace {

constexpr int kPatience = 30'000;  // milliseconds for one page

// Until every question is answered and what the answers led to is painted.
bool settle(MainWindow& window) {
  QElapsedTimer timer;
  timer.start();
  int calm = 0;
  while (timer.elapsed() < kPatience && calm < 6) {
    QApplication::processEvents(QEventLoop::AllEvents, 20);
    Session* session = window.workspace().session();
    calm = session && session->pending() == 0 ? calm + 1 : 0;
    if (calm > 0) QThread::msleep(10);
  }
  return calm >= 6;
}

bool save(QWidget& window, const QString& file, int scale) {
  QPixmap pixmap(window.size() * scale);
  pixmap.setDevicePixelRatio(scale);
  pixmap.fill(Qt::transparent);
  window.render(&pixmap);
  return pixmap.save(file);
}

}  // namespace

int make_screenshots(const QString& store, const QString& folder) {
  QTextStream err(stderr);
  if (!QDir().mkpath(folder)) {
    err << "cannot make the folder " << folder << "; choose another\n";
    return 1;
  }
  // The user's own recent stores and layouts are neither shown nor changed.
  const QTemporaryDir settings;
  QSettings::setDefaultFormat(QSettings::IniFormat);
  QSettings::setPath(QSettings::IniFormat, QSettings::UserScope, settings.path());
  struct Shot {
    const char* name;
    Place place;
  };
  for (const Scheme scheme : {Scheme::light, Scheme::dark}) {
    apply_theme(*qApp, scheme);
    MainWindow window;
    QString failure;
    QObject::connect(&window.workspace(), &Workspace::failed, &window,
                     [&](const Error& e) { failure = QString::fromStdString(e.line()); });
    window.show();
    const auto shoot = [&](const QString& name) {
      for (const int scale : {1, 2}) {
        const QString file =
            QStringLiteral("%1/%2-%3%4.png")
                .arg(folder, name, scheme == Scheme::dark ? QStringLiteral("dark") : QStringLiteral("light"),
                     scale == 2 ? QStringLiteral("@2x") : QString());
        if (!save(window, file, scale)) failure = QStringLiteral("cannot write ") + file;
      }
    };
    shoot(QStringLiteral("start"));
    window.open_store(store);
    // What the pages show: the lookup that tells most, by verdict.
    RowId miss = 0, guard = 0;
    window.workspace().session()->ask(
        Session::Lane::quick, &window, 1,
        [](Source& source, const Ticket&) -> Result<std::pair<RowId, RowId>> {
          const auto newest = [&](const char* filter) -> RowId {
            LookupQuery query;
            query.filter = parse_filter(QString::fromLatin1(filter)).root;
            query.sort = LookupColumn::cost;
            auto rows = source.rows(query, 0, 50);
            if (!rows) return 0;
            for (const LookupRow& row : *rows)
              if (auto e = source.explanation(row.id, {});
                  e && (e->verdict == Verdict::key_differs || e->verdict == Verdict::guard_failed))
                return row.id;
            return rows->empty() ? 0 : rows->front().id;
          };
          return std::pair{newest("outcome:miss layer:fx_graph"), newest("outcome:guard_miss")};
        },
        [&](const Result<std::pair<RowId, RowId>>& found) {
          if (found) std::tie(miss, guard) = *found;
        });
    if (!settle(window)) failure = QStringLiteral("the store did not answer within 30 s");
    const Shot shots[] = {{"overview", {PageId::overview, {}, 0, 0, {}}},
                          {"history", {PageId::history, {}, miss, 0, {}}},
                          {"filter", {PageId::history, QStringLiteral("outcome:miss cost>100ms"), miss, 0, {}}},
                          {"entries", {PageId::entries, {}, 0, 0, {}}},
                          {"compiles", {PageId::compiles, {}, 0, 0, {}}},
                          {"pool", {PageId::compiles, {}, 0, 0, {}}},
                          {"why", {PageId::diagnose, {}, miss, 0, QStringLiteral("why")}},
                          {"guard", {PageId::diagnose, {}, guard, 0, QStringLiteral("why")}},
                          {"key", {PageId::diagnose, {}, miss, 0, QStringLiteral("key")}},
                          {"compare", {PageId::compare, {}, 0, 0, {}}}};
    for (const Shot& shot : shots) {
      if (QLatin1String(shot.name) == QLatin1String("guard") && guard == 0) continue;
      window.workspace().go(shot.place);
      settle(window);
      // In tables, the first row: what a row leads to is part of the page.
      if (shot.place.page == PageId::entries)
        for (QTableView* view : window.findChildren<QTableView*>())
          if (view->isVisible() && view->accessibleName() == QLatin1String("Entries") && view->model()->rowCount() > 0)
            view->selectRow(0);
      if (QLatin1String(shot.name) == QLatin1String("pool"))
        for (QTabWidget* tabs : window.findChildren<QTabWidget*>())
          for (int i = 0; i < tabs->count(); ++i)
            if (tabs->isVisible() && tabs->tabText(i) == QLatin1String("Pool")) tabs->setCurrentIndex(i);
      settle(window);
      shoot(QString::fromLatin1(shot.name));
    }
    if (!failure.isEmpty()) {
      err << failure << '\n';
      return 1;
    }
  }
  return 0;
}

}  // namespace keyhole::inspector
