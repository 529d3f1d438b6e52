#include "api/document_cache.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gpuscope::api {
namespace {

class DocumentCacheTest : public testing::Test {
 protected:
  void next_tick() {
    ++snapshot_.sequence;
    snapshot_.time += std::chrono::seconds{1};
  }
  http::Response get(DocumentKey key, bool gzip = false, std::size_t size = 5000) {
    http::Request request;
    request.accepts_gzip = gzip;
    return cache_.answer(key, snapshot_, request, "text/plain", [&](std::string& out) {
      EXPECT_TRUE(out.empty());
      out.append(size, static_cast<char>('a' + snapshot_.sequence % 26));
    });
  }

  DocumentCache cache_;
  model::Snapshot snapshot_;
};

TEST_F(DocumentCacheTest, EncodesOnceATick) {
  const DocumentKey key{"sim", Document::kMetric};
  next_tick();
  const auto first = get(key).body;
  EXPECT_EQ(get(key).body, first);
  EXPECT_TRUE(get(key, true).gzip);
  EXPECT_EQ(get(key, true).body, get(key, true).body);
  EXPECT_EQ(cache_.encoded(), 1U);
  EXPECT_EQ(cache_.compressed(), 1U);
  next_tick();
  EXPECT_NE(*get(key).body, *first);
  EXPECT_EQ(cache_.encoded(), 2U);
  EXPECT_EQ(cache_.compressed(), 1U);
  // A sampler that was started anew counts from where another one was.
  snapshot_.time += std::chrono::hours{1};
  get(key);
  EXPECT_EQ(cache_.encoded(), 3U);
}

TEST_F(DocumentCacheTest, KeepsDocumentsApart) {
  next_tick();
  const auto one = get({"sim", Document::kGpu, 0}, false, 1).body;
  EXPECT_NE(get({"sim", Document::kGpu, 1}, false, 2).body, one);
  EXPECT_NE(get({"nvml", Document::kGpu, 0}, false, 3).body, one);
  EXPECT_NE(get({"sim", Document::kGpuMetrics, 0}, false, 4).body, one);
  EXPECT_EQ(cache_.encoded(), 4U);
}

// Whoever still sends a body goes on sending what it was.
TEST_F(DocumentCacheTest, LeavesHeldBodiesAlone) {
  const DocumentKey key{"sim", Document::kMetric};
  std::vector<std::pair<std::shared_ptr<const std::string>, std::string>> held;
  for (int i = 0; i < 5; ++i) {
    next_tick();
    const auto body = get(key).body;
    held.emplace_back(body, *body);
  }
  for (const auto& [body, text] : held) EXPECT_EQ(*body, text);
}

TEST_F(DocumentCacheTest, ShowsAnEncoderWhatItWroteBefore) {
  std::vector<std::string> seen;
  const auto get_next = [&](const DocumentKey& key) {
    cache_.plain(key, snapshot_, [&](std::string& out, std::string_view last) {
      seen.emplace_back(last);
      out = std::string(key.method) + " " + std::to_string(snapshot_.sequence);
    });
  };
  for (int tick = 0; tick < 3; ++tick) {
    next_tick();
    get_next({"sim", Document::kMetric});
    if (tick != 1) get_next({"nvml", Document::kMetric});
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"", "", "sim 1", "sim 2", "nvml 1"}));
}

TEST_F(DocumentCacheTest, UsesBuffersAgain) {
  const DocumentKey key{"sim", Document::kMetric};
  const std::string* first = nullptr;
  for (int i = 0; i < 6; ++i) {
    next_tick();
    const std::string* body = get(key).body.get();
    if (first == nullptr) first = body;
    EXPECT_TRUE(i == 0 || body != nullptr);
  }
  next_tick();
  EXPECT_EQ(get(key).body.get(), first);
}

TEST_F(DocumentCacheTest, IsBounded) {
  next_tick();
  const DocumentKey first{"sim", Document::kGpu, 0};
  get(first);
  for (std::size_t gpu = 1; gpu < DocumentCache::kCapacity; ++gpu)
    get({"sim", Document::kGpu, gpu});
  get(first);
  EXPECT_EQ(cache_.encoded(), DocumentCache::kCapacity);
  get({"sim", Document::kGpu, 1000});  // in the place of GPU 1, the longest unused
  get(first);
  EXPECT_EQ(cache_.encoded(), DocumentCache::kCapacity + 1);
  get({"sim", Document::kGpu, 1});
  EXPECT_EQ(cache_.encoded(), DocumentCache::kCapacity + 2);
}

TEST_F(DocumentCacheTest, SendsSmallOnesPlain) {
  next_tick();
  EXPECT_FALSE(get({"sim", Document::kList}, true, kSmallestGzip - 1).gzip);
  EXPECT_TRUE(get({"sim", Document::kMetric}, true, kSmallestGzip).gzip);
}

}  // namespace
}  // namespace gpuscope::api
