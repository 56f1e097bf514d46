// SPDX-License-Identifier: Apache-2.0
#include "manifest.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "keyhole/base/checksum.h"
#include "keyhole/base/os.h"

namespace keyhole {
namespace {

constexpr std::string_view kManifestHead = "keyhole-manifest 1";
constexpr std::size_t kLimit = std::size_t{64} << 20;

template <class Number>
bool read_number(std::string_view& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  return true;
}

bool cut(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool read_line(std::string_view line, std::vector<Variant>& variants) {
  if (cut(line, "result ")) {
    variants.push_back({std::string(line), {}});
    return true;
  }
  if (variants.empty()) return false;
  Closure& closure = variants.back().closure;
  if (cut(line, "file ")) {
    ClosureFile file;
    if (!read_stamp(line, file.stamp) || line.size() < 66 || !read_hex(line.substr(0, 64), file.digest)) return false;
    file.path = line.substr(65);
    closure.files.push_back(std::move(file));
    return true;
  }
  if (cut(line, "folder ")) {
    ClosureFolder folder;
    if (!read_stamp(line, folder.stamp)) return false;
    folder.path = line;
    closure.folders.push_back(std::move(folder));
    return true;
  }
  if (closure.folders.empty() || line.size() < 3 || line[1] != ' ') return false;
  (line[0] == '-' ? closure.folders.back().missing : closure.folders.back().present).emplace_back(line.substr(2));
  return line[0] == '-' || line[0] == '+';
}

}  // namespace

std::string text_of(const Stamp& s) {
  return std::to_string(s.size) + ' ' + std::to_string(s.modified) + ' ' + std::to_string(s.changed) + ' ' +
         std::to_string(s.device) + ' ' + std::to_string(s.inode) + (s.directory ? " 1 " : " 0 ");
}

bool read_stamp(std::string_view& text, Stamp& s) {
  int directory = 0;
  if (!read_number(text, s.size) || !read_number(text, s.modified) || !read_number(text, s.changed) ||
      !read_number(text, s.device) || !read_number(text, s.inode) || !read_number(text, directory))
    return false;
  s.directory = directory != 0;
  return true;
}

bool read_hex(std::string_view text, Digest& digest) {
  if (text.size() != 64) return false;
  for (std::size_t i = 0; i < 32; ++i) {
    const auto [end, error] = std::from_chars(text.data() + 2 * i, text.data() + 2 * i + 2, digest.bytes[i], 16);
    if (error != std::errc() || end != text.data() + 2 * i + 2) return false;
  }
  return true;
}

bool open_checked(std::string_view file, std::string_view head, std::string_view& rest) {
  std::uint32_t sum = 0;
  if (!cut(file, head) || !cut(file, " ") || !read_number(file, sum) || !cut(file, "\n") || crc32c(file) != sum)
    return false;
  rest = file;
  return true;
}

std::string checked(std::string_view head, const std::string& rest) {
  return std::string(head) + ' ' + std::to_string(crc32c(rest)) + '\n' + rest;
}

std::vector<Variant> read_manifest(const std::string& path) {
  const auto bytes = read_file(path, kLimit);
  return bytes ? parse_manifest(*bytes) : std::vector<Variant>();
}

std::vector<Variant> parse_manifest(std::string_view bytes) {
  std::vector<Variant> variants;
  std::string_view rest;
  if (!open_checked(bytes, kManifestHead, rest)) return variants;
  while (!rest.empty()) {
    const auto end = std::min(rest.find('\n'), rest.size() - 1);
    if (!read_line(rest.substr(0, end), variants)) return {};
    rest.remove_prefix(end + 1);
  }
  return variants;
}

std::string manifest_text(const std::vector<Variant>& variants) {
  std::string text;
  for (std::size_t i = 0; i < variants.size() && i < kMostVariants; ++i) {
    text += "result " + variants[i].result + '\n';
    for (const auto& file : variants[i].closure.files)
      text += "file " + text_of(file.stamp) + file.digest.hex() + ' ' + file.path + '\n';
    for (const auto& folder : variants[i].closure.folders) {
      text += "folder " + text_of(folder.stamp) + folder.path + '\n';
      for (const auto& name : folder.missing) text += "- " + name + '\n';
      for (const auto& name : folder.present) text += "+ " + name + '\n';
    }
  }
  return checked(kManifestHead, text);
}

void bound_manifests(const std::string& folder, const std::string& kept, std::int64_t most) {
  std::vector<std::string> names;
  if (os().list(folder, names) != 0) return;
  std::vector<std::pair<std::int64_t, std::string>> by_age;
  std::int64_t size = 0;
  for (const auto& name : names) {
    const std::string path = joined(folder, name);
    const Stamp stamp = stamp_of(path);
    if (!stamp.exists()) continue;
    size += stamp.size;
    if (path != kept) by_age.emplace_back(stamp.modified, path);
  }
  if (size <= most) return;
  std::sort(by_age.begin(), by_age.end());
  for (const auto& [modified, path] : by_age) {
    const std::int64_t freed = stamp_of(path).size;
    if (os().unlink(path) == 0) size -= freed;
    if (size <= most) return;
  }
}

Result<void> write_manifest(const std::string& path, const std::vector<Variant>& variants) {
  // No fsync: after a power cut the checksum tells, and the loss is a compile.
  const std::string temporary = path + '.' + std::to_string(::getpid());
  const std::string bytes = manifest_text(variants);
  const int fd = os().open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC);
  if (fd < 0) return tl::unexpected(os_error(errno, "write the manifest", temporary));
  const bool whole = os().write(fd, bytes.data(), bytes.size()) == static_cast<std::int64_t>(bytes.size());
  const int code = whole ? 0 : errno;
  os().close(fd);
  if (whole && os().rename(temporary, path) == 0) return {};
  const auto error = os_error(code != 0 ? code : errno, "write the manifest", path);
  os().unlink(temporary);
  return tl::unexpected(error);
}

}  // namespace keyhole
