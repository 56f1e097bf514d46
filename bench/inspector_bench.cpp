// SPDX-License-Identifier: Apache-2.0
// inspector_bench STORE [RECORDING]: what the window costs on a store of any size. Prints, one a line: when the first
// rows stand in the table; the longest time that the GUI thread was not back in its event loop while scrolling,
// jumping, filtering, sorting and importing RECORDING into the store; how long a frame of the timeline takes; the
// memory. Offscreen: painting is on the CPU, as in a remote session.
#include <QApplication>
#include <QElapsedTimer>
#include <QFile>
#include <QScrollBar>
#include <QStandardPaths>
#include <QTableView>
#include <QThread>
#include <cstdio>

#include "inspector/models/lookup_model.h"
#include "inspector/ui/bars.h"
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
    if (!tells) return QApplication::notify(receiver, event);
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

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  qputenv("QT_QPA_PLATFORM", "offscreen");
  Application app(argc, argv);
  if (argc < 2) {
    std::fprintf(stderr, "usage: inspector_bench STORE [RECORDING]\n");
    return 2;
  }
  QStandardPaths::setTestModeEnabled(true);
  apply_theme(app, Scheme::light);
  Gaps gaps;
  MainWindow window;
  window.resize(1600, 1000);
  window.show();
  QApplication::processEvents();
  gaps.take();

  QElapsedTimer timer;
  timer.start();
  window.open_store(QString::fromLocal8Bit(argv[1]));
  window.workspace().go(PageId::history);
  auto* page = window.findChild<HistoryPage*>();
  QTableView* table = page->table()->view();
  LookupModel* model = page->table()->model();
  wait_for([&] { return model->rowCount() > 0; });
  table->grab();
  std::printf("first rows            %8.1f ms\n", double(timer.nsecsElapsed()) / 1e6);
  wait_for([&] { return model->total() >= 0; });
  std::printf("counted %lld lookups  %8.1f ms\n", static_cast<long long>(model->total()),
              double(timer.nsecsElapsed()) / 1e6);
  TimelineView* timeline = page->timeline()->view();
  wait_for([&] {
    return timeline->timeline() && timeline->timeline()->is_complete() && window.workspace().session()->pending() == 0;
  });
  std::printf("timeline of all of it %8.1f ms, longest gap of the GUI thread %5.1f ms\n",
              double(timer.nsecsElapsed()) / 1e6, gaps.take());

  QScrollBar* bar = table->verticalScrollBar();
  for (int i = 0; i < 300; ++i) {
    bar->setValue(i * 400);
    QApplication::processEvents();
    QThread::msleep(2);
  }
  std::printf("scrolling 300 steps   longest gap %5.1f ms\n", gaps.take());
  double worst = 0;
  for (const double part : {0.5, 0.9, 0.1, 0.75, 0.33}) {
    const int row = int(part * model->rowCount());
    gaps.take();
    bar->setValue(bar->minimum() + int(part * (bar->maximum() - bar->minimum())));
    worst = std::max(worst, wait_for([&] { return model->index(row, 1).data().toString().size() > 0; }));
  }
  std::printf("a jump anywhere       %8.1f ms at most until its rows are there, longest gap %5.1f ms\n", worst,
              gaps.take());
  for (const char* filter : {"outcome:miss cost>1s", "layer:fx_graph -outcome:hit", "run:run12"}) {
    gaps.take();
    bool loaded = false;
    const auto connection = QObject::connect(model, &PagedModelBase::loaded, [&] { loaded = true; });
    window.workspace().set_filter(QString::fromLatin1(filter));
    const double first = wait_for([&] { return loaded; });
    QObject::disconnect(connection);
    std::printf("filter %-30s first rows %8.1f ms, longest gap %5.1f ms\n", filter, first, gaps.take());
    wait_for([&] { return model->total() >= 0; });
    wait_for([&] { return window.workspace().session()->pending() == 0; });
    std::printf("       %lld counted, timeline drawn, longest gap %5.1f ms\n", static_cast<long long>(model->total()),
                gaps.take());
  }
  window.workspace().set_filter({});
  wait_for([&] { return window.workspace().session()->pending() == 0; });
  if (argc > 2) {
    auto* import = window.findChild<ImportPanel*>();
    gaps.take();
    QElapsedTimer took;
    took.start();
    window.open_paths({QString::fromLocal8Bit(argv[2])});
    wait_for([&] { return !import->busy(); });
    std::printf("importing             %8.1f ms, longest gap %5.1f ms\n", double(took.nsecsElapsed()) / 1e6,
                gaps.take());
    wait_for([&] { return window.workspace().session()->pending() == 0; });
  }
  for (const LookupColumn column : {LookupColumn::cost, LookupColumn::key, LookupColumn::time}) {
    gaps.take();
    bool loaded = false;
    const auto connection = QObject::connect(model, &PagedModelBase::loaded, [&] { loaded = true; });
    table->sortByColumn(int(column), Qt::DescendingOrder);
    const double first = wait_for([&] { return loaded; });
    QObject::disconnect(connection);
    std::printf("sort by %-29s first rows %8.1f ms, longest gap %5.1f ms\n",
                model->headerData(int(column), Qt::Horizontal, Qt::DisplayRole).toString().toLocal8Bit().constData(),
                first, gaps.take());
  }
  QPixmap frame(timeline->viewport()->size());
  double slowest = 0;
  for (int i = 0; i < 40; ++i) {
    QElapsedTimer one;
    one.start();
    timeline->viewport()->render(&frame);
    slowest = std::max(slowest, double(one.nsecsElapsed()) / 1e6);
    timeline->zoom(0.8, timeline->viewport()->width() * 0.6);
  }
  std::printf("a frame of the timeline %6.1f ms at most, %lld lanes\n", slowest,
              static_cast<long long>(timeline->timeline()->lane_count()));
  std::printf("memory                %8.0f MB, at most %.0f MB\n", megabytes("VmRSS"), megabytes("VmHWM"));
  return 0;
}
