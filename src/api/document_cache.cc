#include "api/document_cache.h"

#include <algorithm>

namespace gpuscope::api {

std::shared_ptr<std::string> DocumentCache::Buffers::take() {
  for (std::shared_ptr<std::string>& buffer : buffers_) {
    if (buffer.use_count() == 1) {
      buffer->clear();
      return buffer;
    }
  }
  // Both are on their way to slow readers, who keep theirs.
  next_ = (next_ + 1) % buffers_.size();
  return buffers_[next_] = std::make_shared<std::string>();
}

DocumentCache::Entry& DocumentCache::find(const DocumentKey& key, const model::Snapshot& snapshot) {
  const auto is_wanted = [&](const Entry& entry) {
    return entry.document == key.document && entry.gpu == key.gpu && entry.method == key.method;
  };
  auto entry = std::ranges::find_if(entries_, is_wanted);
  if (entry == entries_.end()) {
    if (entries_.size() < kCapacity) {
      entry = entries_.emplace(entries_.end());
    } else {
      entry = std::ranges::min_element(entries_, {}, &Entry::last_use);
      *entry = Entry{};
    }
    entry->method = key.method;
    entry->document = key.document;
    entry->gpu = key.gpu;
  }
  entry->last_use = ++uses_;
  if (entry->sequence != snapshot.sequence || entry->time != snapshot.time) {
    entry->sequence = snapshot.sequence;
    entry->time = snapshot.time;
    entry->plain.reset();
    entry->gzip.reset();
  }
  return *entry;
}

void DocumentCache::compress(Entry& entry, http::Response& response) {
  if (entry.plain->size() < kSmallestGzip) return;
  if (!entry.gzip) {
    const std::shared_ptr<std::string> buffer = entry.gzip_buffers.take();
    if (!gzip_.append(*entry.plain, *buffer)) return;
    entry.gzip = buffer;
    ++compressed_;
  }
  response.body = entry.gzip;
  response.gzip = true;
}

}  // namespace gpuscope::api
