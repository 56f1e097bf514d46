// SPDX-License-Identifier: Apache-2.0
// The components of a compile's key: docs/compile-cache.md names them.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "closure.h"
#include "keyhole/base/records.h"
#include "keyhole/compiler/command.h"
#include "keyhole/compiler/toolchain.h"
#include "keyhole/key/canonical.h"

namespace keyhole {

/// Components in order, and the key that they make.
class Parts {
 public:
  Parts();

  void add(std::string name, std::string_view value);
  /// `text` is how it is shown.
  void add_digest(std::string name, Digest digest, std::string text);
  void add_tool(const Tool& tool);
  void add_option(const CompileOption& option);
  void add_file(const ClosureFile& file);
  /// What was looked for in a folder: one part a folder, so that a header that appears is told by its place.
  void add_looked_for(const ClosureFolder& folder);

  [[nodiscard]] std::string key() const;  ///< empty: none can be made
  /// Valid until the next add.
  [[nodiscard]] std::vector<ComponentPtr> components() const;

 private:
  KeyBuilder builder_;
  std::vector<Component> components_;
  std::map<std::string, int> seen_;
};

[[nodiscard]] std::string working_folder();
/// As a JSON string, with its quotes.
[[nodiscard]] std::string json_text(std::string_view text);

}  // namespace keyhole
