// SPDX-License-Identifier: Apache-2.0
// Content by its SHA-256, each once: in a row of cache.db, or, where it is large, in a file of its own.
//
// A file is written (temporary name, fsync, rename) before the row that names it is committed, and unlinked after the
// row is gone. Files are unlinked only within a write transaction that sees no row for them, and a put looks once more,
// within its own, whether the file is there: so no put can commit a row whose file another process is about to unlink.
#pragma once

#include <string>
#include <string_view>

#include "keyhole/base/digest.h"
#include "keyhole/base/error.h"
#include "keyhole/cache/artifact_cache.h"
#include "keyhole/db/sqlite.h"

namespace keyhole {

enum class Codec : std::int64_t { plain = 0, zstd = 1 };

/// Content made ready to be stored. Views the caller's bytes, or owns compressed ones.
struct PreparedBlob {
  Digest hash;
  std::size_t size = 0;
  Codec codec = Codec::plain;
  std::string compressed;
  std::string_view plain;
  std::uint32_t checksum = 0;
  bool file = false;
  [[nodiscard]] std::string_view stored() const { return codec == Codec::plain ? plain : std::string_view(compressed); }
};
/// The digest that a column holds as 32 bytes; shorter ones leave the rest zero.
Digest digest_of(std::string_view column);

PreparedBlob prepare_blob(std::string_view bytes, const CacheOptions& options);

/// "<store>/blobs/ab/cdef…"
std::string blob_path(const std::string& store, const Digest& hash);
/// Before the transaction. Does nothing for what goes into a row, or is there already, whole.
Result<void> write_blob_file(const std::string& store, const PreparedBlob& blob);
/// Within the transaction: the row's id. A row that is there already is checked and mended where it is damaged.
Result<std::int64_t> insert_blob(Db& db, const std::string& store, const PreparedBlob& blob);
struct DroppedBlob {
  bool file = false;        ///< it had one
  std::int64_t stored = 0;  ///< bytes that were freed
};
/// Within the transaction: removes the row where nothing refers to it any more.
DroppedBlob drop_blob_row(Db& db, std::int64_t id);
/// After that has been committed, in a transaction of its own.
void unlink_blob_file(Db& db, const std::string& store, const Digest& hash);

/// A row of `blob`: KEYHOLE_BLOB_COLUMNS, from `first` on.
struct BlobRow {
  BlobRow(Query& q, int first);
  std::int64_t id;
  Digest hash;
  std::int64_t size, codec, stored, checksum;
  bool file;
};
#define KEYHOLE_BLOB_COLUMNS "b.id, b.hash, b.size, b.codec, b.stored, b.checksum, b.file"

/// The content. corrupt where the checksum, the size or (with `distrust`) the SHA-256 does not match or the file is
/// gone.
/// A failure of the database itself sticks to `db`.
Result<std::string> load_blob(Db& db, const std::string& store, const BlobRow& row, bool distrust);

std::string compress(std::string_view bytes);
Result<std::string> decompress(std::string_view bytes);  ///< at most 1 GiB of content

}  // namespace keyhole
