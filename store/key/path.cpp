// SPDX-License-Identifier: Apache-2.0
#include "keyhole/key/path.h"
#include "keyhole/base/environment.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <vector>

namespace keyhole {
namespace {

std::string user_name() {
  for (const char* name : {"LOGNAME", "USER", "LNAME", "USERNAME"})  // the order of Python's getpass
    if (const std::string value = environment_variable(name); !value.empty()) return value;
  std::vector<char> buffer(4096);
  passwd entry{}, *found = nullptr;
  if (getpwuid_r(getuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) return entry.pw_name;
  return "uid_" + std::to_string(getuid());
}

std::string temporary_directory() {
  for (const char* name : {"TMPDIR", "TEMP", "TMP"}) {
    const std::string dir = environment_variable(name);
    if (!dir.empty() && access(dir.c_str(), W_OK | X_OK) == 0) return dir;
  }
  return "/tmp";
}

// Python's os.path.join for a relative second part.
std::string joined(std::string_view folder, std::string_view name) {
  std::string out(folder);
  if (!out.empty() && out.back() != '/') out += '/';
  return out += name;
}

// Length of the white-space character of Python at the start of `text`; 0: none stands there.
std::size_t space_length(std::string_view text) {
  static constexpr std::array<std::string_view, 18> kWide = {
      "\u0085", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005",
      "\u2006", "\u2007", "\u2008", "\u2009", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f"};
  if (text.empty()) return 0;
  const auto c = static_cast<unsigned char>(text[0]);
  if ((c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20)) return 1;
  for (const std::string_view wide : kWide)
    if (text.starts_with(wide)) return wide.size();
  return text.starts_with("\u3000") ? 3 : 0;
}

}  // namespace

std::string inductor_cache_root() {
  std::string root = environment_variable("TORCHINDUCTOR_CACHE_DIR");
  if (root.empty()) {
    std::string user = user_name();
    for (char& c : user)
      if (std::string_view("\\/:*?\"<>|").find(c) != std::string_view::npos) c = '_';
    root = joined(temporary_directory(), "torchinductor_" + user);
  }
  std::error_code ignored;
  const auto absolute = std::filesystem::absolute(root, ignored).lexically_normal();
  std::string out = ignored ? root : absolute.string();
  if (out.size() > 1 && out.back() == '/') out.pop_back();
  return out;
}

std::string triton_cache_dir(std::string_view root, int device_index) {
  const std::string set = environment_variable("TRITON_CACHE_DIR");
  return !set.empty() ? std::string(set) : joined(joined(root, "triton"), std::to_string(device_index));
}

CodePath code_path(std::string_view root, std::string_view basename, std::string_view extension, std::string_view dir) {
  CodePath out;
  out.basename = basename;
  if (dir.starts_with('/'))
    out.folder = dir;
  else
    out.folder = joined(root, !dir.empty() ? dir : basename.substr(std::min<std::size_t>(1, basename.size()), 2));
  out.path = joined(out.folder, std::string(basename) + "." + std::string(extension));
  return out;
}

std::string fx_graph_folder(std::string_view root, std::string_view key) {
  return joined(joined(joined(root, "fxgraph"), key.substr(std::min<std::size_t>(1, key.size()), 2)), key);
}

std::string autograd_folder(std::string_view root, std::string_view key) {
  return joined(joined(root, "aotautograd"), key);
}

std::string_view strip_text(std::string_view text) {
  while (const std::size_t n = space_length(text)) text.remove_prefix(n);
  while (!text.empty()) {
    std::size_t last = text.size() - 1;  // where the last character begins
    while (last > 0 && text.size() - last < 4 && (static_cast<unsigned char>(text[last]) & 0xc0) == 0x80) --last;
    if (space_length(text.substr(last)) != text.size() - last) break;
    text = text.substr(0, last);
  }
  return text;
}

std::string_view strip_bytes(std::string_view bytes) {
  constexpr std::string_view kSpace = " \t\n\r\v\f";
  const std::size_t first = bytes.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return bytes.substr(first, bytes.find_last_not_of(kSpace) - first + 1);
}

}  // namespace keyhole
