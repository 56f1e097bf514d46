// SPDX-License-Identifier: Apache-2.0
// A program as a child that is measured, limited or killed: what QProcess does not tell or do.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <QByteArray>
#include <QDir>
#include <QFile>
#include <QString>
#include <QStringList>
#include <QTemporaryFile>
#include <functional>
#include <vector>

#include "command.h"

namespace keyhole::test {

class Child {
 public:
  /// Starts `words`; `prepare` runs in the child before the program does.
  explicit Child(const QStringList& words, const std::function<void()>& prepare = {}) {
    (void)(out_.open() && err_.open());
    std::vector<QByteArray> bytes;
    for (const QString& word : words) bytes.push_back(word.toLocal8Bit());
    std::vector<char*> argv;
    for (QByteArray& word : bytes) argv.push_back(word.data());
    argv.push_back(nullptr);
    int started[2];
    (void)!::pipe2(started, O_CLOEXEC);
    pid_ = ::fork();
    if (pid_ != 0) {
      // Closed by exec: from then on a signal meets the program, not the handlers that the child has of us.
      char byte;
      ::close(started[1]);
      (void)!::read(started[0], &byte, 1);
      ::close(started[0]);
      return;
    }
    ::dup2(::open("/dev/null", O_RDONLY), 0);
    ::dup2(out_.handle(), 1);
    ::dup2(err_.handle(), 2);
    if (prepare) prepare();
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    (void)wait();
  }

  [[nodiscard]] pid_t pid() const { return pid_; }
  void signal(int number) const { ::kill(pid_, number); }
  /// Waits for its end.
  Ran wait() {
    int status = 0;
    ::wait4(pid_, &status, 0, &usage_);
    pid_ = -1;
    Ran ran;
    ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    ran.out = content(out_);
    ran.err = content(err_);
    return ran;
  }
  /// Of the child and of those that it waited for, once it has ended.
  [[nodiscard]] long peak_mib() const { return usage_.ru_maxrss / 1024; }

 private:
  static QByteArray content(QTemporaryFile& file) {
    QFile again(file.fileName());  // the child moved the offset that we share
    return again.open(QIODevice::ReadOnly) ? again.readAll() : QByteArray();
  }

  pid_t pid_ = -1;
  QTemporaryFile out_, err_;
  rusage usage_{};
};

}  // namespace keyhole::test
