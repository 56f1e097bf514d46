// SPDX-License-Identifier: Apache-2.0
// hiredis bounds each read(2), not a whole reply, and would read a value of any length: a server that sends a byte now
// and then, or 500 MB, would hold the caller. So replies are read piece by piece here, against one deadline and one
// length.
#include "keyhole/remote/redis.h"

#include <hiredis/hiredis.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <vector>

#include "keyhole/base/environment.h"
#include "keyhole/base/os.h"

namespace keyhole {
namespace {

using Clock = std::chrono::steady_clock;

struct Closer {
  void operator()(redisContext* c) const { redisFree(c); }
};
struct ReplyFreer {
  void operator()(redisReply* r) const { freeReplyObject(r); }
};
using Connection = std::unique_ptr<redisContext, Closer>;
using Reply = std::unique_ptr<redisReply, ReplyFreer>;

timeval interval(Clock::duration d) {
  const auto us = std::max<std::int64_t>(1000, std::chrono::duration_cast<std::chrono::microseconds>(d).count());
  return {static_cast<time_t>(us / 1'000'000), static_cast<suseconds_t>(us % 1'000'000)};
}

std::optional<int> number(std::string_view text) {
  int n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || n < 0) return {};
  return n;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned byte = 0;
    const auto* begin = text.data() + i + 1;
    if (i + 2 >= text.size() || std::from_chars(begin, begin + 2, byte, 16).ptr != begin + 2) return {};
    out += static_cast<char>(byte);
    i += 2;
  }
  return out;
}

}  // namespace

struct RedisBackend::Impl {
  RedisOptions options;
  mutable std::mutex mutex;
  Connection connection;
  pid_t owner = 0;
  std::optional<Clock::time_point> rest_until;

  [[nodiscard]] bool rests() const { return rest_until && Clock::now() < *rest_until; }
  [[nodiscard]] std::string where() const {
    return options.socket.empty() ? options.host + ":" + std::to_string(options.port) : options.socket;
  }
  tl::unexpected<Error> give_up(const std::string& what) {
    connection.reset();
    rest_until = options.retry_after == std::chrono::milliseconds::max() ? Clock::time_point::max()
                                                                         : Clock::now() + options.retry_after;
    return fail(ErrorKind::io, what, where(), "the remote cache is left alone for a while");
  }
  Result<void> connect(Clock::time_point deadline);
  Result<Reply> command(const std::vector<std::string_view>& words, Clock::time_point deadline);
  [[nodiscard]] bool ready(short what, Clock::time_point deadline) const;
  Result<Reply> run(const std::vector<std::string_view>& words);
};

/// One command and its reply. Any failure ends the connection: what came of the reply would be taken for the next
/// one's.
Result<Reply> RedisBackend::Impl::command(const std::vector<std::string_view>& words, Clock::time_point deadline) {
  std::vector<const char*> data;
  std::vector<std::size_t> sizes;
  for (const auto word : words) {
    data.push_back(word.data());
    sizes.push_back(word.size());
  }
  redisContext* c = connection.get();
  char* formatted = nullptr;
  const int size = redisFormatCommandArgv(&formatted, static_cast<int>(words.size()), data.data(), sizes.data());
  if (size < 0) return give_up("no memory for the question to the remote cache");
  const std::unique_ptr<char, decltype(&redisFreeCommand)> owner_of_formatted(formatted, redisFreeCommand);

  // hiredis would write with write(2), and a server that is gone would be a SIGPIPE.
  for (std::string_view rest(formatted, static_cast<std::size_t>(size)); !rest.empty();) {
    if (!ready(POLLOUT, deadline)) return give_up("the remote cache is too slow");
    const auto n = send(c->fd, rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN && errno != EINTR)
      return give_up(std::string("the remote cache does not listen: ") + std::strerror(errno));
    if (n > 0) rest.remove_prefix(static_cast<std::size_t>(n));
  }
  std::vector<char> buffer(std::size_t{256} << 10);
  for (;;) {
    // Only these types are answers to what we ask; an array could make the parser allocate what its header says.
    redisReader* reader = c->reader;
    const bool at_start = reader->ridx == -1;  // no reply has been begun
    if (at_start && reader->pos < reader->len && std::strchr("+-:$", reader->buf[reader->pos]) == nullptr)
      return give_up("the remote cache answers with something else");
    if (reader->len > options.largest_value + 64) return give_up("the value in the remote cache is too large");
    void* reply = nullptr;
    if (redisReaderGetReply(reader, &reply) != REDIS_OK)
      return give_up(std::string("the remote cache does not speak Redis: ") + reader->errstr);
    if (reply != nullptr) return Reply(static_cast<redisReply*>(reply));
    if (!ready(POLLIN, deadline)) return give_up("the remote cache is too slow");
    const auto n = recv(c->fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n == 0) return give_up("the remote cache closed the connection");
    if (n < 0 && errno != EAGAIN && errno != EINTR)
      return give_up(std::string("the remote cache does not answer: ") + std::strerror(errno));
    if (n > 0) redisReaderFeed(reader, buffer.data(), static_cast<std::size_t>(n));
  }
}

/// Waits until the socket can be read or written; false when the time is over.
bool RedisBackend::Impl::ready(short what, Clock::time_point deadline) const {
  pollfd p{connection->fd, what, 0};
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    const int n = poll(&p, 1, static_cast<int>(left));
    if (n > 0) return true;
    if (n == 0 || errno != EINTR) return false;
  }
}

Result<void> RedisBackend::Impl::connect(Clock::time_point deadline) {
  const timeval patience = interval(std::min<Clock::duration>(options.connect_timeout, deadline - Clock::now()));
  connection.reset(options.socket.empty() ? redisConnectWithTimeout(options.host.c_str(), options.port, patience)
                                          : redisConnectUnixWithTimeout(options.socket.c_str(), patience));
  owner = getpid();
  if (!connection) return give_up("no memory for the connection to the remote cache");
  if (connection->err != 0) return give_up(std::string("the remote cache cannot be reached: ") + connection->errstr);
  std::vector<std::vector<std::string_view>> greetings;
  if (!options.password.empty()) {
    greetings.push_back({"AUTH"});
    if (!options.user.empty()) greetings.back().push_back(options.user);
    greetings.back().push_back(options.password);
  }
  const std::string database = std::to_string(options.database);
  if (options.database != 0) greetings.push_back({"SELECT", database});
  for (const auto& words : greetings) {
    auto reply = command(words, deadline);
    if (!reply) return tl::unexpected(reply.error());
    if ((*reply)->type == REDIS_REPLY_ERROR)
      return give_up("the remote cache refuses: " + std::string((*reply)->str, (*reply)->len));
  }
  return {};
}

Result<Reply> RedisBackend::Impl::run(const std::vector<std::string_view>& words) {
  const auto deadline = Clock::now() + options.timeout;
  if (connection && owner != getpid()) {
    ::close(connection->fd);  // of this process's copy; the parent talks on through its own
    connection->fd = -1;
    connection.reset();
  }
  const bool fresh = !connection;
  if (fresh)
    if (auto connected = connect(deadline); !connected) return tl::unexpected(connected.error());
  auto reply = command(words, deadline);
  if (reply || fresh) return reply;
  // A server that was started anew has closed the old connection: once more on a new one.
  rest_until.reset();
  if (auto connected = connect(deadline); !connected) return tl::unexpected(connected.error());
  return command(words, deadline);
}

Result<RedisOptions> RedisOptions::parse(const std::string& url) {
  RedisOptions options;
  const auto bad = [&] {
    return fail(ErrorKind::usage, "the address of the remote cache cannot be read", url,
                "redis://[[user]:password@]host[:port][/database] or unix:///path");
  };
  if (url.starts_with("unix://")) {
    options.socket = url.substr(7);
    if (options.socket.empty()) return bad();
    return options;
  }
  if (url.starts_with("rediss://"))
    return fail(ErrorKind::unsupported, "TLS to Redis is not built in", url, "use redis:// over a private network");
  if (!url.starts_with("redis://")) return bad();
  std::string_view rest = std::string_view(url).substr(8);
  rest = rest.substr(0, rest.find('?'));
  if (const auto at = rest.rfind('@'); at != std::string_view::npos) {
    const auto credentials = rest.substr(0, at);
    rest.remove_prefix(at + 1);
    const auto colon = credentials.find(':');
    if (colon == std::string_view::npos) return bad();
    const auto user = percent_decoded(credentials.substr(0, colon));
    const auto password = percent_decoded(credentials.substr(colon + 1));
    if (!user || !password) return bad();
    options.user = *user;
    options.password = *password;
  }
  if (const auto slash = rest.find('/'); slash != std::string_view::npos) {
    const auto database = rest.substr(slash + 1);
    if (!database.empty()) {
      const auto n = number(database);
      if (!n) return bad();
      options.database = *n;
    }
    rest = rest.substr(0, slash);
  }
  std::string_view host = rest, port;
  if (rest.starts_with('[')) {
    const auto close = rest.find(']');
    if (close == std::string_view::npos) return bad();
    host = rest.substr(1, close - 1);
    if (close + 1 < rest.size()) port = rest.substr(close + 1);
  } else if (const auto colon = rest.rfind(':'); colon != std::string_view::npos) {
    host = rest.substr(0, colon);
    port = rest.substr(colon);
  }
  if (!port.empty()) {
    const auto n = port.front() == ':' ? number(port.substr(1)) : std::nullopt;
    if (!n || *n == 0 || *n > 65535) return bad();
    options.port = *n;
  }
  if (!host.empty()) options.host = host;
  return options;
}

Result<RedisOptions> RedisOptions::from_environment() {
  for (const char* name : {"KEYHOLE_REMOTE", "TORCHINDUCTOR_REDIS_URL"})
    if (const auto url = environment_variable(name); !url.empty()) return parse(url);
  RedisOptions options;
  if (const auto host = environment_variable("TORCHINDUCTOR_REDIS_HOST"); !host.empty()) options.host = host;
  if (const auto port = environment_variable("TORCHINDUCTOR_REDIS_PORT"); !port.empty()) {
    const auto n = number(port);
    if (!n || *n == 0 || *n > 65535) return fail(ErrorKind::usage, "TORCHINDUCTOR_REDIS_PORT is no port", port);
    options.port = *n;
  }
  return options;
}

RedisBackend::RedisBackend(RedisOptions options) : impl_(std::make_unique<Impl>()) {
  impl_->options = std::move(options);
}
RedisBackend::~RedisBackend() = default;

bool RedisBackend::resting() const {
  const std::scoped_lock lock(impl_->mutex);
  return impl_->rests();
}

Result<std::optional<std::string>> RedisBackend::get(const std::string& key) {
  const std::scoped_lock lock(impl_->mutex);
  if (impl_->rests()) return std::nullopt;
  auto reply = impl_->run({"GET", key});
  if (!reply) return tl::unexpected(reply.error());
  switch ((*reply)->type) {
    case REDIS_REPLY_STRING:
      return std::string((*reply)->str, (*reply)->len);
    case REDIS_REPLY_NIL:
      return std::nullopt;
    case REDIS_REPLY_ERROR:
      return fail(ErrorKind::bad_input, std::string((*reply)->str, (*reply)->len), impl_->where() + " " + key);
    default:
      return fail(ErrorKind::bad_input, "the value in the remote cache is no string", impl_->where() + " " + key);
  }
}

Result<void> RedisBackend::put(const std::string& key, std::string_view value) {
  const std::scoped_lock lock(impl_->mutex);
  if (impl_->rests()) return {};
  auto reply = impl_->run({"SET", key, value});
  if (!reply) return tl::unexpected(reply.error());
  if ((*reply)->type == REDIS_REPLY_ERROR)
    return fail(ErrorKind::io, std::string((*reply)->str, (*reply)->len), impl_->where() + " " + key);
  return {};
}

}  // namespace keyhole
