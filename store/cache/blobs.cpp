// SPDX-License-Identifier: Apache-2.0
#include "blobs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "keyhole/base/checksum.h"
#include "keyhole/base/os.h"
#include "keyhole/key/hash.h"

namespace keyhole {
namespace {

constexpr int kLevel = 1;  // of zstd: level 3 saves 4 % more of compiler output and takes twice as long

constexpr unsigned long long kMostContent = 1ULL << 30;  // what a damaged frame may ask for

template <class T, void (*Free)(T*)>
struct Freer {
  void operator()(T* p) const { Free(p); }
};
void free_compressor(ZSTD_CCtx* c) {
  ZSTD_freeCCtx(c);
}
void free_decompressor(ZSTD_DCtx* c) {
  ZSTD_freeDCtx(c);
}

Digest digest_of(std::string_view bytes) {
  Digest d;
  std::memcpy(d.bytes.data(), bytes.data(), std::min(bytes.size(), d.bytes.size()));
  return d;
}

Error damaged(const std::string& what, const Digest& hash) {
  return {ErrorKind::corrupt, what, "blob " + hash.hex().substr(0, 8), "run `keyhole verify --repair`"};
}

Result<std::string> load_file(const std::string& store, const BlobRow& row) {
  const std::string path = blob_path(store, digest_of(row.hash));
  const int fd = os().open(path, O_RDONLY);
  if (fd < 0) return tl::unexpected(os_error(errno, "open the file of a blob", path));
  FileInfo info;
  if (os().stat(path, info) != 0 || info.size != row.stored) {
    os().close(fd);
    return tl::unexpected(damaged("the file of a blob has another size", digest_of(row.hash)));
  }
  std::string bytes(static_cast<std::size_t>(row.stored), '\0');
  std::size_t have = 0;
  while (have < bytes.size()) {
    const auto n = os().read(fd, bytes.data() + have, bytes.size() - have);
    if (n <= 0) break;
    have += static_cast<std::size_t>(n);
  }
  os().close(fd);
  if (have != bytes.size()) return tl::unexpected(damaged("the file of a blob is too short", digest_of(row.hash)));
  return bytes;
}

}  // namespace

std::string compress(std::string_view bytes) {
  static thread_local const std::unique_ptr<ZSTD_CCtx, Freer<ZSTD_CCtx, free_compressor>> context(ZSTD_createCCtx());
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  const std::size_t n = ZSTD_compressCCtx(context.get(), out.data(), out.size(), bytes.data(), bytes.size(), kLevel);
  out.resize(ZSTD_isError(n) ? 0 : n);
  return out;
}

Result<std::string> decompress(std::string_view bytes) {
  static thread_local const std::unique_ptr<ZSTD_DCtx, Freer<ZSTD_DCtx, free_decompressor>> context(ZSTD_createDCtx());
  const auto size = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  if (size > kMostContent) return fail(ErrorKind::corrupt, "the compressed bytes do not say their size");
  std::string out(size, '\0');
  const std::size_t n = ZSTD_decompressDCtx(context.get(), out.data(), out.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(n) || n != size) return fail(ErrorKind::corrupt, "the compressed bytes do not give the content");
  return out;
}

PreparedBlob prepare_blob(std::string_view bytes, const CacheOptions& options) {
  PreparedBlob blob;
  blob.hash = sha256(bytes);
  blob.size = bytes.size();
  blob.plain = bytes;
  if (bytes.size() > options.compress_over && bytes.size() <= kMostContent) {
    blob.compressed = compress(bytes);
    if (!blob.compressed.empty() && blob.compressed.size() <= bytes.size() / 4 * 3) blob.codec = Codec::zstd;
  }
  blob.checksum = crc32c(blob.stored());
  blob.file = blob.stored().size() > options.inline_limit;
  return blob;
}

std::string blob_path(const std::string& store, const Digest& hash) {
  const std::string hex = hash.hex();
  return store + "/blobs/" + hex.substr(0, 2) + "/" + hex.substr(2);
}

Result<void> write_blob_file(const std::string& store, const PreparedBlob& blob) {
  if (!blob.file) return {};
  const std::string path = blob_path(store, blob.hash);
  if (const auto there = read_file(path); there && *there == blob.stored()) return {};
  if (auto made = make_folders(path.substr(0, path.rfind('/'))); !made) return made;
  return write_file_atomic(path, blob.stored());
}

Result<std::int64_t> insert_blob(Db& db, const std::string& store, const PreparedBlob& blob) {
  const std::string_view hash(reinterpret_cast<const char*>(blob.hash.bytes.data()), blob.hash.bytes.size());
  std::int64_t existing = 0;
  {
    Query q(db, "SELECT id, size, codec, stored, checksum, data IS NULL, data FROM blob WHERE hash = ?", Blob{hash});
    if (q.next()) {
      existing = q.integer(0);
      const bool in_file = q.integer(5) != 0;
      const BlobRow row{hash,
                        q.integer(1),
                        q.integer(2),
                        q.integer(3),
                        q.integer(4),
                        in_file,
                        in_file ? std::string_view() : q.text(6)};
      if (load_blob(store, row, false)) return existing;
    }
  }
  if (!db.ok()) return tl::unexpected(db.error());
  if (blob.file) {
    FileInfo info;
    if (os().stat(blob_path(store, blob.hash), info) != 0 ||
        info.size != static_cast<std::int64_t>(blob.stored().size()))
      if (auto written = write_blob_file(store, blob); !written) return tl::unexpected(written.error());
  }
  std::optional<Blob> data;
  if (!blob.file) data = Blob{blob.stored()};
  const auto size = static_cast<std::int64_t>(blob.size), stored = static_cast<std::int64_t>(blob.stored().size());
  const auto codec = static_cast<std::int64_t>(blob.codec);
  const std::int64_t checksum = blob.checksum;
  if (existing != 0) {
    Query(db, "UPDATE blob SET size = ?, codec = ?, stored = ?, checksum = ?, data = ? WHERE id = ?", size, codec,
          stored, checksum, data, existing)
        .run();
  } else {
    Query(db, "INSERT INTO blob(hash, size, codec, stored, checksum, data) VALUES (?, ?, ?, ?, ?, ?)", Blob{hash}, size,
          codec, stored, checksum, data)
        .run();
    existing = db.last_insert_id();
  }
  if (!db.ok()) return tl::unexpected(db.error());
  return existing;
}

bool drop_blob_row(Db& db, std::int64_t id) {
  bool in_file = false;
  {
    Query q(db,
            "SELECT data IS NULL FROM blob WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM entry WHERE blob = ?1) "
            "AND NOT EXISTS (SELECT 1 FROM bundle_file WHERE blob = ?1)",
            id);
    if (!q.next()) return false;
    in_file = q.integer(0) != 0;
  }
  Query(db, "DELETE FROM blob WHERE id = ?", id).run();
  return in_file;
}

void unlink_blob_file(Db& db, const std::string& store, const Digest& hash) {
  Transaction transaction(db);
  const std::string_view bytes(reinterpret_cast<const char*>(hash.bytes.data()), hash.bytes.size());
  const bool back = Query(db, "SELECT 1 FROM blob WHERE hash = ?", Blob{bytes}).next();
  if (db.ok() && !back) os().unlink(blob_path(store, hash));
}

Result<std::string> load_blob(const std::string& store, const BlobRow& row, bool distrust) {
  std::string file;
  std::string_view stored = row.data;
  if (row.in_file) {
    auto read = load_file(store, row);
    if (!read) return read;
    file = std::move(*read);
    stored = file;
  }
  const Digest hash = digest_of(row.hash);
  if (static_cast<std::int64_t>(stored.size()) != row.stored ||
      crc32c(stored) != static_cast<std::uint32_t>(row.checksum))
    return tl::unexpected(damaged("the bytes of a blob do not match their checksum", hash));
  std::string content;
  if (row.codec == static_cast<std::int64_t>(Codec::zstd)) {
    auto plain = decompress(stored);
    if (!plain) return tl::unexpected(damaged(plain.error().what, hash));
    if (static_cast<std::int64_t>(plain->size()) != row.size)
      return tl::unexpected(damaged("the content of a blob has another size", hash));
    content = std::move(*plain);
  } else if (row.in_file) {
    content = std::move(file);
  } else {
    content.assign(stored);
  }
  if (distrust && sha256(content) != hash)
    return tl::unexpected(damaged("the content of a blob does not match its SHA-256", hash));
  return content;
}

}  // namespace keyhole
