// SPDX-License-Identifier: Apache-2.0
// What a program that is started here would find: the variables that matter to compiler caches, the cache folder, the
// state of the source tree, the machine.
#pragma once

#include <string>
#include <vector>

#include "keyhole/base/records.h"

namespace keyhole::cli {

/// JSON object of the variables that change what PyTorch, Triton and the compilers do or what their keys hold.
/// Passwords in URLs are left out, and so are variables whose name says that they are secrets.
std::string environment_json();

/// TORCHINDUCTOR_CACHE_DIR, else PyTorch's default: torchinductor_<user> in Python's temporary folder.
std::string inductor_cache_dir();

struct GitState {
  std::string commit;  ///< empty: not in a work tree, or there is no git
  bool dirty = false;  ///< tracked files differ from the commit
};
GitState git_state();

/// Settings of this environment that leave less to see, each as a sentence. Empty: nothing is in the way.
std::vector<std::string> blind_spots();

/// The default store: $KEYHOLE_STORE, else $XDG_DATA_HOME/keyhole, else ~/.local/share/keyhole.
std::string default_store();

Nanoseconds now();

}  // namespace keyhole::cli
