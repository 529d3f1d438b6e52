// Once buffers have grown, encoding a tick allocates nothing.
#include <gtest/gtest.h>

#include <cstddef>
#include <functional>
#include <string>

#include "base/allocation_count.h"
#include "wire/gzip.h"
#include "wire/prometheus_text.h"
#include "wire/query_document.h"
#include "wire/rest.h"
#include "wire/snapshot_document.h"
#include "wire/test_snapshot.h"

namespace gpuscope::wire {
namespace {

// How often `encode` allocates on its second run into the same string.
std::size_t allocations_of(const std::function<void(std::string&)>& encode) {
  std::string out;
  encode(out);
  const std::string first = out;
  out.clear();
  const std::size_t before = base::allocation_count();
  encode(out);
  const std::size_t count = base::allocation_count() - before;
  EXPECT_EQ(out, first);
  EXPECT_FALSE(out.empty());
  return count;
}

TEST(SteadyState, AllocatesNothing) {
  model::Snapshot snapshot = test_snapshot();
  snapshot.devices[1] = snapshot.devices[0];
  PrometheusText text(model::gpu_metric_naming());
  Gzip gzip;
  std::string plain;
  text.append(snapshot, "", plain);
  EXPECT_EQ(allocations_of([&](std::string& out) { EXPECT_TRUE(gzip.append(plain, out)); }), 0U);
  EXPECT_EQ(allocations_of([&](std::string& out) { append_metrics(out, snapshot); }), 0U);
  EXPECT_EQ(allocations_of([&](std::string& out) { append_gpu_list(out, snapshot); }), 0U);
  EXPECT_EQ(allocations_of([&](std::string& out) { append_snapshot(out, snapshot); }), 0U);
  EXPECT_EQ(allocations_of([&](std::string& out) {
              append_query_document(
                  out, snapshot,
                  {.fields = FieldSet::all(), .gpu = {}, .count = true, .indent = 4});
            }),
            0U);
}

// From one document to the next, with every number another one, back and forth.
TEST(SteadyState, ContinuesADocumentWithoutAllocating) {
  const model::Snapshot snapshot = test_snapshot();
  model::Snapshot other = snapshot;
  for (model::DeviceSample& device : other.devices) {
    for (model::Reading& reading : device.gpu) reading.value += 990;
  }
  PrometheusText text(model::gpu_metric_naming());
  std::string one;
  std::string two;
  std::size_t before = 0;
  for (int round = 0; round < 2; ++round) {
    before = base::allocation_count();
    one.clear();
    text.append(snapshot, two, one);
    two.clear();
    text.append(other, one, two);
  }
  EXPECT_EQ(base::allocation_count() - before, 0U);
  EXPECT_NE(one, two);
}

// The count itself works.
TEST(SteadyState, SeesAnAllocation) {
  EXPECT_GE(allocations_of([](std::string& out) { out += std::string(100, 'x'); }), 1U);
}

}  // namespace
}  // namespace gpuscope::wire
