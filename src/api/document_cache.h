// Documents that are encoded at most once a tick, however many ask.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/responses.h"
#include "base/clock.h"
#include "http/server.h"
#include "model/snapshot.h"
#include "wire/gzip.h"

namespace gpuscope::api {

enum class Document : std::uint8_t {
  kList,
  kMetric,
  kMetrics,
  kGpuMetrics,
  kGpu,
  kStatic,
  kPrometheusMetrics,
  kOpenMetrics,
  kSnapshot,
  kStreamStart,
};

// One document of one method; `gpu` is 0 for those of the whole machine.
struct DocumentKey {
  std::string_view method;
  Document document;
  std::size_t gpu = 0;
};

// Not thread-safe, and no other thread may drop a response's body either: a buffer is used again
// once nobody else holds it.
class DocumentCache {
 public:
  // More documents than this: the one that was asked for longest ago makes room.
  static constexpr std::size_t kCapacity = 64;

  // The document of this snapshot as plain bytes; `encode(std::string& out)` appends them where
  // this is the first time that it is asked for. `encode(out, std::string_view last)` is shown what
  // it appended the time before, or nothing where that is not kept.
  template <typename Encode>
  std::shared_ptr<const std::string> plain(const DocumentKey& key, const model::Snapshot& snapshot,
                                           Encode encode) {
    Entry& entry = find(key, snapshot);
    if (!entry.plain) {
      const std::shared_ptr<std::string> buffer = entry.plain_buffers.take();
      if constexpr (std::invocable<Encode&, std::string&, std::string_view>) {
        encode(*buffer, entry.last ? std::string_view(*entry.last) : std::string_view());
      } else {
        encode(*buffer);
      }
      entry.plain = entry.last = buffer;
      ++encoded_;
    }
    return entry.plain;
  }

  // The same as an answer, compressed (at most once, too) where the request takes that and it pays.
  template <typename Encode>
  http::Response answer(const DocumentKey& key, const model::Snapshot& snapshot,
                        const http::Request& request, std::string_view content_type,
                        Encode encode) {
    http::Response response;
    response.content_type = content_type;
    response.body = plain(key, snapshot, encode);
    if (request.accepts_gzip) compress(find(key, snapshot), response);
    return response;
  }

  // How many documents were encoded, and how many compressed, since the start.
  std::uint64_t encoded() const { return encoded_; }
  std::uint64_t compressed() const { return compressed_; }

 private:
  // Two buffers in turn: one that readers may still hold, one to write into.
  class Buffers {
   public:
    std::shared_ptr<std::string> take();

   private:
    std::array<std::shared_ptr<std::string>, 2> buffers_;
    std::size_t next_ = 0;
  };

  struct Entry {
    std::string method;
    Document document{};
    std::size_t gpu = 0;
    // Of the snapshot that it was made from: a sampler that starts anew counts from 1 again.
    std::uint64_t sequence = 0;
    base::WallTime time{};
    std::shared_ptr<const std::string> plain;  // null: to be encoded
    std::shared_ptr<const std::string> last;   // that was encoded
    std::shared_ptr<const std::string> gzip;   // null: not asked for yet
    Buffers plain_buffers;
    Buffers gzip_buffers;
    std::uint64_t last_use = 0;
  };

  // The entry of a key, emptied when it is of another snapshot.
  Entry& find(const DocumentKey& key, const model::Snapshot& snapshot);
  void compress(Entry& entry, http::Response& response);

  std::vector<Entry> entries_;
  wire::Gzip gzip_;
  std::uint64_t uses_ = 0;
  std::uint64_t encoded_ = 0;
  std::uint64_t compressed_ = 0;
};

}  // namespace gpuscope::api
