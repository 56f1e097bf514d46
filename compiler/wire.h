// SPDX-License-Identifier: Apache-2.0
// What goes between a pool and who uses it, and between a pool and its workers: PyTorch's header of three native words
// (kind, job, length), then the payload.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace keyhole {

enum class MessageKind : std::int64_t {
  error = 0,
  shutdown = 1,
  quiesce = 2,
  wakeup = 3,
  job = 4,
  cancel = 5  ///< ours
};

struct Message {
  MessageKind kind = MessageKind::error;
  std::int64_t id = -1;
  std::string payload = {};
};

/// How a job ended: the first byte of the payload of an answer.
enum class JobEnd : char { done = '0', failed = '1', crashed = '2', timed_out = '3', cancelled = '4' };

[[nodiscard]] std::string header_bytes(MessageKind kind, std::int64_t id, std::int64_t length);
/// Header and payload; false where the other side is gone.
bool send_message(int fd, const Message& message);
/// Waits for a whole one. What cannot be read is (error, -1).
[[nodiscard]] Message receive_message(int fd);
/// Cuts the first whole message off `bytes`; false: there is none yet.
bool take_message(std::string& bytes, Message& message);

/// A job as it is sent: limit in milliseconds, name, payload.
[[nodiscard]] std::string job_text(std::int64_t limit, std::string_view name, std::string_view payload);
bool read_job_text(std::string_view text, std::int64_t& limit, std::string& name, std::string& payload);

}  // namespace keyhole
