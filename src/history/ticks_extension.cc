// The table-valued function `ticks` for anything that speaks SQL: docs/formats/history.md, "Ticks
// in SQL". A loadable extension: it sees SQLite through the host's own functions alone.
#include <fmt/format.h>
#include <sqlite3ext.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "history/chunk.h"
#include "history/layout.h"
#include "history/tail.h"
#include "history/times.h"

SQLITE_EXTENSION_INIT1

namespace gpuscope::history {
namespace {

using model::Absence;
using model::Reading;

enum Column : std::uint8_t { kTimestamp, kTime, kValue, kAbsence, kGpu, kMetric, kInstance };
constexpr const char* kSchema =
    "CREATE TABLE ticks(timestamp TEXT, time INTEGER, value REAL, absence TEXT,"
    " gpu TEXT HIDDEN, metric TEXT HIDDEN, instance INTEGER HIDDEN)";

// What the plan says is handed to the cursor, in this order.
enum Given : std::uint8_t {
  kHasGpu = 1,
  kHasMetric = 2,
  kHasInstance = 4,
  kHasFrom = 8,
  kHasTo = 16
};

struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Rows = std::unique_ptr<sqlite3_stmt, Finalize>;

std::string_view bytes_at(sqlite3_stmt* row, int column) {
  const void* data = sqlite3_column_blob(row, column);
  const int size = sqlite3_column_bytes(row, column);
  return {static_cast<const char*>(data), data == nullptr ? 0 : static_cast<std::size_t>(size)};
}

struct Table : sqlite3_vtab {
  sqlite3* database = nullptr;
};

// Goes through the blocks that meet the times asked for, one in memory at a time, and the tail.
struct Cursor : sqlite3_vtab_cursor {
  struct Metric {
    std::uint32_t id = 0;
    int decimals = 0;
  };
  struct Tick {
    std::int64_t time = 0;
    Reading reading;
    int decimals = 0;
  };

  int prepare(const char* sql, Rows& rows) const {
    sqlite3_stmt* statement = nullptr;
    sqlite3* const database = static_cast<const Table*>(pVtab)->database;
    const int code = sqlite3_prepare_v2(database, sql, -1, &statement, nullptr);
    rows.reset(statement);
    if (code != SQLITE_OK) fail(sqlite3_errmsg(database));
    return code;
  }
  void fail(const char* why) const {
    sqlite3_free(pVtab->zErrMsg);
    pVtab->zErrMsg = sqlite3_mprintf("cannot read ticks: %s", why);
  }
  int begin();
  int find_metrics();
  int next_block();
  void read_block(std::int64_t block, std::size_t count, std::string_view times);
  void read_chunk(std::string_view data, std::size_t count, const std::vector<std::int64_t>& times);
  int read_tail();

  std::string gpu;
  std::string metric;
  std::uint32_t instance = 0;
  std::int64_t from = std::numeric_limits<std::int64_t>::min();
  std::int64_t to = std::numeric_limits<std::int64_t>::max();

  std::int64_t gpu_id = 0;
  std::vector<Metric> metrics;  // of the same key with other decimals
  Rows blocks;
  Rows chunk;
  bool tail_read = false;
  std::vector<Tick> ticks;
  std::size_t at = 0;
};

int Cursor::find_metrics() {
  Rows rows;
  if (const int code = prepare("SELECT id FROM gpu WHERE uuid=?", rows); code != SQLITE_OK) {
    return code;
  }
  sqlite3_bind_text(rows.get(), 1, gpu.data(), static_cast<int>(gpu.size()), SQLITE_TRANSIENT);
  if (sqlite3_step(rows.get()) != SQLITE_ROW) return SQLITE_OK;
  gpu_id = sqlite3_column_int64(rows.get(), 0);
  if (const int code = prepare("SELECT id, decimals FROM metric WHERE key=?", rows);
      code != SQLITE_OK) {
    return code;
  }
  sqlite3_bind_text(rows.get(), 1, metric.data(), static_cast<int>(metric.size()),
                    SQLITE_TRANSIENT);
  while (sqlite3_step(rows.get()) == SQLITE_ROW) {
    metrics.push_back({static_cast<std::uint32_t>(sqlite3_column_int64(rows.get(), 0)),
                       sqlite3_column_int(rows.get(), 1)});
  }
  if (!metrics.empty()) return SQLITE_OK;
  fail(fmt::format("there is no metric {}", metric).c_str());
  return SQLITE_ERROR;
}

int Cursor::begin() {
  metrics.clear();
  ticks.clear();
  at = 0;
  gpu_id = 0;
  tail_read = false;
  blocks.reset();
  if (const int code = find_metrics(); code != SQLITE_OK) return code;
  if (metrics.empty()) {
    tail_read = true;
    return SQLITE_OK;
  }
  if (const int code = prepare(
          "SELECT id, ticks, times FROM block WHERE last>=? AND first<=? ORDER BY first, id",
          blocks);
      code != SQLITE_OK) {
    return code;
  }
  sqlite3_bind_int64(blocks.get(), 1, from);
  sqlite3_bind_int64(blocks.get(), 2, to);
  if (const int code = prepare("SELECT data FROM chunk WHERE id=?", chunk); code != SQLITE_OK) {
    return code;
  }
  return next_block();
}

// Up to a block that has ticks, or to the end.
int Cursor::next_block() {
  at = 0;
  ticks.clear();
  while (ticks.empty()) {
    if (!blocks) {
      if (tail_read) return SQLITE_OK;
      tail_read = true;
      return read_tail();
    }
    const int code = sqlite3_step(blocks.get());
    if (code == SQLITE_ROW) {
      read_block(sqlite3_column_int64(blocks.get(), 0),
                 static_cast<std::size_t>(sqlite3_column_int64(blocks.get(), 1)),
                 bytes_at(blocks.get(), 2));
      continue;
    }
    blocks.reset();
    if (code != SQLITE_DONE) return code;
  }
  return SQLITE_OK;
}

void Cursor::read_block(std::int64_t block, std::size_t count, std::string_view encoded) {
  std::vector<std::int64_t> times;
  if (!decode_times(encoded, count, times)) return;  // nobody knows when its ticks were
  sqlite3_bind_int64(chunk.get(), 1, chunk_id(block, gpu_id));
  if (sqlite3_step(chunk.get()) == SQLITE_ROW) read_chunk(bytes_at(chunk.get(), 0), count, times);
  sqlite3_reset(chunk.get());
}

// What is damaged counts as failed.
void Cursor::read_chunk(std::string_view data, std::size_t count,
                        const std::vector<std::int64_t>& times) {
  const auto keep = [&](std::size_t tick, const Reading& reading, int decimals) {
    if (times[tick] >= from && times[tick] <= to) ticks.push_back({times[tick], reading, decimals});
  };
  const auto lose_all = [&] {
    for (std::size_t i = 0; i < count; ++i) keep(i, Reading::none(Absence::kFailed), 0);
  };
  const auto directory = parse_directory(data);
  if (!directory || directory->ticks != count) return lose_all();
  const Fetch fetch = [&](std::size_t offset,
                          std::size_t length) -> base::Result<std::string_view> {
    if (offset > data.size() || length > data.size() - offset) {
      return base::fail(base::ErrorKind::kInvalidArgument, "cannot read a chunk: it is cut off");
    }
    return data.substr(offset, length);
  };
  for (const Metric& wanted : metrics) {
    const ColumnEntry* entry = directory->find({wanted.id, instance});
    if (entry == nullptr) continue;
    ColumnData column;
    if (!decode_column(*directory, *entry, fetch, column)) return lose_all();
    column.for_each(
        [&](std::size_t tick, const Reading& reading) { keep(tick, reading, wanted.decimals); });
    return;
  }
}

// The ticks of the open block, as far as they are committed.
int Cursor::read_tail() {
  Rows rows;
  if (const int code = prepare("SELECT id, data FROM tail ORDER BY id", rows); code != SQLITE_OK) {
    return code;
  }
  BlockHead head;
  std::unique_ptr<TailDecoder> decoder;
  std::size_t place = 0;
  while (sqlite3_step(rows.get()) == SQLITE_ROW) {
    if (!decoder) {
      if (!decode_head(bytes_at(rows.get(), 1), head)) return SQLITE_OK;
      const auto found = std::ranges::find(head.gpus, static_cast<std::uint32_t>(gpu_id));
      if (found == head.gpus.end()) return SQLITE_OK;
      place = static_cast<std::size_t>(found - head.gpus.begin());
      decoder = std::make_unique<TailDecoder>(head);
      continue;
    }
    decoder->feed(bytes_at(rows.get(), 1));
    while (decoder->next()) {
      const std::int64_t time = decoder->machine().time.time_since_epoch().count();
      const Machine::Gpu& now = decoder->machine().gpus[place];
      if (time < from || time > to) continue;
      std::size_t begin = 0;
      for (const PartKey& part : now.parts) {
        const auto& columns = head.layout.of(part.entity);
        for (std::size_t i = 0; i < columns.size() && part.instance == instance; ++i) {
          const auto wanted = std::ranges::find(metrics, columns[i], &Metric::id);
          if (wanted != metrics.end()) {
            ticks.push_back({time, now.readings[begin + i], wanted->decimals});
          }
        }
        begin += columns.size();
      }
    }
  }
  return SQLITE_OK;
}

int connect(sqlite3* database, void*, int, const char* const*, sqlite3_vtab** out, char**) {
  const int code = sqlite3_declare_vtab(database, kSchema);
  if (code != SQLITE_OK) return code;
  auto* const table = new (std::nothrow) Table{};
  if (table == nullptr) return SQLITE_NOMEM;
  table->database = database;
  *out = table;
  return SQLITE_OK;
}

int disconnect(sqlite3_vtab* table) {
  delete static_cast<Table*>(table);
  return SQLITE_OK;
}

// Which of our questions a constraint answers; 0: none.
int given_by(const sqlite3_index_info::sqlite3_index_constraint& constraint) {
  const bool equal = constraint.op == SQLITE_INDEX_CONSTRAINT_EQ;
  switch (constraint.iColumn) {
    case kGpu:
      return equal ? kHasGpu : 0;
    case kMetric:
      return equal ? kHasMetric : 0;
    case kInstance:
      return equal ? kHasInstance : 0;
    case kTime:
      if (constraint.op == SQLITE_INDEX_CONSTRAINT_GE ||
          constraint.op == SQLITE_INDEX_CONSTRAINT_GT) {
        return kHasFrom;
      }
      if (constraint.op == SQLITE_INDEX_CONSTRAINT_LE ||
          constraint.op == SQLITE_INDEX_CONSTRAINT_LT) {
        return kHasTo;
      }
      return 0;
    default:
      return 0;
  }
}

int best_index(sqlite3_vtab* table, sqlite3_index_info* info) {
  int plan = 0;
  int arguments = 0;
  for (int given = kHasGpu; given <= kHasTo; given <<= 1) {
    for (int i = 0; i < info->nConstraint; ++i) {
      if (given_by(info->aConstraint[i]) != given) continue;
      if (info->aConstraint[i].usable == 0) {
        // A plan that cannot name the series is none.
        if (given < kHasFrom) return SQLITE_CONSTRAINT;
        continue;
      }
      plan |= given;
      info->aConstraintUsage[i].argvIndex = ++arguments;
      info->aConstraintUsage[i].omit = given < kHasFrom ? 1 : 0;
      break;
    }
  }
  constexpr int kSeries = kHasGpu | kHasMetric;
  if ((plan & kSeries) != kSeries) {
    sqlite3_free(table->zErrMsg);
    table->zErrMsg = sqlite3_mprintf("name a GPU and a metric: ticks('GPU-…', 'power_watts')");
    return SQLITE_ERROR;
  }
  info->idxNum = plan;
  info->estimatedCost = (plan & (kHasFrom | kHasTo)) != 0 ? 10'000 : 1'000'000;
  info->estimatedRows = (plan & (kHasFrom | kHasTo)) != 0 ? 10'000 : 1'000'000;
  return SQLITE_OK;
}

int open_cursor(sqlite3_vtab*, sqlite3_vtab_cursor** out) {
  *out = new (std::nothrow) Cursor{};
  return *out == nullptr ? SQLITE_NOMEM : SQLITE_OK;
}

int close_cursor(sqlite3_vtab_cursor* cursor) {
  delete static_cast<Cursor*>(cursor);
  return SQLITE_OK;
}

std::string text_of(sqlite3_value* value) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(value));
  return text == nullptr ? "" : text;
}

int filter(sqlite3_vtab_cursor* base, int plan, const char*, int, sqlite3_value** arguments) {
  auto& cursor = *static_cast<Cursor*>(base);
  cursor.gpu = text_of(*arguments++);
  cursor.metric = text_of(*arguments++);
  cursor.instance = (plan & kHasInstance) != 0
                        ? static_cast<std::uint32_t>(sqlite3_value_int64(*arguments++))
                        : 0;
  cursor.from = std::numeric_limits<std::int64_t>::min();
  cursor.to = std::numeric_limits<std::int64_t>::max();
  // A bound that is no whole number is left to SQLite, which looks at every row again.
  const auto bound = [&](std::int64_t& into) {
    sqlite3_value* const value = *arguments++;
    if (sqlite3_value_type(value) == SQLITE_INTEGER) into = sqlite3_value_int64(value);
  };
  if ((plan & kHasFrom) != 0) bound(cursor.from);
  if ((plan & kHasTo) != 0) bound(cursor.to);
  return cursor.begin();
}

int next(sqlite3_vtab_cursor* base) {
  auto& cursor = *static_cast<Cursor*>(base);
  return ++cursor.at < cursor.ticks.size() ? SQLITE_OK : cursor.next_block();
}

int is_over(sqlite3_vtab_cursor* base) {
  const auto& cursor = *static_cast<const Cursor*>(base);
  return cursor.at < cursor.ticks.size() ? 0 : 1;
}

void put_text(sqlite3_context* context, std::string_view text) {
  sqlite3_result_text(context, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
}

int column(sqlite3_vtab_cursor* base, sqlite3_context* context, int which) {
  const auto& cursor = *static_cast<const Cursor*>(base);
  const Cursor::Tick& tick = cursor.ticks[cursor.at];
  switch (which) {
    case kTimestamp:
      put_text(context, base::format_utc(base::WallTime{std::chrono::microseconds{tick.time}}));
      break;
    case kTime:
      sqlite3_result_int64(context, tick.time);
      break;
    case kValue:
      if (tick.reading.present()) {
        sqlite3_result_double(
            context, static_cast<double>(tick.reading.value) / std::pow(10, tick.decimals));
      }
      break;
    case kAbsence:
      if (!tick.reading.present()) put_text(context, model::absence_name(tick.reading.absence));
      break;
    case kGpu:
      put_text(context, cursor.gpu);
      break;
    case kMetric:
      put_text(context, cursor.metric);
      break;
    default:
      sqlite3_result_int64(context, cursor.instance);
  }
  return SQLITE_OK;
}

int row_id(sqlite3_vtab_cursor* base, sqlite3_int64* id) {
  const auto& cursor = *static_cast<const Cursor*>(base);
  *id = cursor.ticks[cursor.at].time;
  return SQLITE_OK;
}

sqlite3_module make_module() {
  sqlite3_module made{};
  made.xConnect = connect;  // and no xCreate: the function is there in every database
  made.xBestIndex = best_index;
  made.xDisconnect = disconnect;
  made.xOpen = open_cursor;
  made.xClose = close_cursor;
  made.xFilter = filter;
  made.xNext = next;
  made.xEof = is_over;
  made.xColumn = column;
  made.xRowid = row_id;
  return made;
}

}  // namespace
}  // namespace gpuscope::history

// The name that SQLite looks for.
extern "C" __attribute__((visibility("default"))) int sqlite3_extension_init(
    sqlite3* database, char**, const sqlite3_api_routines* api) {
  SQLITE_EXTENSION_INIT2(api);
  static const sqlite3_module module = gpuscope::history::make_module();
  return sqlite3_create_module_v2(database, "ticks", &module, nullptr, nullptr);
}
