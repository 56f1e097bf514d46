// SPDX-License-Identifier: Apache-2.0
#include "blobs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "keyhole/base/checksum.h"
#include "keyhole/base/os.h"
#include "keyhole/key/hash.h"

namespace keyhole {
namespace {

constexpr int kLevel = 1;  // of zstd: level 3 saves 4 % more of compiler output and takes twice as long

constexpr std::size_t kRowBytes = 8144;  // what a row may hold without leaving its page of 8 KiB
constexpr std::int64_t kChunks = 1024;   // of one blob at most

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

Error damaged(const std::string& what, const Digest& hash) {
  return {ErrorKind::corrupt, what, "blob " + hash.hex().substr(0, 8), "run `keyhole verify --repair`"};
}

void drop_chunks(Db& db, std::int64_t blob) {
  Query(db, "DELETE FROM chunk WHERE id >= ? AND id < ?", blob * kChunks, (blob + 1) * kChunks).run();
}

Result<std::string> load_file(const std::string& store, const BlobRow& row) {
  const std::string path = blob_path(store, row.hash);
  const int fd = os().open(path, O_RDONLY);
  if (fd < 0) return tl::unexpected(os_error(errno, "open the file of a blob", path));
  FileInfo info;
  if (os().stat(path, info) != 0 || info.size != row.stored) {
    os().close(fd);
    return tl::unexpected(damaged("the file of a blob has another size", row.hash));
  }
  std::string bytes(static_cast<std::size_t>(row.stored), '\0');
  std::size_t have = 0;
  while (have < bytes.size()) {
    const auto n = os().read(fd, bytes.data() + have, bytes.size() - have);
    if (n <= 0) break;
    have += static_cast<std::size_t>(n);
  }
  os().close(fd);
  if (have != bytes.size()) return tl::unexpected(damaged("the file of a blob is too short", row.hash));
  return bytes;
}

}  // namespace

Digest digest_of(std::string_view bytes) {
  Digest d;
  bytes.copy(reinterpret_cast<char*>(d.bytes.data()), d.bytes.size());
  return d;
}

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
  blob.file = blob.stored().size() > std::min(options.inline_limit, kRowBytes * kChunks);
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

BlobRow::BlobRow(Query& q, int first)
    : id(q.integer(first)),
      hash(digest_of(q.text(first + 1))),
      size(q.integer(first + 2)),
      codec(q.integer(first + 3)),
      stored(q.integer(first + 4)),
      checksum(q.integer(first + 5)),
      file(q.integer(first + 6) != 0) {}

Result<std::int64_t> insert_blob(Db& db, const std::string& store, const PreparedBlob& blob) {
  const std::string_view hash(reinterpret_cast<const char*>(blob.hash.bytes.data()), blob.hash.bytes.size());
  std::optional<BlobRow> existing;
  {
    Query q(db, "SELECT " KEYHOLE_BLOB_COLUMNS " FROM blob b WHERE b.hash = ?", Blob{hash});
    if (q.next()) existing.emplace(q, 0);
  }
  if (existing && load_blob(db, store, *existing, false)) return existing->id;
  if (!db.ok()) return tl::unexpected(db.error());
  const std::string_view bytes = blob.stored();
  if (blob.file) {
    FileInfo info;
    const bool there =
        os().stat(blob_path(store, blob.hash), info) == 0 && info.size == static_cast<std::int64_t>(bytes.size());
    if (!there || existing)
      if (auto written = write_blob_file(store, blob); !written) return tl::unexpected(written.error());
  }
  if (existing) drop_chunks(db, existing->id);
  Query(
      db,
      "INSERT INTO blob(id, hash, size, codec, stored, checksum, file) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT(id) DO "
      "UPDATE SET size = excluded.size, codec = excluded.codec, stored = excluded.stored, checksum = "
      "excluded.checksum, "
      "file = excluded.file",
      existing ? std::optional(existing->id) : std::nullopt, Blob{hash}, static_cast<std::int64_t>(blob.size),
      static_cast<std::int64_t>(blob.codec), static_cast<std::int64_t>(bytes.size()),
      static_cast<std::int64_t>(blob.checksum), blob.file)
      .run();
  const std::int64_t id = existing ? existing->id : db.last_insert_id();
  for (std::size_t at = 0, n = 0; !blob.file && at < bytes.size(); at += kRowBytes, ++n)
    Query(db, "INSERT INTO chunk(id, data) VALUES (?, ?)", id * kChunks + static_cast<std::int64_t>(n),
          Blob{bytes.substr(at, kRowBytes)})
        .run();
  if (!db.ok()) return tl::unexpected(db.error());
  return id;
}

DroppedBlob drop_blob_row(Db& db, std::int64_t id) {
  DroppedBlob dropped;
  {
    Query q(db,
            "SELECT file, stored FROM blob WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM entry WHERE blob = ?1) "
            "AND NOT EXISTS (SELECT 1 FROM bundle_file WHERE blob = ?1)",
            id);
    if (!q.next()) return {};
    dropped = {q.integer(0) != 0, q.integer(1)};
  }
  drop_chunks(db, id);
  Query(db, "DELETE FROM blob WHERE id = ?", id).run();
  return dropped;
}

void unlink_blob_file(Db& db, const std::string& store, const Digest& hash) {
  Transaction transaction(db);
  const std::string_view bytes(reinterpret_cast<const char*>(hash.bytes.data()), hash.bytes.size());
  const bool back = Query(db, "SELECT 1 FROM blob WHERE hash = ?", Blob{bytes}).next();
  if (db.ok() && !back) os().unlink(blob_path(store, hash));
}

Result<std::string> load_blob(Db& db, const std::string& store, const BlobRow& row, bool distrust) {
  std::string bytes;
  std::uint32_t checksum = 0;
  if (row.file) {
    auto read = load_file(store, row);
    if (!read) return read;
    bytes = std::move(*read);
    checksum = crc32c(bytes);
  } else {
    if (row.stored < 0 || row.stored > kChunks * static_cast<std::int64_t>(kRowBytes))
      return tl::unexpected(damaged("a blob has no sound size", row.hash));
    bytes.reserve(static_cast<std::size_t>(row.stored));
    Query q(db, "SELECT data FROM chunk WHERE id >= ? AND id < ? ORDER BY id", row.id * kChunks,
            (row.id + 1) * kChunks);
    // Not a step further than the content: that would touch the page of another.
    while (static_cast<std::int64_t>(bytes.size()) < row.stored && q.next()) {
      const auto chunk = q.text(0);
      checksum = crc32c(chunk, checksum);
      bytes += chunk;
    }
    if (!db.ok()) return tl::unexpected(db.error());
  }
  if (static_cast<std::int64_t>(bytes.size()) != row.stored || checksum != static_cast<std::uint32_t>(row.checksum))
    return tl::unexpected(damaged("the bytes of a blob do not match their checksum", row.hash));
  if (row.codec == static_cast<std::int64_t>(Codec::zstd)) {
    auto plain = decompress(bytes);
    if (!plain) return tl::unexpected(damaged(plain.error().what, row.hash));
    bytes = std::move(*plain);
  }
  if (static_cast<std::int64_t>(bytes.size()) != row.size)
    return tl::unexpected(damaged("the content of a blob has another size", row.hash));
  if (distrust && sha256(bytes) != row.hash)
    return tl::unexpected(damaged("the content of a blob does not match its SHA-256", row.hash));
  return bytes;
}

}  // namespace keyhole
