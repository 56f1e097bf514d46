// SPDX-License-Identifier: Apache-2.0
#include "journal.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <map>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "keyhole/base/checksum.h"
#include "keyhole/base/environment.h"
#include "keyhole/base/os.h"
#include "keyhole/cache/brief.h"
#include "keyhole/key/debug_line.h"
#include "keyhole/key/hash.h"
#include "wire.h"

namespace keyhole {
namespace {

constexpr std::size_t kChunk = std::size_t{256} << 10;  // the file grows by this
constexpr std::size_t kFrameHead = 8;

enum Kind : std::uint64_t { kProcess = 1, kGroup = 2, kLookup = 3, kPut = 4 };

std::atomic<std::uint64_t> generation{0};

std::uint64_t watched_generation() {
  [[maybe_unused]] static const int once = pthread_atfork(nullptr, nullptr, [] { generation.fetch_add(1); });
  return generation.load(std::memory_order_relaxed);
}

std::string random_identity() {
  Digest d;
  if (getrandom(d.bytes.data(), 16, 0) != 16) {  // cannot fail for 16 bytes once the kernel has booted
    const std::int64_t seed[2] = {os().now(), getpid()};
    std::memcpy(d.bytes.data(), seed, sizeof seed);
  }
  return d.hex().substr(0, 32);
}

std::vector<std::string> own_arguments() {
  std::vector<std::string> argv;
  const auto bytes = read_file("/proc/self/cmdline", std::size_t{1} << 20);
  if (!bytes) return argv;
  for (std::size_t at = 0; at < bytes->size();) {
    const std::size_t end = std::min(bytes->find('\0', at), bytes->size());
    argv.push_back(bytes->substr(at, end - at));
    at = end + 1;
  }
  return argv;
}

/// KEYHOLE_RUN joins processes to a run; else a process and its forks are one.
const std::string& run_name(const std::vector<std::string>& argv, Nanoseconds start) {
  static const std::string name = [&] {
    if (auto given = environment_variable("KEYHOLE_RUN"); !given.empty()) return given;
    std::string program = argv.empty() ? "process" : argv.front();
    program.erase(0, program.find_last_of('/') + 1);
    const std::time_t seconds = start / 1'000'000'000;
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    char text[32];
    std::strftime(text, sizeof text, "%Y%m%d-%H%M%S", &utc);
    return program + "-" + text + "-" + std::to_string(getpid());
  }();
  return name;
}

void put_compile(wire::Writer& out, const CompileId& id) {
  for (const std::int64_t part : {id.frame, id.frame_compile, id.attempt, id.compiled_autograd}) out.integer(part);
}

void put_groups(wire::Writer& out, std::span<const Digest> groups) {
  out.number(groups.size());
  for (const auto& g : groups) out.digest(g);
}

void put_process(wire::Writer& out, std::string_view identity, Nanoseconds start, std::string_view run,
                 const std::vector<std::string>& argv) {
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  out.clear();
  out.number(kProcess);
  out.text(identity);
  out.text(host);
  out.integer(getpid());
  out.integer(start);
  out.text(run);
  out.number(argv.size());
  for (const auto& a : argv) out.text(a);
  char* cwd = getcwd(nullptr, 0);
  out.text(cwd != nullptr ? cwd : "");
  std::free(cwd);
  const std::string rank = environment_variable("RANK");
  out.number(rank.empty() ? 0 : std::strtoull(rank.c_str(), nullptr, 10) + 1);
  out.text(environment_variable("TORCHINDUCTOR_CACHE_DIR"));
}

void put_lookup(wire::Writer& out, const LookupEvent& event, std::span<const Digest> groups) {
  out.clear();
  out.number(kLookup);
  out.number(static_cast<std::uint64_t>(event.layer));
  out.number(static_cast<std::uint64_t>(event.outcome));
  out.number(event.ordinal);
  out.integer(event.time);
  out.integer(event.duration);
  out.integer(event.saved);
  out.integer(event.entry);
  put_compile(out, event.compile);
  for (const auto text : {event.key, event.status, event.guard, event.reason, event.load_error}) out.text(text);
  out.number(event.cache_off ? 1 : 0);
  put_groups(out, groups);
}

void put_stored(wire::Writer& out, const PutEvent& event, std::span<const Digest> groups) {
  out.clear();
  out.number(kPut);
  out.number(static_cast<std::uint64_t>(event.layer));
  out.number(event.ordinal);
  out.number(event.looked_up ? 1 : 0);
  out.integer(event.time);
  out.integer(event.cost);
  out.integer(event.entry);
  out.text(event.key);
  out.text(event.save_error);
  put_groups(out, groups);
}

/// A frame as it stands in the file.
void add_frame(std::string& file, const std::string& payload) {
  const auto length = static_cast<std::uint32_t>(payload.size());
  const std::uint32_t checksum = crc32c(payload);
  file.append(reinterpret_cast<const char*>(&length), 4);
  file.append(reinterpret_cast<const char*>(&checksum), 4);
  file += payload;
  file.resize((file.size() + 7) / 8 * 8);
}

std::uint64_t hash_of(Layer layer, std::string_view key) {
  return std::hash<std::string_view>{}(key)*31 + static_cast<std::uint64_t>(layer);
}

}  // namespace

std::uint64_t fork_generation() {
  return watched_generation();
}

std::vector<ComponentRun> runs_of(std::span<const ComponentPtr> components) {
  std::vector<ComponentRun> runs;
  for (std::size_t i = 0; i < components.size();) {
    const ComponentGroup group = group_of(components[i]->name);
    wire::Writer identity;
    const std::size_t begin = i;
    for (; i < components.size() && group_of(components[i]->name) == group; ++i) {
      identity.text(components[i]->name);
      identity.digest(components[i]->digest);
    }
    runs.push_back({sha256(identity.bytes()), components.subspan(begin, i - begin)});
  }
  return runs;
}

std::string encode_run(const ComponentRun& run) {
  wire::Writer out;
  out.digest(run.digest);
  out.number(run.members.size());
  for (const ComponentPtr c : run.members) {
    out.text(c->name);
    out.digest(c->digest);
    out.text(c->text);
  }
  return out.take();
}

bool decode_run(std::string_view bytes, ComponentPool& pool, std::vector<ComponentPtr>& out) {
  wire::Reader reader(bytes);
  static_cast<void>(reader.digest());
  for (std::uint64_t n = reader.number(); n > 0 && reader.ok(); --n) {
    const auto name = reader.text();
    const Digest digest = reader.digest();
    const auto text = reader.text();
    if (reader.ok()) out.push_back(pool.intern(name, digest, text));
  }
  return reader.ok();
}

struct Journal::Impl {
  std::string store;
  std::uint64_t born = 0;  // fork generation
  std::mutex mutex;
  int fd = -1;
  char* map = nullptr;
  std::size_t size = 0, end = kJournalHeader;
  bool failed = false;
  std::uint64_t dropped = 0;
  wire::Writer scratch;
  std::unordered_set<Digest> known_groups;
  std::unordered_map<std::uint64_t, std::uint64_t> ordinals;  // next ordinal of a (layer, key); a collision skips some

  bool open();
  bool grow(std::size_t need);
  bool append();
  std::vector<Digest> groups(std::span<const ComponentRun> runs);
};

bool Journal::Impl::open() {
  const std::string folder = store + "/journal";
  if (!make_folders(folder)) return false;
  const Nanoseconds start = os().now();
  const auto argv = own_arguments();
  const std::string identity = random_identity();
  fd = os().open(folder + "/" + identity + ".khj", O_RDWR | O_CREAT | O_EXCL);
  if (fd < 0 || os().flock(fd, LOCK_EX | LOCK_NB) != 0 || !grow(kChunk)) return false;
  std::memcpy(map, "KHJ1", 4);
  put_process(scratch, identity, start, run_name(argv, start), argv);
  return append();
}

bool Journal::Impl::grow(std::size_t need) {
  const std::size_t wanted = (need + kChunk - 1) / kChunk * kChunk;
  if (posix_fallocate(fd, 0, static_cast<off_t>(wanted)) != 0) return false;
  void* mapped = map == nullptr ? mmap(nullptr, wanted, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                                : mremap(map, size, wanted, MREMAP_MAYMOVE);
  if (mapped == MAP_FAILED) return false;
  map = static_cast<char*>(mapped);
  size = wanted;
  return true;
}

/// Writes `scratch` as a frame. `end` moves only when all of it is there.
bool Journal::Impl::append() {
  const std::string& payload = scratch.bytes();
  const std::size_t next = end + (kFrameHead + payload.size() + 7) / 8 * 8;
  if (payload.size() > UINT32_MAX || (next + kFrameHead > size && !grow(next + kFrameHead))) {
    ++dropped;
    return false;
  }
  const std::uint32_t checksum = crc32c(payload);
  std::memcpy(map + end + 4, &checksum, 4);
  std::memcpy(map + end + kFrameHead, payload.data(), payload.size());
  auto* length = reinterpret_cast<std::uint32_t*>(map + end);
  std::atomic_ref<std::uint32_t>(*length).store(static_cast<std::uint32_t>(payload.size()), std::memory_order_release);
  end = next;
  return true;
}

/// Their digests; those that the file does not hold yet are appended to it.
std::vector<Digest> Journal::Impl::groups(std::span<const ComponentRun> runs) {
  std::vector<Digest> digests;
  for (const auto& run : runs) {
    digests.push_back(run.digest);
    if (known_groups.contains(run.digest)) continue;
    scratch.clear();
    scratch.number(kGroup);
    scratch.raw(encode_run(run));
    if (append()) known_groups.insert(run.digest);
  }
  return digests;
}

Journal::Journal(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Journal::~Journal() {
  if (impl_->map != nullptr) munmap(impl_->map, impl_->size);
  if (impl_->fd >= 0) os().close(impl_->fd);  // in a fork too: the parent's lock is the parent's descriptor
}

std::shared_ptr<Journal> Journal::of_process(const std::string& store) {
  // Leaked on purpose, map and mutex: a fork may happen while another thread holds the mutex, so a child starts afresh.
  struct Registry {
    std::mutex mutex;
    std::map<std::string, std::weak_ptr<Journal>> journals;
    std::uint64_t born = fork_generation();
  };
  static std::atomic<Registry*> registry{new Registry};
  Registry* r = registry.load();
  while (r->born != fork_generation()) {
    auto* fresh = new Registry;
    if (registry.compare_exchange_strong(r, fresh))
      r = fresh;
    else
      delete fresh;
  }
  const std::scoped_lock lock(r->mutex);
  auto& slot = r->journals[store];
  if (auto existing = slot.lock()) return existing;
  auto impl = std::make_unique<Impl>();
  impl->store = store;
  impl->born = fork_generation();
  impl->failed = !impl->open();
  std::shared_ptr<Journal> journal(new Journal(std::move(impl)));
  slot = journal;
  return journal;
}

void Journal::lookup(LookupEvent event, std::span<const ComponentRun> runs) {
  const std::scoped_lock lock(impl_->mutex);
  if (impl_->failed) {
    ++impl_->dropped;
    return;
  }
  event.ordinal = impl_->ordinals[hash_of(event.layer, event.key)]++;
  const auto digests = impl_->groups(runs);
  put_lookup(impl_->scratch, event, digests);
  impl_->append();
}

void Journal::put(PutEvent event, std::span<const ComponentRun> runs) {
  const std::scoped_lock lock(impl_->mutex);
  if (impl_->failed) {
    ++impl_->dropped;
    return;
  }
  if (const auto next = impl_->ordinals.find(hash_of(event.layer, event.key)); next != impl_->ordinals.end()) {
    event.looked_up = true;
    event.ordinal = next->second - 1;
  }
  const auto digests = impl_->groups(runs);
  put_stored(impl_->scratch, event, digests);
  impl_->append();
}

std::uint64_t Journal::dropped() const {
  const std::scoped_lock lock(impl_->mutex);
  return impl_->dropped;
}

LookupEvent event_of(const LookupRecord& lookup) {
  LookupEvent event;
  event.layer = lookup.layer;
  event.outcome = lookup.outcome;
  event.time = lookup.time;
  event.duration = lookup.duration;
  event.saved = lookup.saved;
  event.compile = lookup.compile;
  event.key = lookup.key;
  event.status = lookup.status;
  event.guard = lookup.guard;
  event.reason = lookup.reason;
  event.load_error = lookup.load_error;
  event.cache_off = lookup.cache_off;
  return event;
}

bool leave_lookup(const std::string& store, const BriefRun& run, const LookupRecord& lookup, std::int64_t entry) {
  LookupEvent event = event_of(lookup);
  event.entry = entry;

  wire::Writer out;
  std::string file("KHJ1\0\0\0\0", kJournalHeader);
  const std::string identity = random_identity();
  put_process(out, identity, lookup.time, run.name, run.argv);
  add_frame(file, out.bytes());
  std::vector<Digest> groups;
  for (const auto& members : runs_of(lookup.components)) {
    groups.push_back(members.digest);
    out.clear();
    out.number(kGroup);
    out.raw(encode_run(members));
    add_frame(file, out.bytes());
  }
  put_lookup(out, event, groups);
  add_frame(file, out.bytes());
  if (lookup.cost >= 0 || !lookup.save_error.empty()) {
    PutEvent put;
    put.layer = lookup.layer;
    put.looked_up = true;
    put.time = lookup.time;
    put.cost = lookup.cost;
    put.key = lookup.key;
    put.save_error = lookup.save_error;
    put_stored(out, put, {});
    add_frame(file, out.bytes());
  }

  // Whole under another name first: a journal that nobody holds is taken in and removed.
  const std::string path = store + "/journal/" + identity;
  int fd = os().open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT && make_folders(store + "/journal"))
    fd = os().open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC);
  if (fd < 0) return false;
  const bool whole = os().write(fd, file.data(), file.size()) == static_cast<std::int64_t>(file.size());
  os().close(fd);
  if (whole && os().rename(path, path + ".khj") == 0) return true;
  os().unlink(path);
  return false;
}

std::size_t read_journal(std::string_view file, std::size_t offset,
                         const std::function<bool(std::uint64_t kind, std::string_view body)>& frame) {
  if (file.substr(0, 4) != "KHJ1") return offset;
  offset = std::max(offset, kJournalHeader);
  while (offset + kFrameHead <= file.size()) {
    std::uint32_t length = 0, checksum = 0;
    std::memcpy(&length, file.data() + offset, 4);
    std::memcpy(&checksum, file.data() + offset + 4, 4);
    if (length == 0 || length > file.size() - offset - kFrameHead) break;
    const auto payload = file.substr(offset + kFrameHead, length);
    if (crc32c(payload) != checksum) break;
    wire::Reader reader(payload);
    const std::uint64_t kind = reader.number();
    if (!reader.ok() || !frame(kind, payload.substr(payload.size() - reader.left()))) break;
    offset += (kFrameHead + length + 7) / 8 * 8;
  }
  return std::min(offset, file.size());
}

}  // namespace keyhole
