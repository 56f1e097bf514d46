// SPDX-License-Identifier: Apache-2.0
#include "keyhole/ingest/source.h"

#include <fcntl.h>
#include <lzma.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "keyhole/key/hash.h"

namespace keyhole {
namespace {

constexpr std::size_t kChunk = 256 * 1024;
constexpr std::size_t kMagicSize = 6;
// What a decoder may ask for. xz -9 wants 65 MiB, zstd --ultra -22 a window of 128 MiB; a file that wants more is
// hostile.
constexpr std::uint64_t kXzMemory = 192u << 20;
constexpr int kZstdWindowLog = 27;

std::string reason_of(int error) {
  return std::strerror(error);
}

/// A file descriptor whose first bytes were looked at already.
class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File() { ::close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  /// -1: errno tells.
  ssize_t read(char* out, std::size_t size) {
    if (head_at_ < head_.size()) {
      const std::size_t n = std::min(size, head_.size() - head_at_);
      std::memcpy(out, head_.data() + head_at_, n);
      head_at_ += n;
      return static_cast<ssize_t>(n);
    }
    ssize_t n;
    do n = ::read(fd_, out, size);
    while (n < 0 && errno == EINTR);
    return n;
  }

  /// Reads `size` bytes ahead; fewer at the end of the file.
  bool look_ahead(std::size_t size) {
    std::string head(size, '\0');
    std::size_t got = 0;
    while (got < size) {
      const ssize_t n = read(head.data() + got, size - got);
      if (n < 0) return false;
      if (n == 0) break;
      got += static_cast<std::size_t>(n);
    }
    head.resize(got);
    head_ = std::move(head);
    head_at_ = 0;
    return true;
  }
  [[nodiscard]] std::string_view head() const { return head_; }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
  std::string head_;
  std::size_t head_at_ = 0;
};

class FileSource : public Source {
 public:
  explicit FileSource(std::unique_ptr<File> file) : file_(std::move(file)) {}

  void describe(const std::string& path, const struct stat& status) {
    path_ = path;
    if (S_ISREG(status.st_mode)) file_size_ = status.st_size;
    modified_ = std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
  }

 protected:
  Result<std::size_t> read_file(char* out, std::size_t size) {
    const ssize_t n = file_->read(out, size);
    if (n < 0) return fail(ErrorKind::io, "cannot read the file: " + reason_of(errno), path_);
    consumed_ += n;
    return static_cast<std::size_t>(n);
  }
  std::unique_ptr<File> file_;
};

class PlainSource final : public FileSource {
 public:
  using FileSource::FileSource;
  Result<std::size_t> read(char* out, std::size_t size) override { return read_file(out, size); }
  [[nodiscard]] bool compressed() const override { return false; }
};

/// What a decoder did with its input and output window.
enum class Step { more, end_of_member, failed };

/// Feeds a decoder from the file. A decoder holds `input` and `output` windows and steps over them.
template <class Decoder>
class PackedSource final : public FileSource {
 public:
  explicit PackedSource(std::unique_ptr<File> file) : FileSource(std::move(file)), input_(kChunk) {}
  [[nodiscard]] bool compressed() const override { return true; }

  Result<std::size_t> read(char* out, std::size_t size) override {
    if (size == 0 || ended_) return std::size_t{0};
    if (!damage_.empty()) return damaged();
    std::size_t produced = 0;
    while (produced == 0) {
      if (begin_ == end_ && !at_eof_) {
        auto n = read_file(input_.data(), input_.size());
        if (!n) return n;
        begin_ = 0;
        end_ = *n;
        at_eof_ = end_ == 0;
      }
      if (between_members_) {
        if (begin_ == end_) {
          ended_ = true;
          return std::size_t{0};
        }
        if (input_[begin_] == '\0') {  // padding behind a member (RFC 1952 tools and xz allow it)
          ++begin_;
          continue;
        }
        if (!decoder_.next_member()) return hurt("the decoder cannot start");
        between_members_ = false;
      }
      const std::size_t before = begin_;
      const Step step = decoder_.step(input_.data(), begin_, end_, out, size, produced);
      if (step == Step::failed) {
        if (produced > 0) {
          damage_ = decoder_.reason();
          return produced;
        }
        return hurt(decoder_.reason());
      }
      if (step == Step::end_of_member) between_members_ = true;
      if (step == Step::more && produced == 0 && at_eof_ && begin_ == before)
        return hurt("the compressed data ends early");
    }
    return produced;
  }

 private:
  Result<std::size_t> hurt(std::string reason) {
    damage_ = std::move(reason);
    return damaged();
  }
  Result<std::size_t> damaged() const {
    return fail(ErrorKind::bad_input, std::string(Decoder::kName) + " data is damaged: " + damage_,
                path_ + ":" + std::to_string(consumed_), "copy the file again; what came before is kept");
  }

  Decoder decoder_;
  std::vector<char> input_;
  std::size_t begin_ = 0, end_ = 0;
  bool at_eof_ = false, ended_ = false, between_members_ = true;
  std::string damage_;
};

class Gzip {
 public:
  static constexpr const char* kName = "gzip";
  Gzip() { ok_ = inflateInit2(&stream_, 15 + 16) == Z_OK; }
  ~Gzip() { inflateEnd(&stream_); }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;
  bool next_member() { return ok_ && inflateReset(&stream_) == Z_OK; }
  Step step(const char* in, std::size_t& begin, std::size_t end, char* out, std::size_t size, std::size_t& produced) {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in + begin));
    stream_.avail_in = static_cast<uInt>(end - begin);
    const auto room = static_cast<uInt>(std::min<std::size_t>(size, 1u << 30));
    stream_.next_out = reinterpret_cast<Bytef*>(out);
    stream_.avail_out = room;
    const int code = inflate(&stream_, Z_NO_FLUSH);
    begin = end - stream_.avail_in;
    produced = room - stream_.avail_out;
    if (code == Z_STREAM_END) return Step::end_of_member;
    if (code == Z_OK || code == Z_BUF_ERROR) return Step::more;
    reason_ = stream_.msg ? stream_.msg : "zlib error " + std::to_string(code);
    return Step::failed;
  }
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  z_stream stream_{};
  bool ok_ = false;
  std::string reason_;
};

class Xz {
 public:
  static constexpr const char* kName = "xz";
  Xz() = default;
  ~Xz() { lzma_end(&stream_); }
  Xz(const Xz&) = delete;
  Xz& operator=(const Xz&) = delete;
  bool next_member() { return lzma_stream_decoder(&stream_, kXzMemory, 0) == LZMA_OK; }
  Step step(const char* in, std::size_t& begin, std::size_t end, char* out, std::size_t size, std::size_t& produced) {
    stream_.next_in = reinterpret_cast<const std::uint8_t*>(in + begin);
    stream_.avail_in = end - begin;
    stream_.next_out = reinterpret_cast<std::uint8_t*>(out);
    stream_.avail_out = size;
    const lzma_ret code = lzma_code(&stream_, LZMA_RUN);
    begin = end - stream_.avail_in;
    produced = size - stream_.avail_out;
    if (code == LZMA_STREAM_END) return Step::end_of_member;
    if (code == LZMA_OK || code == LZMA_BUF_ERROR) return Step::more;
    reason_ = code == LZMA_MEMLIMIT_ERROR ? "it asks for more than 192 MiB of memory"
                                          : "liblzma error " + std::to_string(static_cast<int>(code));
    return Step::failed;
  }
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  lzma_stream stream_ = LZMA_STREAM_INIT;
  std::string reason_;
};

class Zstd {
 public:
  static constexpr const char* kName = "zstd";
  Zstd() : context_(ZSTD_createDCtx()) {
    if (context_) ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, kZstdWindowLog);
  }
  ~Zstd() { ZSTD_freeDCtx(context_); }
  Zstd(const Zstd&) = delete;
  Zstd& operator=(const Zstd&) = delete;
  bool next_member() { return context_ && !ZSTD_isError(ZSTD_DCtx_reset(context_, ZSTD_reset_session_only)); }
  Step step(const char* in, std::size_t& begin, std::size_t end, char* out, std::size_t size, std::size_t& produced) {
    ZSTD_inBuffer input{in, end, begin};
    ZSTD_outBuffer output{out, size, 0};
    const std::size_t code = ZSTD_decompressStream(context_, &output, &input);
    begin = input.pos;
    produced = output.pos;
    if (ZSTD_isError(code)) {
      reason_ = ZSTD_getErrorName(code);
      return Step::failed;
    }
    return code == 0 ? Step::end_of_member : Step::more;
  }
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  ZSTD_DCtx* context_;
  std::string reason_;
};

bool is_gzip(std::string_view head) {
  return head.substr(0, 3) == std::string_view("\x1f\x8b\x08", 3);
}
bool is_xz(std::string_view head) {
  return head.substr(0, 6) == std::string_view(
                                  "\xfd"
                                  "7zXZ\0",
                                  6);
}
bool is_zstd(std::string_view head) {
  if (head.size() < 4) return false;
  const bool frame = head.substr(0, 4) == std::string_view("\x28\xb5\x2f\xfd", 4);
  const bool skippable = (static_cast<unsigned char>(head[0]) & 0xf0) == 0x50 && head.substr(1, 3) == "\x2a\x4d\x18";
  return frame || skippable;
}

}  // namespace

Result<std::unique_ptr<Source>> Source::open(const std::string& path) {
  // O_NONBLOCK: a pipe without a writer must not hang the opening.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0)
    return fail(errno == ENOENT ? ErrorKind::not_found : ErrorKind::io, "cannot open the file: " + reason_of(errno),
                path);
  auto file = std::make_unique<File>(fd);
  struct stat status {};
  if (::fstat(fd, &status) != 0) return fail(ErrorKind::io, "cannot look at the file: " + reason_of(errno), path);
  if (!S_ISREG(status.st_mode) && !S_ISFIFO(status.st_mode))
    return fail(ErrorKind::bad_input, S_ISDIR(status.st_mode) ? "is a folder" : "is neither a file nor a pipe", path);
  if (S_ISFIFO(status.st_mode)) ::fcntl(fd, F_SETFL, 0);
  if (S_ISREG(status.st_mode)) ::posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  if (!file->look_ahead(kMagicSize)) return fail(ErrorKind::io, "cannot read the file: " + reason_of(errno), path);

  const std::string head(file->head());
  std::unique_ptr<FileSource> source;
  if (is_gzip(head))
    source = std::make_unique<PackedSource<Gzip>>(std::move(file));
  else if (is_xz(head))
    source = std::make_unique<PackedSource<Xz>>(std::move(file));
  else if (is_zstd(head))
    source = std::make_unique<PackedSource<Zstd>>(std::move(file));
  else
    source = std::make_unique<PlainSource>(std::move(file));
  source->describe(path, status);
  return source;
}

Result<std::string> read_whole(const std::string& path, std::size_t limit) {
  auto source = Source::open(path);
  if (!source) return tl::unexpected(source.error());
  std::string content;
  std::size_t used = 0;
  for (;;) {
    const std::size_t wanted = used + kChunk;
    if (content.size() < wanted) content.resize(std::max(wanted, content.size() * 3 / 2));
    auto n = (*source)->read(content.data() + used, content.size() - used);
    if (!n) return tl::unexpected(n.error());
    if (*n == 0) break;
    used += *n;
    if (used > limit) return fail(ErrorKind::bad_input, "is larger than " + std::to_string(limit) + " bytes", path);
  }
  content.resize(used);
  return content;
}

Result<std::string> read_head(const std::string& path, std::size_t size) {
  auto source = Source::open(path);
  if (!source) return tl::unexpected(source.error());
  std::string head(size, '\0');
  std::size_t used = 0;
  while (used < size) {
    auto n = (*source)->read(head.data() + used, size - used);
    if (!n && used == 0) return tl::unexpected(n.error());
    if (!n || *n == 0) break;
    used += *n;
  }
  head.resize(used);
  return head;
}

std::string identity_of(std::string_view first_kib) {
  return sha256(first_kib.substr(0, kIdentityBytes)).hex();
}

Result<std::string> source_identity(const std::string& path) {
  const auto head = read_head(path, kIdentityBytes);
  if (!head) return tl::unexpected(head.error());
  return identity_of(*head);
}

}  // namespace keyhole
