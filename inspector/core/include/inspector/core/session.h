// SPDX-License-Identifier: Apache-2.0
// A store opened by the window: three threads, each with a Source of its own. Short questions go to `quick`, so that a
// page of rows never waits behind the explanation of 500 misses, which goes to `slow`. What reads the whole store goes
// to `scan`, in steps, so that its questions share one reading.
#pragma once

#include <QObject>
#include <QPointer>
#include <QThread>
#include <functional>
#include <map>
#include <memory>
#include <type_traits>

#include "inspector/core/source.h"

namespace keyhole::inspector {

/// Reading a whole store, or importing, must not take the processor from the thread that draws: the calling thread is
/// nicer from now on (Linux has a nice value a thread).
void give_way();

class Session : public QObject {
  Q_OBJECT
 public:
  using Opener = std::function<Result<std::unique_ptr<Source>>()>;
  enum class Lane { quick, slow, scan };

  /// Opens in the background: opened() or failed() follows. Questions asked meanwhile wait for it.
  explicit Session(Opener opener, QObject* parent = nullptr);
  ~Session() override;  ///< waits for the question in progress only

  /// Runs `work(Source&, const Ticket&)` on a thread of the session, then `done(result)` on this one. Of the questions
  /// that an asker puts on one channel only the newest is answered: older ones are skipped, or their answers dropped.
  /// Nothing is answered once the asker is gone.
  template <class Work, class Done>
  void ask(Lane lane, QObject* asker, int channel, Work work, Done done) {
    using Answer = std::invoke_result_t<Work&, Source&, const Ticket&>;
    post(lane, asker, channel,
         [work = std::move(work), done = std::move(done)](Result<Source*> source,
                                                          const Ticket& ticket) mutable -> std::function<void()> {
           auto answer =
               std::make_shared<Answer>(source ? work(**source, ticket) : Answer(tl::unexpect, source.error()));
           return [answer, done = std::move(done)]() mutable { done(std::move(*answer)); };
         });
  }
  /// Forgets what an asker asked on a channel.
  void drop(QObject* asker, int channel);

  /// Looks for new rows every `milliseconds`; 0 stops. changed() follows what another process wrote.
  void watch(int milliseconds);
  [[nodiscard]] int pending() const { return pending_; }  ///< questions not yet answered, skipped or dropped

 Q_SIGNALS:
  void opened();
  void failed(const keyhole::Error& error);
  void changed();
  void idle();  ///< every question was answered

 private:
  using Job = std::function<std::function<void()>(Result<Source*>, const Ticket&)>;
  struct Worker;
  void post(Lane lane, QObject* asker, int channel, Job job);
  void check_version();

  std::unique_ptr<Worker> workers_[3];
  std::map<std::pair<QObject*, int>, std::shared_ptr<std::atomic<std::uint64_t>>> latest_;
  std::uint64_t counter_ = 0;
  int pending_ = 0;
  std::int64_t version_ = -1;
  QObject* timer_ = nullptr;
};

}  // namespace keyhole::inspector
