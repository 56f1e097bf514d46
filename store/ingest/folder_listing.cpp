// SPDX-License-Identifier: Apache-2.0
#include "folder_listing.h"

#include <dirent.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "file_bytes.h"

namespace keyhole {
namespace {

struct Name {
  std::string name;
  bool folder = false, file = false;
};

class Lister {
 public:
  Lister(std::string root, std::int64_t max_entries) : root_(std::move(root)), max_(max_entries) {}

  /// Sorted names without dot-files; nothing where the folder cannot be listed (then a problem says so, unless it has
  /// just gone).
  std::optional<std::vector<Name>> names(const std::string& relative) {
    const std::string path = full(relative);
    DIR* dir = ::opendir(path.c_str());
    if (dir == nullptr) {
      error_ = errno;
      if (error_ != ENOENT) problem(relative, std::strerror(error_));
      return std::nullopt;
    }
    std::vector<Name> out;
    while (const dirent* d = ::readdir(dir)) {
      if (d->d_name[0] == '.') continue;
      Name n{d->d_name, d->d_type == DT_DIR, d->d_type == DT_REG};
      if (d->d_type == DT_UNKNOWN || d->d_type == DT_LNK) {
        const FileBytes s = stat_file_bytes(path + "/" + n.name);
        n.file = s.state == EntryState::ok;
        n.folder = !n.file && s.reason.find("folder") != std::string::npos;
      }
      out.push_back(std::move(n));
      if (static_cast<std::int64_t>(out.size()) > max_) break;
    }
    ::closedir(dir);
    std::sort(out.begin(), out.end(), [](const Name& a, const Name& b) { return a.name < b.name; });
    touch(stat_file_bytes(path).modified);
    return out;
  }

  void problem(const std::string& relative, std::string what, std::string hint = {}) {
    listing.problems.push_back({full(relative), -1, std::move(what), std::move(hint)});
  }

  void add(ItemKind kind, std::string key, const Name& name, const std::string& folder) {
    if (static_cast<std::int64_t>(listing.items.size()) >= max_) {
      if (!full_) problem(folder, fmt::format("more than {} entries: the rest is left out", max_));
      full_ = true;
      return;
    }
    FolderItem item;
    item.kind = kind;
    item.key = std::move(key);
    item.name = name.name;
    item.path = folder + "/" + name.name;
    const FileBytes s = stat_file_bytes(full(item.path));
    item.state = s.state;
    item.reason = s.reason;
    item.size = s.size;
    item.modified = s.modified;
    count(s);
    listing.items.push_back(std::move(item));
  }

  void count(const FileBytes& s) {
    ++listing.files;
    listing.total_bytes += s.size;
    touch(s.modified);
  }

  /// fxgraph/<xx>/<key>/<digest> or aotautograd/<key>/<digest>.
  void entries(ItemKind kind, const std::string& folder, bool shards) {
    for (const Name& n : names(folder).value_or(std::vector<Name>{})) {
      const std::string path = folder + "/" + n.name;
      if (!n.folder) {
        problem(path, "a file stands where a folder of entries belongs: nothing can be stored there", "delete it");
      } else if (shards) {
        entries(kind, path, false);
      } else {
        for (const Name& entry : names(path).value_or(std::vector<Name>{})) add(kind, n.name, entry, path);
      }
    }
  }

  void kernels(const std::string& folder) {
    for (const Name& n : names(folder).value_or(std::vector<Name>{})) {
      if (n.folder) kernel(folder.empty() ? n.name : folder + "/" + n.name, n.name);
    }
  }

  void kernel(const std::string& path, const std::string& key) {
    const auto files = names(path);
    if (!files) return;
    FolderItem item;
    item.kind = ItemKind::kernel;
    item.key = key;
    item.path = path;
    for (const Name& f : *files) {
      if (!f.file) continue;
      const FileBytes s = stat_file_bytes(full(path + "/" + f.name));
      if (s.state == EntryState::vanished) continue;
      count(s);
      item.size += s.size;
      item.modified = std::max(item.modified, s.modified);
      item.files.push_back(f.name);
      if (f.name.starts_with("__grp__")) item.name = f.name;
    }
    if (!item.files.empty() && static_cast<std::int64_t>(listing.items.size()) < max_) {
      listing.items.push_back(std::move(item));
    }
  }

  void dynamo() {
    for (const Name& n : names("dynamo").value_or(std::vector<Name>{})) {
      if (n.folder) {
        const std::string path = "dynamo/" + n.name;
        for (const Name& f : names(path).value_or(std::vector<Name>{})) {
          if (f.file) add(ItemKind::precompile, n.name, f, path);
        }
      } else if (n.name.ends_with(".lock")) {
        continue;
      } else if (n.name.ends_with(".pkl")) {
        add(ItemKind::code_state, n.name.substr(0, n.name.size() - 4), n, "dynamo");
      } else {
        ++listing.passed_over;
      }
    }
  }

  /// <xx>/: modules and binaries under their key, and Triton's best configurations.
  void code(const std::string& folder) {
    for (const Name& n : names(folder).value_or(std::vector<Name>{})) {
      const auto dot = n.name.find('.');
      if (n.name.ends_with(".best_config")) {
        add(ItemKind::best_config, n.name.substr(0, dot), n, folder);
      } else if (n.file && dot != std::string::npos && dot != 0) {
        if (!n.name.ends_with(".lock")) add(ItemKind::code, n.name.substr(0, dot), n, folder);
      } else {
        ++listing.passed_over;
      }
    }
  }

  [[nodiscard]] int error() const { return error_; }

  FolderListing listing;

 private:
  [[nodiscard]] std::string full(const std::string& relative) const {
    return relative.empty() ? root_ : root_ + "/" + relative;
  }
  void touch(Nanoseconds time) { listing.newest = std::max(listing.newest, time); }

  std::string root_;
  std::int64_t max_;
  bool full_ = false;
  int error_ = 0;
};

bool has_kernel_group(Lister& lister, const std::string& folder) {
  const auto files = lister.names(folder);
  return files &&
         std::any_of(files->begin(), files->end(), [](const Name& f) { return f.name.starts_with("__grp__"); });
}

/// 52 characters of base32 in either case (Triton has used both), or 64 of hex (before 3.0).
bool looks_like_kernel_hash(const std::string& name) {
  return name.size() >= 40 && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '_';
         });
}

}  // namespace

Result<FolderListing> list_cache_folder(const std::string& folder, std::int64_t max_entries) {
  Lister lister(folder, max_entries);
  const auto top = lister.names("");
  if (!top) return fail(ErrorKind::io, std::strerror(lister.error()), folder);
  for (const Name& n : *top) {
    if (!n.folder) {
      if (n.name == "fxgraph" || n.name == "aotautograd") {
        lister.problem(n.name, "a file stands where a folder of entries belongs: nothing can be stored there",
                       "delete it");
      } else {
        ++lister.listing.passed_over;
      }
    } else if (n.name == "fxgraph") {
      lister.entries(ItemKind::fx_entry, n.name, true);
    } else if (n.name == "aotautograd") {
      lister.entries(ItemKind::aot_entry, n.name, false);
    } else if (n.name == "cache") {
      for (const Name& f : lister.names(n.name).value_or(std::vector<Name>{})) {
        lister.add(ItemKind::autotune, f.name, f, n.name);
      }
    } else if (n.name == "triton") {
      for (const Name& device : lister.names(n.name).value_or(std::vector<Name>{})) {
        if (device.folder) lister.kernels("triton/" + device.name);
      }
    } else if (n.name == "dynamo") {
      lister.dynamo();
    } else if (n.name == "locks") {
      continue;
    } else if (n.name.size() <= 2) {
      lister.code(n.name);
    } else {
      ++lister.listing.passed_over;
    }
  }
  return std::move(lister.listing);
}

Result<FolderListing> list_triton_folder(const std::string& folder, std::int64_t max_entries) {
  Lister lister(folder, max_entries);
  const auto top = lister.names("");
  if (!top) return fail(ErrorKind::io, std::strerror(lister.error()), folder);
  for (const Name& n : *top) {
    if (!n.folder) continue;
    if (looks_like_kernel_hash(n.name)) {
      lister.kernel(n.name, n.name);
    } else {
      lister.kernels(n.name);
    }
  }
  return std::move(lister.listing);
}

bool is_cache_folder(const std::string& folder) {
  Lister lister(folder, 100'000);
  const auto top = lister.names("");
  if (!top) return false;
  const auto two = [&](const Name& n) {  // <xx> that holds a c<xx>... file
    if (!n.folder || n.name.size() != 2) return false;
    const auto files = lister.names(n.name);
    return files && std::any_of(files->begin(), files->end(),
                                [&](const Name& f) { return f.name.size() > 50 && f.name.compare(1, 2, n.name) == 0; });
  };
  return std::any_of(top->begin(), top->end(),
                     [](const Name& n) { return n.name == "fxgraph" || n.name == "aotautograd"; }) ||
         std::any_of(top->begin(), top->end(), two);
}

bool is_triton_folder(const std::string& folder) {
  Lister lister(folder, 100'000);
  const auto top = lister.names("");
  if (!top) return false;
  for (const Name& n : *top) {
    if (!n.folder) continue;
    if (looks_like_kernel_hash(n.name)) {
      if (has_kernel_group(lister, n.name)) return true;
    } else if (n.name.size() <= 3 &&
               std::all_of(n.name.begin(), n.name.end(), [](unsigned char c) { return std::isdigit(c); })) {
      for (const Name& k : lister.names(n.name).value_or(std::vector<Name>{})) {
        if (k.folder && looks_like_kernel_hash(k.name)) return has_kernel_group(lister, n.name + "/" + k.name);
      }
    }
  }
  return false;
}

}  // namespace keyhole
