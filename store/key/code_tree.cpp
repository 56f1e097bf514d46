// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include "keyhole/key/hash.h"
#include "keyhole/key/hash_details.h"

namespace keyhole {
namespace {

namespace fs = std::filesystem;
constexpr int kMaxFolders = 64;

struct Module {
  std::string name;  // dotted
  fs::path file;     // whose bytes count; empty: a folder without any of its own
  fs::path folder;   // entered after it; empty: no package
};

Result<void> feed_file(const fs::path& path, Sha256& hasher) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) return fail(ErrorKind::io, std::strerror(errno), path.string());
  std::array<char, 64 * 1024> buffer;
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), file.get()))
    hasher.update({buffer.data(), n});
  if (std::ferror(file.get()) != 0) return fail(ErrorKind::io, std::strerror(errno), path.string());
  return {};
}

bool ends_with_any(std::string_view name, const std::vector<std::string>& suffixes) {
  return std::any_of(suffixes.begin(), suffixes.end(),
                     [name](const std::string& s) { return name.ends_with(s) && name.size() > s.size(); });
}

// What one folder holds. A package goes before a module of the same name.
Result<void> list_modules(const fs::path& folder, std::string_view prefix, const SourceTree& tree,
                          std::vector<Module>& out) {
  std::error_code error;
  std::vector<fs::path> entries;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    entries.push_back(it->path());
  if (error) return fail(ErrorKind::io, error.message(), folder.string());
  std::sort(entries.begin(), entries.end());
  const bool python = !tree.package_file.empty();
  const auto known = [&](const std::string& name) {
    return std::any_of(out.begin(), out.end(), [&](const Module& m) { return m.name == name; });
  };
  for (const bool folders : {true, false}) {
    for (const fs::path& entry : entries) {
      const std::string file = entry.filename().string();
      if (fs::is_directory(entry, error) != folders) continue;
      if (folders) {
        const fs::path package = python ? entry / tree.package_file : fs::path();
        if (file.find('.') != std::string::npos || (python && !fs::is_regular_file(package, error))) continue;
        if (!known(std::string(prefix) + file)) out.push_back({std::string(prefix) + file, package, entry});
      } else if (ends_with_any(file, tree.suffixes)) {
        const std::string stem = python ? file.substr(0, file.find('.')) : file;
        const std::string name = std::string(prefix) + stem;
        if (stem.empty() || (python && stem == "__init__") || known(name)) continue;
        out.push_back({name, entry, {}});
      }
    }
  }
  return {};
}

Result<void> feed_tree(const std::vector<std::string>& roots, std::string_view prefix, const SourceTree& tree,
                       int depth, Sha256& hasher) {
  if (depth > kMaxFolders)
    return fail(ErrorKind::bad_input, "folders nest more than 64 deep", roots.empty() ? "" : roots.front());
  std::vector<Module> modules;
  for (const std::string& root : roots)
    if (auto listed = list_modules(root, prefix, tree, modules); !listed) return listed;
  std::sort(modules.begin(), modules.end(), [](const Module& a, const Module& b) { return a.name < b.name; });
  for (const Module& module : modules) {
    if (!module.file.empty()) {
      hasher.update(module.name);
      if (auto fed = feed_file(module.file, hasher); !fed) return fed;
    }
    if (!module.folder.empty())
      if (auto fed = feed_tree({module.folder.string()}, module.name + ".", tree, depth + 1, hasher); !fed) return fed;
  }
  return {};
}

}  // namespace

Result<Digest> build_code_hash(const std::vector<std::string>& roots, std::string_view prefix, const SourceTree& tree) {
  Sha256 hasher;
  if (auto fed = feed_tree(roots, prefix, tree, 0, hasher); !fed) return tl::make_unexpected(fed.error());
  return hasher.finish();
}

Result<Digest> build_source_hash(const std::vector<std::string>& roots) {
  return build_code_hash(roots, {}, {{".h", ".hpp", ".cpp", ".cu", ".cuh"}, {}});
}

}  // namespace keyhole
