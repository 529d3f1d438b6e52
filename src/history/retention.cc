// The part of the store that lets go of what is old.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "history/layout.h"
#include "history/store.h"

namespace gpuscope::history {
namespace {

using base::Result;
using std::chrono::seconds;

constexpr std::int64_t kFreedPages = 1024;  // given back to the disk by one commit: a few MiB
// By the key of each GPU: a look at all rows would take seconds.
constexpr std::string_view kOldestMinute =
    "SELECT coalesce(min((SELECT min(time) FROM rollup_minute WHERE gpu=gpu.id)), 0) FROM gpu";
constexpr std::int64_t kDay = 86'400;

}  // namespace

Result<void> Store::drop_old_rollups(std::int64_t before) {
  std::vector<std::uint32_t> gpus;
  auto rows = connection_.prepare("SELECT id FROM gpu");
  if (!rows) return std::unexpected(std::move(rows.error()));
  for (;;) {
    const auto row = rows->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    gpus.push_back(static_cast<std::uint32_t>(rows->number(0)));
  }
  return rollup_tables_.drop_before(before, gpus);
}

// The block whose last tick is the oldest: an import writes old ticks behind newer ones.
Result<void> Store::drop_oldest_block() {
  const auto id =
      connection_.number("SELECT coalesce((SELECT id FROM block ORDER BY last, id LIMIT 1), 0)");
  if (!id) return std::unexpected(id.error());
  more_to_drop_ = *id != 0;
  if (*id == 0) return {};
  const std::int64_t first = chunk_id(*id, 0);
  const std::int64_t end = chunk_id(*id + 1, 0);
  return connection_.execute(fmt::format(
      "DELETE FROM chunk WHERE id>={} AND id<{}; DELETE FROM block WHERE id={}", first, end, *id));
}

// Lets go of a little at a time, so that no commit takes long: at most one block, or a day of
// rollups.
Result<void> Store::retain() {
  more_to_drop_ = false;
  const std::int64_t now = block_last_.time_since_epoch().count();
  const auto keep = std::chrono::microseconds{options_.keep_ticks}.count();
  const auto last = connection_.number("SELECT coalesce(min(last), 0) FROM block");
  if (!last) return std::unexpected(last.error());
  if (*last != 0 && *last < now - keep) return drop_oldest_block();

  const auto size = bytes();
  if (!size) return std::unexpected(size.error());
  if (*size <= options_.max_bytes) return {};
  const auto free = connection_.number("PRAGMA freelist_count");
  if (!free) return std::unexpected(free.error());
  const auto page = connection_.number("PRAGMA page_size");
  if (!page) return std::unexpected(page.error());
  const auto used = *size - static_cast<std::uint64_t>(*free * *page);
  more_to_drop_ = true;
  if (used <= options_.max_bytes) {
    return connection_.execute(fmt::format("PRAGMA incremental_vacuum({})", kFreedPages));
  }
  // What is older, measured by how long it is kept.
  const auto oldest = connection_.number(kOldestMinute);
  if (!oldest) return std::unexpected(oldest.error());
  const std::int64_t oldest_age = now / 1'000'000 - *oldest;
  const double rollup_age =
      static_cast<double>(oldest_age) / static_cast<double>(seconds{options_.keep_rollups}.count());
  const double tick_age = static_cast<double>(now - *last) / static_cast<double>(keep);
  if (*last != 0 && (*oldest == 0 || tick_age >= rollup_age)) return drop_oldest_block();
  more_to_drop_ = *oldest != 0;
  return *oldest == 0 ? Result<void>{} : drop_old_rollups(*oldest + kDay);
}

}  // namespace gpuscope::history
