// SPDX-License-Identifier: Apache-2.0
// inspector_bench STORE [RECORDING] [PART...]: what the window costs on a store of any size. Prints, one a line: when
// the first rows stand in the table; the longest time that the GUI thread was not back in its event loop while
// scrolling, jumping, filtering, importing RECORDING into the store, sorting, and looking through the entries; how long
// a frame of the timeline takes; the memory. Parts: scroll, filter, import, sort, entries, frame; without one, all.
// Offscreen: painting is on the CPU, as in a remote session.
#include <QApplication>
#include <QElapsedTimer>
#include <QFile>
#include <QProgressBar>
#include <QPushButton>
#include <QScrollBar>
#include <QStandardPaths>
#include <QTableView>
#include <QThread>
#include <cstdio>
#include <set>
#include <string>

#include "inspector/models/entry_model.h"
#include "inspector/models/lookup_model.h"
#include "inspector/ui/bars.h"
#include "inspector/ui/entries_page.h"
#include "inspector/ui/history_page.h"
#include "inspector/ui/main_window.h"
#include "inspector/ui/timeline_view.h"

using namespace keyhole;
using namespace keyhole::inspector;

namespace {

// The longest gap between two turns of the event loop since the last call.
class Gaps : public QObject {
 public:
  Gaps() {
    timer_.start();
    startTimer(1);
  }
  double take() {
    const double longest = double(longest_) / 1e6;
    longest_ = 0;
    timer_.restart();
    return longest;
  }

 protected:
  void timerEvent(QTimerEvent*) override {
    longest_ = std::max(longest_, timer_.nsecsElapsed());
    timer_.restart();
  }

 private:
  QElapsedTimer timer_;
  qint64 longest_ = 0;
};

// With KEYHOLE_BENCH_EVENTS=1 names what held up the GUI thread for more than 20 ms.
class Application : public QApplication {
 public:
  using QApplication::QApplication;
  bool notify(QObject* receiver, QEvent* event) override {
    static const bool tells = qEnvironmentVariableIntValue("KEYHOLE_BENCH_EVENTS") != 0;
    if (!tells || QThread::currentThread() != thread()) return QApplication::notify(receiver, event);
    const char* name = receiver->metaObject()->className();
    const auto type = event->type();
    const QString object = receiver->objectName();
    const qint64 inner_before = inner_;
    inner_ = 0;
    QElapsedTimer timer;
    timer.start();
    const bool result = QApplication::notify(receiver, event);
    const qint64 took = timer.nsecsElapsed(), own = took - inner_;
    if (own > 20'000'000)
      std::printf("    %s %s, event %d: %.1f ms\n", name, object.toLocal8Bit().constData(), int(type),
                  double(own) / 1e6);
    inner_ = inner_before + took;
    return result;
  }

 private:
  qint64 inner_ = 0;
};

double megabytes(const char* field) {
  QFile status(QStringLiteral("/proc/self/status"));
  if (!status.open(QIODevice::ReadOnly)) return -1;
  for (const QByteArray& line : status.readAll().split('\n'))
    if (line.startsWith(field)) return line.mid(line.indexOf(':') + 1).trimmed().split(' ').first().toDouble() / 1024;
  return -1;
}

template <class Condition>
double wait_for(Condition done, int seconds = 120) {
  QElapsedTimer timer;
  timer.start();
  while (!done() && timer.elapsed() < seconds * 1000) QApplication::processEvents(QEventLoop::WaitForMoreEvents);
  return double(timer.nsecsElapsed()) / 1e6;
}

const char* title_of_column(const QAbstractItemModel& model, int column) {
  static QByteArray title;
  title = model.headerData(column, Qt::Horizontal, Qt::DisplayRole).toString().toLocal8Bit();
  return title.constData();
}

/// The window on one store, and what is measured of it.
class Bench {
 public:
  Bench() {
    window_.resize(1600, 1000);
    window_.show();
    QApplication::processEvents();
    page_ = window_.findChild<HistoryPage*>();
    table_ = page_->table()->view();
    model_ = page_->table()->model();
    timeline_ = page_->timeline()->view();
  }

  void open(const QString& store) {
    gaps_.take();
    QElapsedTimer timer;
    timer.start();
    window_.open_store(store);
    window_.workspace().go(PageId::history);
    const double asked = double(timer.nsecsElapsed()) / 1e6;
    wait_for([&] { return model_->rowCount() > 0; });
    QApplication::processEvents();  // painted
    std::printf(
        "first rows            %8.1f ms, of these %.1f ms within open_store(), longest gap of the GUI thread %5.1f "
        "ms\n",
        double(timer.nsecsElapsed()) / 1e6, asked, gaps_.take());
    wait_for([&] { return model_->total() >= 0; });
    std::printf("counted %lld lookups  %8.1f ms, longest gap %5.1f ms\n", static_cast<long long>(model_->total()),
                double(timer.nsecsElapsed()) / 1e6, gaps_.take());
    wait_for([&] {
      return timeline_->timeline() && timeline_->timeline()->is_complete() &&
             window_.workspace().session()->pending() == 0;
    });
    std::printf("timeline of all of it %8.1f ms, longest gap %5.1f ms\n", double(timer.nsecsElapsed()) / 1e6,
                gaps_.take());
  }

  void scroll() {
    scroll_through(*table_);
    QScrollBar* bar = table_->verticalScrollBar();
    double worst = 0;
    for (const double part : {0.5, 0.9, 0.1, 0.75, 0.33}) {
      const int row = int(part * model_->rowCount());
      bar->setValue(bar->minimum() + int(part * (bar->maximum() - bar->minimum())));
      worst = std::max(worst, wait_for([&] { return model_->index(row, 1).data().toString().size() > 0; }));
    }
    std::printf("a jump anywhere       %8.1f ms at most until its rows are there, longest gap %5.1f ms\n", worst,
                gaps_.take());
  }

  void filter() {
    for (const char* filter : {"outcome:miss cost>1s", "layer:fx_graph -outcome:hit", "run:run12"}) {
      const double first = first_rows(*model_, [&] { window_.workspace().set_filter(QString::fromLatin1(filter)); });
      std::printf("filter %-30s first rows %8.1f ms, longest gap %5.1f ms\n", filter, first, gaps_.take());
      wait_for([&] { return model_->total() >= 0; });
      quiet();
      std::printf("       %lld counted, timeline drawn, longest gap %5.1f ms\n",
                  static_cast<long long>(model_->total()), gaps_.take());
    }
    window_.workspace().set_filter({});
    quiet();
  }

  void import(const QString& recording) {
    auto* panel = window_.findChild<ImportPanel*>();
    const auto* bar = panel->findChild<QProgressBar*>();
    window_.open_paths({recording});
    wait_for([&] { return !panel->busy() || (bar->maximum() > 0 && bar->value() > 0); });
    if (panel->busy()) {
      panel->findChild<QPushButton*>()->click();
      std::printf("an import cancelled   %8.1f ms until it has stopped\n", wait_for([&] { return !panel->busy(); }));
    }
    quiet();
    gaps_.take();
    QElapsedTimer took;
    took.start();
    window_.open_paths({recording});
    wait_for([&] { return !panel->busy(); });
    std::printf("importing             %8.1f ms, longest gap %5.1f ms\n", double(took.nsecsElapsed()) / 1e6,
                gaps_.take());
    quiet();
    std::printf("       counted and drawn, longest gap %5.1f ms\n", gaps_.take());
  }

  void sort() {
    for (const LookupColumn column : {LookupColumn::cost, LookupColumn::key, LookupColumn::time}) {
      const double first = first_rows(*model_, [&] { table_->sortByColumn(int(column), Qt::DescendingOrder); });
      std::printf("sort by %-29s first rows %8.1f ms, longest gap %5.1f ms\n", title_of_column(*model_, int(column)),
                  first, gaps_.take());
    }
  }

  void entries() {
    auto* page = window_.findChild<EntriesPage*>();
    EntryModel* model = page->model();
    const double first = first_rows(*model, [&] { window_.workspace().go(PageId::entries); });
    QTableView* table = nullptr;
    for (QTableView* view : page->findChildren<QTableView*>())
      if (view->model() == model) table = view;
    wait_for([&] { return model->total() >= 0; });
    std::printf("%lld entries: first rows %.1f ms, longest gap %5.1f ms\n", static_cast<long long>(model->total()),
                first, gaps_.take());
    if (model->total() == 0) return;
    scroll_through(*table);
    for (int column = 0; column < kEntryColumns; ++column) {
      const double sorted = first_rows(*model, [&] { table->sortByColumn(column, Qt::AscendingOrder); });
      quiet();
      std::printf("sort entries by %-21s first rows %8.1f ms, longest gap %5.1f ms\n", title_of_column(*model, column),
                  sorted, gaps_.take());
    }
    for (const char* filter :
         {"layer:fx_graph size>20KB", "file:fxgraph/a", "guard:s0", "triton_poi", "key:/^f.*7$/"}) {
      const double filtered =
          first_rows(*model, [&] { window_.workspace().entry_filter().set(QString::fromLatin1(filter)); });
      wait_for([&] { return model->total() >= 0; });
      quiet();
      std::printf("filter entries %-22s first rows %8.1f ms, %lld counted, longest gap %5.1f ms\n", filter, filtered,
                  static_cast<long long>(model->total()), gaps_.take());
    }
    window_.workspace().entry_filter().set({});
    quiet();
    window_.workspace().go(PageId::history);
    quiet();
  }

  void frame() {
    QPixmap pixmap(timeline_->viewport()->size());
    double slowest = 0;
    for (int i = 0; i < 40; ++i) {
      QElapsedTimer one;
      one.start();
      timeline_->viewport()->render(&pixmap);
      slowest = std::max(slowest, double(one.nsecsElapsed()) / 1e6);
      timeline_->zoom(0.8, timeline_->viewport()->width() * 0.6);
    }
    std::printf("a frame of the timeline %6.1f ms at most, %lld lanes\n", slowest,
                static_cast<long long>(timeline_->timeline()->lane_count()));
  }

 private:
  void quiet() {
    wait_for([&] { return window_.workspace().session()->pending() == 0; });
  }

  template <class Ask>
  double first_rows(PagedModelBase& model, Ask ask) {
    gaps_.take();
    bool loaded = false;
    const auto connection = QObject::connect(&model, &PagedModelBase::loaded, [&] { loaded = true; });
    QElapsedTimer timer;
    timer.start();
    ask();
    wait_for([&] { return loaded; });
    QObject::disconnect(connection);
    return double(timer.nsecsElapsed()) / 1e6;
  }

  void scroll_through(QTableView& table) {
    gaps_.take();
    for (int i = 0; i < 300; ++i) {
      table.verticalScrollBar()->setValue(i * 400);
      QApplication::processEvents();
      QThread::msleep(2);
    }
    std::printf("scrolling 300 steps   longest gap %5.1f ms\n", gaps_.take());
  }

  Gaps gaps_;
  MainWindow window_;
  HistoryPage* page_;
  QTableView* table_;
  LookupModel* model_;
  TimelineView* timeline_;
};

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  qputenv("QT_QPA_PLATFORM", "offscreen");
  Application app(argc, argv);
  const std::set<QString> known{QStringLiteral("scroll"), QStringLiteral("filter"),  QStringLiteral("import"),
                                QStringLiteral("sort"),   QStringLiteral("entries"), QStringLiteral("frame")};
  std::set<QString> parts;
  QStringList paths;
  for (int i = 1; i < argc; ++i) {
    const QString word = QString::fromLocal8Bit(argv[i]);
    if (known.contains(word))
      parts.insert(word);
    else
      paths << word;
  }
  if (paths.isEmpty()) {
    std::fprintf(stderr, "usage: inspector_bench STORE [RECORDING] [PART...]\n");
    return 2;
  }
  const auto wanted = [&](const char* part) { return parts.empty() || parts.contains(QString::fromLatin1(part)); };
  QStandardPaths::setTestModeEnabled(true);
  apply_theme(app, Scheme::light);
  Bench bench;
  bench.open(paths[0]);
  if (wanted("scroll")) bench.scroll();
  if (wanted("filter")) bench.filter();
  if (wanted("import") && paths.size() > 1) bench.import(paths[1]);
  if (wanted("sort")) bench.sort();
  if (wanted("entries")) bench.entries();
  if (wanted("frame")) bench.frame();
  std::printf("memory                %8.0f MB, at most %.0f MB\n", megabytes("VmRSS"), megabytes("VmHWM"));
  return 0;
}
