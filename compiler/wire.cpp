// SPDX-License-Identifier: Apache-2.0
#include "wire.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace keyhole {
namespace {

constexpr std::size_t kHeader = 3 * sizeof(std::int64_t);
constexpr std::int64_t kLongest = std::int64_t{1} << 30;

bool read_all(int fd, char* to, std::size_t size) {
  while (size > 0) {
    const auto n = ::read(fd, to, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    to += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

bool read_header(const char* bytes, Message& message, std::int64_t& length) {
  std::int64_t words[3];
  std::memcpy(words, bytes, kHeader);
  message.kind = static_cast<MessageKind>(words[0]);
  message.id = words[1];
  length = words[2];
  return length >= 0 && length <= kLongest;
}

}  // namespace

std::string header_bytes(MessageKind kind, std::int64_t id, std::int64_t length) {
  const std::int64_t words[3] = {static_cast<std::int64_t>(kind), id, length};
  return {reinterpret_cast<const char*>(words), kHeader};
}

bool send_message(int fd, const Message& message) {
  const std::string all =
      header_bytes(message.kind, message.id, static_cast<std::int64_t>(message.payload.size())) + message.payload;
  for (std::size_t at = 0; at < all.size();) {
    const auto n = ::send(fd, all.data() + at, all.size() - at, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += static_cast<std::size_t>(n);
  }
  return true;
}

Message receive_message(int fd) {
  char header[kHeader];
  Message message;
  std::int64_t length = 0;
  if (!read_all(fd, header, kHeader) || !read_header(header, message, length)) return {};
  message.payload.resize(static_cast<std::size_t>(length));
  if (!read_all(fd, message.payload.data(), message.payload.size())) return {};
  return message;
}

bool take_message(std::string& bytes, Message& message) {
  std::int64_t length = 0;
  if (bytes.size() < kHeader) return false;
  if (!read_header(bytes.data(), message, length)) {
    message = {};
    bytes.clear();
    return true;
  }
  if (bytes.size() - kHeader < static_cast<std::size_t>(length)) return false;
  message.payload = bytes.substr(kHeader, static_cast<std::size_t>(length));
  bytes.erase(0, kHeader + static_cast<std::size_t>(length));
  return true;
}

std::string job_text(std::int64_t limit, std::string_view name, std::string_view payload) {
  return std::to_string(limit) + ' ' + std::string(name) + '\n' + std::string(payload);
}

bool read_job_text(std::string_view text, std::int64_t& limit, std::string& name, std::string& payload) {
  const auto line = text.find('\n');
  const auto space = text.find(' ');
  if (line == std::string_view::npos || space >= line) return false;
  if (std::from_chars(text.data(), text.data() + space, limit).ec != std::errc()) return false;
  name = text.substr(space + 1, line - space - 1);
  payload = text.substr(line + 1);
  return true;
}

}  // namespace keyhole
