// SPDX-License-Identifier: Apache-2.0
// How results reach the user's files, and whose turn it is to make them.
#pragma once

#include <string>
#include <string_view>

namespace keyhole {

/// All of it, over signals and short writes.
bool write_all(int fd, std::string_view bytes);

/// Whether a file that is moved there is what a compiler would leave: there is none yet, or one of that name alone. Not
/// /dev/null, nor a link, which some compilers write through.
bool is_plain_output(const std::string& path);

/// Through a temporary name beside it, so that nobody sees half of it; a device is written to as it is. A program may
/// be run, as far as the umask lets it.
bool put_output(const std::string& path, std::string_view bytes, bool program = false);

/// One compiler run for a command at a time, over all processes. A dead holder holds nothing.
class Turn {
 public:
  explicit Turn(std::string path);
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn();
  [[nodiscard]] bool waited() const { return waited_; }

 private:
  std::string path_;
  int fd_ = -1;
  bool waited_ = false;
};

/// Removes what is in `folder` and belongs to nobody's turn: what a compile that was killed left. The names in it are
/// those of the locks in `locks`.
void sweep_kept(const std::string& folder, const std::string& locks);

}  // namespace keyhole
