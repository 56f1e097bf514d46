// SPDX-License-Identifier: Apache-2.0
#include "jobserver.h"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>

namespace keyhole {
namespace {

/// The flag's value; of several the last counts.
std::string_view auth_of(std::string_view makeflags) {
  std::string_view found;
  for (const std::string_view flag : {"--jobserver-auth=", "--jobserver-fds="})
    if (const auto at = makeflags.rfind(flag); at != std::string_view::npos && found.empty()) {
      found = makeflags.substr(at + flag.size());
      found = found.substr(0, found.find(' '));
    }
  return found;
}

/// Anew, so that not blocking is ours alone and not that of everyone who shares the pipe.
int open_again(const std::string& fd, int flags) {
  return ::open(("/proc/self/fd/" + fd).c_str(), flags | O_NONBLOCK | O_CLOEXEC);
}

}  // namespace

Jobserver::Jobserver(std::string_view makeflags) {
  const std::string auth(auth_of(makeflags));
  if (auth.empty()) return;
  if (auth.starts_with("fifo:")) {
    reader_ = ::open(auth.substr(5).c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
    writer_ = reader_ < 0 ? -1 : ::fcntl(reader_, F_DUPFD_CLOEXEC, 0);
  } else if (const auto comma = auth.find(','); comma != std::string::npos && auth.front() != '-') {
    reader_ = open_again(auth.substr(0, comma), O_RDONLY);
    writer_ = open_again(auth.substr(comma + 1), O_WRONLY);
  }
  if (writer_ >= 0) return;
  if (reader_ >= 0) ::close(reader_);
  reader_ = -1;
}

Jobserver::~Jobserver() {
  while (running_ > 0) give();
  if (reader_ >= 0) ::close(reader_);
  if (writer_ >= 0) ::close(writer_);
}

bool Jobserver::take() {
  if (active() && running_ > 0) {
    char token = 0;
    if (::read(reader_, &token, 1) != 1) return false;
    tokens_.push_back(token);
  }
  ++running_;
  return true;
}

void Jobserver::give() {
  if (running_ == 0) return;
  --running_;
  if (tokens_.empty()) return;
  const char token = tokens_.back();  // the very byte that was taken: make tells its own by it
  tokens_.pop_back();
  static_cast<void>(!::write(writer_, &token, 1));
}

}  // namespace keyhole
