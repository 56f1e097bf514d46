// SPDX-License-Identifier: Apache-2.0
#include "parts.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "keyhole/key/hash.h"

namespace keyhole {
namespace {

/// Part of every key: a change of what a key covers, or of what an entry holds, gets a new number.
constexpr const char* kProducer = "keyhole-cc-3";
constexpr std::size_t kMostShown = 400;  ///< bytes of names in the text of a folder

std::string shown(const Digest& digest) {
  return "sha256 " + digest.hex().substr(0, 16);
}

}  // namespace

Parts::Parts() : builder_("k", kProducer) {}

void Parts::add(std::string name, std::string_view value) {
  add_digest(std::move(name), sha256(value), std::string(value));
}

void Parts::add_digest(std::string name, Digest digest, std::string text) {
  if (const int n = ++seen_[name]; n > 1) name += " #" + std::to_string(n);
  digest.bytes.back() &= 0xfe;  // the 255 bits that texts of digests carry
  builder_.add_imported(name, digest);
  components_.push_back({std::move(name), digest, std::move(text)});
}

void Parts::add_tool(const Tool& tool) {
  add_digest("toolchain[" + tool.name + "]", tool.digest, tool.path + ", " + shown(tool.digest));
}

void Parts::add_option(const CompileOption& option) {
  std::string text = option.value.empty() ? "given" : option.value;
  if (!option.origin.empty()) text += " (" + option.origin + ")";
  add_digest("option[" + option.name + "]", sha256(option.value), std::move(text));
}

void Parts::add_file(const ClosureFile& file) {
  add_digest("include[" + file.path + "]", file.digest, shown(file.digest));
}

void Parts::add_looked_for(const ClosureFolder& folder) {
  std::string all, text;
  const auto list = [&](const std::vector<std::string>& names, const char* title, char sign) {
    if (names.empty()) return;
    std::string line;
    for (const auto& name : names) {
      all.append(1, sign).append(name) += '\n';
      if (line.size() < kMostShown)
        line += (line.empty() ? "" : ", ") + name;
      else if (!line.ends_with("…"))
        line += ", …";
    }
    text += (text.empty() ? "" : "; ") + (title + line);
  };
  list(folder.missing, "not there: ", '-');
  list(folder.present, "there, not read: ", '+');
  add_digest("looked_for[" + (folder.path.empty() ? "." : folder.path) + "]", sha256(all), std::move(text));
}

std::string Parts::key() const {
  return builder_.key().value_or(std::string());
}

std::vector<ComponentPtr> Parts::components() const {
  std::vector<ComponentPtr> out;
  out.reserve(components_.size());
  for (const auto& c : components_) out.push_back(&c);
  return out;
}

std::string working_folder() {
  char* folder = ::getcwd(nullptr, 0);
  std::string out = folder != nullptr ? folder : "";
  std::free(folder);
  return out;
}

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", c);
      out += escaped;
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace keyhole
