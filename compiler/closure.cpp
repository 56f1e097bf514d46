// SPDX-License-Identifier: Apache-2.0
#include "closure.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "keyhole/base/os.h"
#include "keyhole/key/hash.h"

namespace keyhole {
namespace {

/// A folder that changed within this time may be the one that results are written to: its new stamp is not worth
/// writing down.
constexpr std::int64_t kQuietFolder = 60'000'000'000;

/// What stands in folders, each listed once, and which of it was asked for.
class SearchPath {
 public:
  explicit SearchPath(std::int64_t start) : start_(start) {}

  /// Notes whether `path` exists. A file there that is not in `read` is noted as passed over.
  void look(const std::string& path, const std::unordered_set<std::string>& read) {
    if (!asked_.insert(path).second || read.contains(path)) return;
    Folder* folder = folder_at(std::string(folder_of(path)));
    if (folder == nullptr) return;  // noted where its own first missing part is
    const std::string name(base_of(path));
    if (name.empty()) return;
    (folder->names.contains(name) ? folder->present : folder->missing).insert(name);
  }

  [[nodiscard]] std::vector<ClosureFolder> folders() {
    std::vector<ClosureFolder> out;
    for (auto& [path, folder] : folders_) {
      if (!folder || (folder->missing.empty() && folder->present.empty())) continue;
      out.push_back({path,
                     folder->stamp.settled(folder->listed) ? folder->stamp : Stamp{},
                     {folder->missing.begin(), folder->missing.end()},
                     {folder->present.begin(), folder->present.end()}});
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
    return out;
  }

 private:
  struct Folder {
    Stamp stamp;
    std::int64_t listed = 0;
    std::unordered_set<std::string> names;
    std::set<std::string> missing, present;
  };

  /// Null where there is no such folder; then its first missing part is noted in the folder above.
  Folder* folder_at(const std::string& path) {
    const auto [at, fresh] = folders_.try_emplace(path);
    if (!fresh) return at->second.get();
    auto folder = std::make_unique<Folder>();
    folder->listed = file_clock();
    const std::string shown = path.empty() ? "." : path;
    folder->stamp = stamp_of(shown);
    if (DIR* open = ::opendir(shown.c_str())) {
      while (const dirent* entry = ::readdir(open)) folder->names.insert(entry->d_name);
      ::closedir(open);
      folders_[path] = std::move(folder);
      return folders_[path].get();
    }
    if (path.empty() || path == "/") return nullptr;
    const std::string name(base_of(path));
    if (Folder* above = folder_at(std::string(folder_of(path)));
        above != nullptr && !name.empty() && !above->names.contains(name))
      above->missing.insert(name);
    return nullptr;
  }

  std::int64_t start_;
  std::unordered_set<std::string> asked_;
  std::unordered_map<std::string, std::unique_ptr<Folder>> folders_;
};

std::string_view without_dot(std::string_view path) {
  while (path.starts_with("./")) path.remove_prefix(2);
  return path;
}

/// Whether one of the names that `by` asks for can have led to `file`.
bool explained(const Asked& by, std::string_view file) {
  return std::any_of(by.names.begin(), by.names.end(), [&](const Asked::Name& name) {
    const auto text = without_dot(name.text);
    return file == text || (file.ends_with(text) && file[file.size() - text.size() - 1] == '/');
  });
}

class Closing {
 public:
  explicit Closing(const ClosureRequest& request) : request_(request), path_(request.start) {}

  Closure run() {
    if (!request_.source.empty()) add(request_.source);
    for (const auto& path : request_.plain) add_plain(path);
    for (const auto& entered : request_.entered) add(entered.file);
    for (const auto& name : request_.pre_included) add_everywhere(name);
    if (closure_.refusal.empty()) ask();
    for (const auto& path : request_.places) path_.look(path, read_);
    if (closure_.refusal.empty()) closure_.folders = path_.folders();
    for (auto& [path, file] : files_) closure_.files.push_back(std::move(file));
    return std::move(closure_);
  }

 private:
  void refuse(std::string why, const std::string& file) {
    if (!closure_.refusal.empty()) return;
    closure_.refusal = std::move(why);
    closure_.refused_file = file;
  }

  void add(const std::string& path) {
    const auto [entry, fresh] = asked_.try_emplace(path);
    if (!fresh) return;
    const bool whole = read_file(path, bytes_).has_value();
    const Stamp stamp = stamp_of(path);
    if (!whole || path.find('\n') != std::string::npos)
      return refuse("a file that was read cannot be read again", path);
    if (!stamp.settled(request_.start))
      return refuse("a file changed during the compile, or is newer than the clock", path);
    files_[path] = {path, stamp, sha256(bytes_)};
    read_.insert(path);
    const Asked& asked = entry->second = questions_of(bytes_);
    if (asked.time && !request_.time_is_fixed) refuse("__DATE__ or __TIME__ in the source", path);
    if (asked.timestamp) refuse("__TIMESTAMP__ in the source", path);
    if (asked.unseen)
      refuse("the source takes in a file that no preprocessor tells of (.incbin, .include, #embed)", path);
    if (asked.digraphs) refuse("directives that begin with a digraph or a trigraph", path);
    if (asked.file_time) refuse("#pragma GCC dependency in the source", path);
    if (asked.hidden_question) refuse("__has_include of a macro", path);
    wrappers_.insert(wrappers_.end(), asked.wrappers.begin(), asked.wrappers.end());
  }

  void add_plain(const std::string& path) {
    if (files_.contains(path)) return;
    const Stamp stamp = stamp_of(path);
    Digest digest;
    if (!digest_file(path, digest) || path.find('\n') != std::string::npos)
      return refuse("a file that was read cannot be read again", path);
    if (!stamp.settled(request_.start))
      return refuse("a file changed during the compile, or is newer than the clock", path);
    files_[path] = {path, stamp, digest};
    read_.insert(path);
  }

  void add_everywhere(const std::string& name) {
    const std::string here;
    std::vector<std::string> places{name};
    for (const auto& folder : request_.search) places.push_back(joined(folder, name));
    for (const auto& place : places)
      if (const Stamp stamp = stamp_of(place); stamp.exists() && !stamp.directory) add(place);
    look_for(name, &here);
  }

  void ask() {
    std::sort(wrappers_.begin(), wrappers_.end());
    wrappers_.erase(std::unique(wrappers_.begin(), wrappers_.end()), wrappers_.end());
    for (std::size_t known = 0; known != wrappers_.size() && !wrappers_.empty();) {
      known = wrappers_.size();
      for (const auto& [path, asked] : asked_)
        if (!read_file(path, bytes_) || asks_hidden(bytes_, wrappers_)) return refuse("__has_include of a macro", path);
    }
    if (request_.flat) refuse_precompiled();
    for (const auto& [path, asked] : asked_) {
      if (request_.said)
        for (const auto& shown : asked.shown) stamp_of(shown).exists() ? add_plain(shown) : path_.look(shown, read_);
      const std::string beside(folder_of(path));
      for (const auto& name : asked.names) look_for(name.text, name.quoted ? &beside : nullptr);
      // gcc takes a precompiled header that stands beside a header instead of it.
      if (path != request_.source) path_.look(path + ".gch", read_);
    }
    // Computed includes: what name was asked for shows in what was found.
    for (const auto& [file, by] : request_.entered) {
      if (by.empty() && !request_.flat) continue;
      const auto asking = asked_.find(by);
      if (request_.flat
              ? std::any_of(asked_.begin(), asked_.end(), [&](const auto& a) { return explained(a.second, file); })
              : asking != asked_.end() && explained(asking->second, file))
        continue;
      const std::string beside(asking != asked_.end() ? folder_of(by) : folder_of(file));
      for (const auto& folder : request_.search) try_name_below(folder, file, beside);
      try_name_below(beside, file, beside);
    }
  }

  /// Without -H nothing tells that gcc took a precompiled header. It does so only where the source itself asks.
  void refuse_precompiled() {
    const auto stands = [](const std::string& place) { return stamp_of(place + ".gch").exists(); };
    const auto check = [&](const std::string& name, std::string_view beside) {
      if (stands(joined(beside, name)) || std::any_of(request_.search.begin(), request_.search.end(),
                                                      [&](const auto& folder) { return stands(joined(folder, name)); }))
        refuse("a precompiled header may have been used", name);
    };
    for (const auto& name : asked_[request_.source].names) check(name.text, folder_of(request_.source));
    for (const auto& name : request_.pre_included) check(name, {});
  }

  void try_name_below(const std::string& folder, const std::string& file, const std::string& beside) {
    const std::string prefix = joined(folder, "");
    if (!folder.empty() && !file.starts_with(prefix)) return;
    if (file.size() > prefix.size())
      look_for(std::string_view(file).substr(folder.empty() ? 0 : prefix.size()), &beside);
  }

  void look_for(std::string_view name, const std::string* beside) {
    if (name.empty() || name.front() == '/') {
      if (!name.empty()) path_.look(std::string(name), read_);
      return;
    }
    if (beside != nullptr) path_.look(joined(*beside, name), read_);
    auto& done = searched_[std::string(name)];
    if (std::exchange(done, true)) return;
    for (const auto& folder : request_.search) path_.look(joined(folder, name), read_);
  }

  const ClosureRequest& request_;
  Closure closure_;
  SearchPath path_;
  std::string bytes_;  // of the file at hand
  std::map<std::string, Asked> asked_;
  std::map<std::string, ClosureFile> files_;
  std::unordered_set<std::string> read_;
  std::unordered_map<std::string, bool> searched_;
  std::vector<std::string> wrappers_;
};

}  // namespace

bool digest_file(const std::string& path, Digest& digest) {
  const auto bytes = read_file(path);
  if (bytes) digest = sha256(*bytes);
  return bytes.has_value();
}

Closure close_over(const ClosureRequest& request) {
  return Closing(request).run();
}

bool still_holds(Closure& closure, bool& refreshed) {
  refreshed = false;
  const std::int64_t now = file_clock();
  for (auto& file : closure.files) {
    const Stamp stamp = stamp_of(file.path);
    if (stamp == file.stamp) continue;
    Digest digest;
    if (!stamp.exists() || stamp.size != file.stamp.size || !digest_file(file.path, digest) || digest != file.digest)
      return false;
    if (stamp.settled(now)) {
      file.stamp = stamp;
      refreshed = true;
    }
  }
  for (auto& folder : closure.folders) {
    const std::string shown = folder.path.empty() ? "." : folder.path;
    const Stamp stamp = stamp_of(shown);
    if (folder.stamp.exists() && stamp == folder.stamp) continue;
    const auto there = [&](const std::string& name) { return ::access(joined(shown, name).c_str(), F_OK) == 0; };
    if (std::any_of(folder.missing.begin(), folder.missing.end(), there)) return false;
    if (!std::all_of(folder.present.begin(), folder.present.end(), there)) return false;
    if (stamp.settled(now - kQuietFolder)) {
      folder.stamp = stamp;
      refreshed = true;
    }
  }
  return true;
}

}  // namespace keyhole
