// SPDX-License-Identifier: Apache-2.0
#include "spool.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

namespace fs = std::filesystem;
using nlohmann::json;

namespace keyhole::cli {
namespace {

int locked(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  if (fd >= 0) close(fd);
  return -1;
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> out;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) out.push_back(entry.path().filename().string());
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

Result<Spool> Spool::create(const std::string& store, const RunRecord& run) {
  Spool spool;
  spool.run_ = run;
  spool.folder_ = store + "/spool/" + std::to_string(run.start) + "-" + std::to_string(getpid());
  spool.trace_folder_ = spool.folder_ + "/trace";
  spool.log_file_ = spool.folder_ + "/torch.log";
  std::error_code error;
  fs::create_directories(spool.trace_folder_, error);
  if (error)
    return fail(ErrorKind::io, "the folder for traces cannot be made: " + error.message(), spool.trace_folder_,
                "choose another store with --store");
  fs::permissions(spool.folder_, fs::perms::owner_all, error);
  spool.lock_ = locked(spool.folder_ + "/lock");
  if (spool.lock_ < 0) return fail(ErrorKind::io, std::strerror(errno), spool.folder_ + "/lock");
  if (const char* set = std::getenv("TORCH_TRACE"); set && *set) {
    spool.trace_folder_ = fs::absolute(set).string();
    spool.own_trace_ = false;
    spool.known_ = names_in(spool.trace_folder_);
  }
  if (const char* set = std::getenv("TORCH_LOGS_OUT"); set && *set) {
    spool.log_file_ = fs::absolute(set).string();
    spool.own_log_ = false;
    const auto size = fs::file_size(spool.log_file_, error);
    spool.log_begin_ = error ? 0 : static_cast<std::int64_t>(size);
  }
  if (auto written = spool.write_run(); !written) return tl::make_unexpected(written.error());
  return spool;
}

Result<void> Spool::write_run() const {
  const json document = {{"name", run_.name},
                         {"argv", run_.argv},
                         {"cwd", run_.cwd},
                         {"environment", run_.env_json},
                         {"git_commit", run_.git_commit},
                         {"git_dirty", run_.git_dirty},
                         {"start", run_.start},
                         {"trace_folder", trace_folder_},
                         {"own_trace", own_trace_},
                         {"log_file", log_file_},
                         {"own_log", own_log_},
                         {"log_begin", log_begin_},
                         {"known", known_}};
  const std::string path = folder_ + "/run.json", fresh = path + ".new";
  std::ofstream file(fresh);
  file << document.dump(1, ' ', false, json::error_handler_t::replace);
  file.close();
  std::error_code error;
  if (file) fs::rename(fresh, path, error);
  if (!file || error)
    return fail(ErrorKind::io, "the description of the run cannot be written", path, "is the disk full?");
  return {};
}

Result<Spool> Spool::read(const std::string& folder, int lock) {
  Spool spool;
  spool.lock_ = lock;
  spool.folder_ = folder;
  std::ifstream file(folder + "/run.json");
  const json document = json::parse(file, nullptr, false);
  if (!document.is_object()) return fail(ErrorKind::bad_input, "not the description of a run", folder + "/run.json");
  try {
    spool.run_.name = document.at("name");
    spool.run_.argv = document.at("argv").get<std::vector<std::string>>();
    spool.run_.cwd = document.at("cwd");
    spool.run_.env_json = document.at("environment");
    spool.run_.git_commit = document.at("git_commit");
    spool.run_.git_dirty = document.at("git_dirty");
    spool.run_.start = document.at("start");
    spool.trace_folder_ = document.at("trace_folder");
    spool.own_trace_ = document.at("own_trace");
    spool.log_file_ = document.at("log_file");
    spool.own_log_ = document.at("own_log");
    spool.log_begin_ = document.at("log_begin");
    spool.known_ = document.at("known").get<std::vector<std::string>>();
  } catch (const json::exception& e) {
    return fail(ErrorKind::bad_input, e.what(), folder + "/run.json");
  }
  return spool;
}

std::vector<Spool> Spool::abandoned(const std::string& store) {
  std::vector<Spool> out;
  for (const std::string& name : names_in(store + "/spool")) {
    const std::string folder = store + "/spool/" + name;
    std::error_code error;
    if (!fs::exists(folder + "/run.json", error)) continue;  // being made, or being removed
    const int lock = locked(folder + "/lock");
    if (lock < 0) continue;
    if (auto spool = read(folder, lock)) out.push_back(std::move(*spool));
  }
  return out;
}

Spool::Spool(Spool&& other) noexcept
    : folder_(std::move(other.folder_)),
      run_(std::move(other.run_)),
      trace_folder_(std::move(other.trace_folder_)),
      log_file_(std::move(other.log_file_)),
      own_trace_(other.own_trace_),
      own_log_(other.own_log_),
      known_(std::move(other.known_)),
      log_begin_(other.log_begin_),
      lock_(std::exchange(other.lock_, -1)) {}

Spool::~Spool() {
  if (lock_ >= 0) close(lock_);
}

std::vector<std::pair<std::string, std::string>> Spool::environment() const {
  std::vector<std::pair<std::string, std::string>> out;
  if (own_trace_) out.emplace_back("TORCH_TRACE", trace_folder_);
  if (own_log_) out.emplace_back("TORCH_LOGS_OUT", log_file_);
  return out;
}

std::vector<std::string> Spool::trace_files() const {
  std::vector<std::string> out;
  for (const std::string& name : names_in(trace_folder_)) {
    // PyTorch makes a file of a random name for each process, and appends to no other.
    if (own_trace_ || !std::binary_search(known_.begin(), known_.end(), name))
      out.push_back(trace_folder_ + "/" + name);
  }
  return out;
}

std::string Spool::log_file() const {
  std::error_code error;
  const auto size = fs::file_size(log_file_, error);
  return !error && size > 0 && log_begin_ == 0 ? log_file_ : std::string();
}

std::vector<std::string> Spool::leftovers() const {
  std::vector<std::string> out;
  if (!own_trace_) out = trace_files();
  if (const std::string log = log_file(); !own_log_ && !log.empty()) out.push_back(log);
  if ((own_trace_ && !trace_files().empty()) || (own_log_ && !log_file().empty())) out.push_back(folder_);
  return out;
}

void Spool::remove() {
  std::error_code error;
  fs::remove(folder_ + "/run.json", error);  // first: what is left of a folder without it, nobody takes in
  fs::remove_all(folder_, error);
  fs::remove(fs::path(folder_).parent_path(), error);  // succeeds when it was the last
}

}  // namespace keyhole::cli
