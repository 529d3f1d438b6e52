#include "prom/series_views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/labels.h"

namespace gpuscope::prom {
namespace {

using model::Metric;
using model::SeriesKey;
using model::SeriesView;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class SeriesViewsTest : public testing::Test {
 protected:
  SeriesViewsTest() {
    auto inventory = std::make_shared<model::Inventory>();
    inventory->gpus.resize(2);
    for (std::size_t i = 0; i < 2; ++i) {
      inventory->gpus[i].fact(model::Fact::kUuid) = model::Text::of("GPU-" + std::to_string(i));
      inventory->gpus[i].fact(model::Fact::kName) = model::Text::of("Card \"X\"");
    }
    const std::vector<SeriesKey> keys{{"GPU-0", Metric::kPower, 0},
                                      {"GPU-1", Metric::kPower, 0},
                                      {"GPU-1", Metric::kMemoryUsed, 0},
                                      {"GPU-1", Metric::kEnergy, 0},
                                      {"GPU-1", Metric::kXidLast, 0},
                                      {"GPU-1", Metric::kClockEventSwPowerCap, 0},
                                      {"GPU-1", Metric::kLinkReplayErrors, 0},
                                      {"GPU-1", Metric::kLinkReplayErrors, 3},
                                      {"GPU-1", Metric::kFanRpm, 1},
                                      {"GPU-0", Metric::kMigMemoryUsed, 7 * 65'536 + 2},
                                      {"GPU-gone", Metric::kPower, 0}};
    views_ = series_views({.hostname = "node", .counters = {}},
                          {{"instance", "node:9555"}, {"job", "gpuscope"}}, inventory, keys);
  }

  std::vector<const SeriesView*> named(std::string_view name) const {
    std::vector<const SeriesView*> found;
    for (const SeriesView& view : views_) {
      if (model::label_value(*view.labels, "__name__") == name) found.push_back(&view);
    }
    return found;
  }

  std::vector<SeriesView> views_;
};

TEST_F(SeriesViewsTest, HaveTheLabelsOfThePagesAndNoHealth) {
  const auto power = named("gpu_power_watts");
  ASSERT_THAT(power, SizeIs(2));
  EXPECT_THAT(*power[1]->labels,
              ElementsAre(std::pair{"__name__", "gpu_power_watts"}, std::pair{"gpu_index", "1"},
                          std::pair{"gpu_name", "Card \"X\""}, std::pair{"gpu_uuid", "GPU-1"},
                          std::pair{"instance", "node:9555"}, std::pair{"job", "gpuscope"}));
  EXPECT_THAT(power[1]->inputs, ElementsAre(SeriesKey{"GPU-1", Metric::kPower, 0}));
  EXPECT_EQ(power[1]->decimals, 3);
  const auto dcgm = named("DCGM_FI_DEV_POWER_USAGE");
  ASSERT_THAT(dcgm, SizeIs(2));
  EXPECT_EQ(model::label_value(*dcgm[0]->labels, "UUID"), "GPU-0");
  EXPECT_EQ(model::label_value(*dcgm[0]->labels, "Hostname"), "node");
  EXPECT_EQ(model::label_value(*dcgm[0]->labels, "instance"), "node:9555");
  EXPECT_THAT(named("gpu_health_status"), SizeIs(2));
  EXPECT_THAT(named("DCGM_FI_DEV_GPU_TEMP"), IsEmpty());
}

TEST_F(SeriesViewsTest, SayHowValuesFollow) {
  const auto used = named("DCGM_FI_DEV_FB_USED");
  ASSERT_THAT(used, SizeIs(2)) << "of an instance, and of a GPU that has none";
  EXPECT_EQ(used[0]->binary_shift, 20);
  const auto energy = named("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION");
  ASSERT_THAT(energy, SizeIs(1));
  EXPECT_EQ(energy[0]->decimals, 0);
  const auto mask = named("DCGM_FI_DEV_CLOCK_THROTTLE_REASONS");
  for (const SeriesView* view : mask) EXPECT_EQ(view->of, SeriesView::Of::kClockEvents);
  const auto sum = named("DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL");
  ASSERT_THAT(sum, SizeIs(1));
  EXPECT_EQ(sum[0]->of, SeriesView::Of::kSum);
  EXPECT_THAT(sum[0]->inputs, SizeIs(2));
}

TEST_F(SeriesViewsTest, TellFansLinksAndInstancesApart) {
  const auto fan = std::ranges::find_if(views_, [](const SeriesView& view) {
    return model::label_value(*view.labels, "fan") == "1";
  });
  ASSERT_NE(fan, views_.end());
  EXPECT_THAT(fan->inputs, ElementsAre(SeriesKey{"GPU-1", Metric::kFanRpm, 1}));
  const auto link = std::ranges::find_if(views_, [](const SeriesView& view) {
    return model::label_value(*view.labels, "nvlink") == "3";
  });
  ASSERT_NE(link, views_.end());
  EXPECT_THAT(link->inputs, ElementsAre(SeriesKey{"GPU-1", Metric::kLinkReplayErrors, 3}));
  const auto instance = std::ranges::find_if(views_, [](const SeriesView& view) {
    return model::label_value(*view.labels, "GPU_I_ID") == "7" &&
           model::label_value(*view.labels, "__name__") == "DCGM_FI_DEV_FB_USED";
  });
  ASSERT_NE(instance, views_.end());
  EXPECT_THAT(instance->inputs,
              ElementsAre(SeriesKey{"GPU-0", Metric::kMigMemoryUsed, 7 * 65'536 + 2}));
}

TEST_F(SeriesViewsTest, PutTheCodeOfAnXidIntoItsLabels) {
  const auto xid = named("DCGM_FI_DEV_XID_ERRORS");
  ASSERT_THAT(xid, SizeIs(1));
  ASSERT_TRUE(xid[0]->labels_of);
  EXPECT_EQ(model::label_value(*xid[0]->labels, "err_code"), "");
  const auto labels = xid[0]->labels_of(79);
  EXPECT_EQ(model::label_value(*labels, "err_code"), "79");
  EXPECT_NE(model::label_value(*labels, "err_msg"), "");
  EXPECT_EQ(model::label_value(*labels, "UUID"), "GPU-1");
}

}  // namespace
}  // namespace gpuscope::prom
