// SPDX-License-Identifier: Apache-2.0
#include "inspector/core/session.h"

#include <sys/resource.h>

#include <QMetaObject>
#include <QTimer>

namespace keyhole::inspector {

void give_way() {
#ifdef __linux__
  constexpr int kNicer = 5;
  ::setpriority(PRIO_PROCESS, 0, kNicer);
#endif
}

// Lives on its own thread; `source` is opened, used and closed there.
struct Session::Worker {
  QThread thread;
  QObject context;
  std::unique_ptr<Source> source;
  Error error{ErrorKind::internal, "the store is not open yet", {}, {}};

  explicit Worker(Lane lane) {
    context.moveToThread(&thread);
    thread.start();
    if (lane == Lane::quick) return;
    QMetaObject::invokeMethod(&context, give_way, Qt::QueuedConnection);
  }
  ~Worker() {
    QMetaObject::invokeMethod(
        &context, [this] { source.reset(); }, Qt::QueuedConnection);
    thread.quit();
    thread.wait();
  }
  [[nodiscard]] Result<Source*> get() const {
    if (source) return source.get();
    return tl::unexpected(error);
  }
};

Session::Session(Opener opener, QObject* parent) : QObject(parent) {
  qRegisterMetaType<keyhole::Error>();
  for (std::size_t lane = 0; lane < std::size(workers_); ++lane) {
    auto& worker = workers_[lane];
    worker = std::make_unique<Worker>(Lane(lane));
    const bool first = lane == 0;
    QMetaObject::invokeMethod(
        &worker->context,
        [this, w = worker.get(), opener, first] {
          auto opened_source = opener();
          if (opened_source)
            w->source = std::move(*opened_source);
          else
            w->error = opened_source.error();
          if (!first) return;
          QMetaObject::invokeMethod(
              this,
              [this, error = w->source ? std::optional<Error>() : w->error] {
                error ? Q_EMIT failed(*error) : Q_EMIT opened();
              },
              Qt::QueuedConnection);
        },
        Qt::QueuedConnection);
  }
}

Session::~Session() {
  // Whatever still waits in the queues is stale now.
  for (auto& [asker, latest] : latest_) latest->store(0);
  for (auto& worker : workers_) worker.reset();
}

void Session::post(Lane lane, QObject* asker, int channel, Job job) {
  auto& latest = latest_[{asker, channel}];
  if (!latest) {
    latest = std::make_shared<std::atomic<std::uint64_t>>(0);
    if (asker != this)
      connect(asker, &QObject::destroyed, this, [this, asker, channel] {
        drop(asker, channel);
        latest_.erase({asker, channel});
      });
  }
  latest->store(++counter_);
  const Ticket ticket(latest, counter_);
  ++pending_;
  Worker* worker = workers_[std::size_t(lane)].get();
  QMetaObject::invokeMethod(
      &worker->context,
      [this, worker, ticket, job = std::move(job)]() mutable {
        std::function<void()> deliver;
        if (!ticket.stale()) {
          if (worker->source) worker->source->work_for(ticket);
          deliver = job(worker->get(), ticket);
        }
        QMetaObject::invokeMethod(
            this,
            [this, ticket, deliver = std::move(deliver)] {
              if (deliver && !ticket.stale()) deliver();
              if (--pending_ == 0) Q_EMIT idle();
            },
            Qt::QueuedConnection);
      },
      Qt::QueuedConnection);
}

void Session::drop(QObject* asker, int channel) {
  if (const auto it = latest_.find({asker, channel}); it != latest_.end()) it->second->store(0);
}

void Session::watch(int milliseconds) {
  delete timer_;
  timer_ = nullptr;
  if (milliseconds <= 0) return;
  auto* timer = new QTimer(this);
  timer_ = timer;
  connect(timer, &QTimer::timeout, this, &Session::check_version);
  timer->start(milliseconds);
}

void Session::check_version() {
  constexpr int kChannel = 0;
  ask(
      Lane::quick, this, kChannel, [](Source& source, const Ticket&) { return source.version(); },
      [this](const Result<std::int64_t>& version) {
        if (!version) return;
        const bool changed_now = version_ >= 0 && *version != version_;
        version_ = *version;
        if (changed_now) Q_EMIT changed();
      });
}

}  // namespace keyhole::inspector
