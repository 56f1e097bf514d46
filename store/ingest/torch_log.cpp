// SPDX-License-Identifier: Apache-2.0
#include "keyhole/ingest/torch_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>

#include "keyhole/ingest/source.h"
#include "log_line.h"
#include "log_process.h"
#include "lookup_index.h"

namespace keyhole {
namespace {

constexpr std::size_t kBuffer = std::size_t{1} << 18;
constexpr std::size_t kMaxLogProcesses = 100'000;

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

class LogReader {
 public:
  LogReader(Source& source, const LogOptions& options, ComponentPool& pool, RecordSink& sink, const LookupIndex* known)
      : source_(source), options_(options), pool_(pool), sink_(sink), known_(known), clock_(source.modified()) {}

  Result<LogSummary> run() {
    std::string buffer(kBuffer, '\0');
    for (;;) {
      const auto n = source_.read(buffer.data(), buffer.size());
      if (!n) {
        sink_.problem({source_.path(), static_cast<std::int64_t>(summary_.bytes), n.error().what, n.error().hint});
        break;
      }
      if (*n == 0) break;
      split(std::string_view(buffer).substr(0, *n));
      if (options_.progress && !options_.progress(source_.consumed(), source_.file_size())) {
        summary_.stopped = true;
        break;
      }
    }
    end_line();
    for (auto& [pid, state] : states_) {
      flush(state);
      state.process->finish();
      summary_.lookups += state.process->lookups();
    }
    summary_.processes = states_.size();
    sink_.checkpoint();
    return summary_;
  }

 private:
  /// A process, and its message that may go on in the next line; lines of several processes mix.
  struct State {
    std::unique_ptr<LogProcess> process;
    TraceClock clock{kUnknownTime};
    std::string prefix, path, text;
    char level = 'V';
    CompileId compile;
    Nanoseconds time = kUnknownTime;
    bool cut = false;
  };

  void split(std::string_view bytes) {
    if (head_.size() < kIdentityBytes) head_ += bytes.substr(0, kIdentityBytes - head_.size());
    summary_.bytes += bytes.size();
    while (!bytes.empty()) {
      const auto end = bytes.find('\n');
      const auto part = bytes.substr(0, end);
      const auto room = options_.max_message - std::min(options_.max_message, line_.size());
      line_ += part.substr(0, room);
      if (end == std::string_view::npos) break;
      end_line();
      bytes.remove_prefix(end + 1);
    }
  }

  void end_line() {
    if (!line_.empty()) take(line_);
    if (line_.capacity() > kBuffer * 4) line_.shrink_to_fit();
    line_.clear();
  }

  void take(std::string_view text) {
    const auto line = LogLine::parse(text);
    if (!line && (plain_ || summary_.lines == 0)) return take_plain(text);
    if (!line) return;
    plain_ = false;
    ++summary_.lines;
    State* state = state_of(*line);
    if (state == nullptr) return;
    if (state->prefix == line->prefix && !begins_message(line->text)) {
      if (state->text.size() + line->text.size() < options_.max_message) {
        state->text += '\n';
        state->text += line->text;
      }
      return;
    }
    flush(*state);
    state->prefix = line->prefix;
    state->path = line->path;
    state->text = line->text;
    state->level = line->level;
    state->compile = line->compile;
    state->time = state->clock.utc(line->time);
  }

  /// A line of a log in a format of the user's own.
  void take_plain(std::string_view text) {
    const auto line = PlainLine::parse(text);
    if (line && !line->text.empty()) {
      LogLine first;
      first.prefix = "plain";
      State* state = state_of(first);
      if (state == nullptr) return;
      flush(*state);
      plain_ = true;
      ++summary_.lines;
      state->prefix = first.prefix;
      state->level = line->level;
      state->path = line->path;
      state->text = line->text;
    } else if (const auto at = states_.find(-1); at != states_.end() && !at->second.prefix.empty()) {
      State& state = at->second;
      if (line) return flush(state);
      if (state.text.size() + text.size() >= options_.max_message) return;
      state.text += '\n';
      state.text += text;
    }
  }

  void flush(State& state) {
    if (state.prefix.empty()) return;
    // A message that ends in a newline ends in an empty line.
    state.process->take({state.level, state.path, state.compile, state.time, state.text});
    state.prefix.clear();
    state.text.clear();
    if (state.text.capacity() > kBuffer * 4) state.text.shrink_to_fit();
  }

  State* state_of(const LogLine& line) {
    if (const auto known = states_.find(line.pid); known != states_.end()) return &known->second;
    if (states_.size() == kMaxLogProcesses) return nullptr;
    if (digest_.empty()) digest_ = identity_of(head_);
    State state;
    state.clock = clock_;
    ProcessRecord record;
    record.identity = fmt::format("log:{}:{}", digest_, line.pid);
    record.pid = line.pid;
    record.rank = line.rank;
    if (line.time.month > 0) record.start = clock_.utc(line.time);
    const KnownProcess* known = nullptr;
    if (known_ != nullptr) {
      known = known_->match(line.pid, line.rank, record.start, folder_of(source_.path()));
      if (known == nullptr) known = match_in_another_zone(line, state.clock, record);
    }
    if (known != nullptr) record.start = kUnknownTime;  // the trace knows better
    state.process = std::make_unique<LogProcess>(std::move(record), known, pool_, sink_);
    return &states_.emplace(line.pid, std::move(state)).first->second;
  }

  /// A line has no time zone; a trace may have told it. Tries the offsets that are in use.
  const KnownProcess* match_in_another_zone(const LogLine& line, TraceClock& clock, const ProcessRecord& record) {
    static constexpr Nanoseconds kZoneStep = 900'000'000'000;
    if (record.start == kUnknownTime)
      return known_->match(line.pid, line.rank, kUnknownTime, folder_of(source_.path()));
    for (int quarters = -12 * 4; quarters <= 14 * 4; ++quarters) {
      const Nanoseconds utc = record.start - quarters * kZoneStep;
      if (const KnownProcess* known = known_->match(line.pid, line.rank, utc, folder_of(source_.path()))) {
        clock.calibrate(line.time, utc);
        return known;
      }
    }
    return nullptr;
  }

  Source& source_;
  const LogOptions& options_;
  ComponentPool& pool_;
  RecordSink& sink_;
  const LookupIndex* known_;
  TraceClock clock_;
  std::string head_, digest_, line_;
  bool plain_ = false;  ///< lines without PyTorch's own prefix were understood, and none with it
  std::map<std::int64_t, State> states_;
  LogSummary summary_;
};

}  // namespace

Result<LogSummary> read_torch_log(const std::string& path, const LogOptions& options, ComponentPool& pool,
                                  RecordSink& sink, const LookupIndex* known) {
  auto source = Source::open(path);
  if (!source) return tl::unexpected(source.error());
  return LogReader(**source, options, pool, sink, known).run();
}

bool looks_like_torch_log(std::string_view head) {
  while (!head.empty()) {
    const auto end = head.find('\n');
    // A trace has the same prefix, then an object.
    if (const auto line = LogLine::parse(head.substr(0, end));
        line && line->path.starts_with("torch") && !line->text.starts_with('{')) {
      return true;
    }
    const auto plain = PlainLine::parse(head.substr(0, end));
    if (plain && plain->text.find(" for key ") != std::string_view::npos) return true;
    if (end == std::string_view::npos) return false;
    head.remove_prefix(end + 1);
  }
  return false;
}

}  // namespace keyhole
