#include "history/state_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "history/schema.h"

namespace gpuscope::history {
namespace {

using base::Result;
using model::StateChange;
using model::StatePage;
using model::StateRecord;

// Longer than the longest transaction of whoever writes the history: the close of a block on a slow
// disk.
constexpr int kStateBusyMilliseconds = 10'000;
// The kind whose records hold the last number that append() gave, by kind.
constexpr std::string_view kSequence = "sequence";

}  // namespace

struct SqliteStateStore::Open {
  Connection connection;
  Statement get;
  Statement up;    // a page in rising order
  Statement down;  // and in falling order
  Statement put;
  Statement erase;
  Statement next;
  Statement trim;

  Result<void> prepare();
  Result<void> change(const StateChange& change);
};

Result<void> SqliteStateStore::Open::prepare() {
  sqlite3_busy_timeout(connection.handle(), kStateBusyMilliseconds);
  if (auto ready = prepare_file(connection); !ready) return ready;
  const std::pair<Statement*, std::string_view> all[] = {
      {&get, "SELECT value FROM state WHERE kind = ? AND key = ?"},
      {&up, "SELECT key, value FROM state WHERE kind = ? AND key > ? ORDER BY key LIMIT ?"},
      {&down,
       "SELECT key, value FROM state WHERE kind = ?1 AND (?2 = '' OR key < ?2)"
       " ORDER BY key DESC LIMIT ?3"},
      {&put,
       "INSERT INTO state(kind, key, value) VALUES(?, ?, ?)"
       " ON CONFLICT DO UPDATE SET value = excluded.value"},
      {&erase, "DELETE FROM state WHERE kind = ? AND key = ?"},
      {&next,
       "INSERT INTO state(kind, key, value) VALUES(?, ?, '1')"
       " ON CONFLICT DO UPDATE SET value = CAST(value AS INTEGER) + 1 RETURNING value"},
      {&trim,
       "DELETE FROM state WHERE kind = ?1 AND key <="
       " (SELECT key FROM state WHERE kind = ?1 ORDER BY key DESC LIMIT 1 OFFSET ?2)"},
  };
  for (const auto& [statement, sql] : all) {
    auto made = connection.prepare(sql);
    if (!made) return std::unexpected(std::move(made.error()));
    *statement = std::move(*made);
  }
  return {};
}

Result<void> SqliteStateStore::Open::change(const StateChange& change) {
  Statement& statement = change.value ? put : erase;
  statement.bind_text(1, change.kind).bind_text(2, change.key);
  if (change.value) statement.bind_text(3, *change.value);
  return statement.run();
}

SqliteStateStore::SqliteStateStore(std::string path) : path_(std::move(path)) {}
SqliteStateStore::~SqliteStateStore() = default;

Result<SqliteStateStore::Open*> SqliteStateStore::open() {
  if (open_) return open_.get();
  auto connection = Connection::open(path_, Connection::Mode::kWrite);
  if (!connection) return std::unexpected(std::move(connection.error()));
  auto opened = std::make_unique<Open>();
  opened->connection = std::move(*connection);
  if (auto ready = opened->prepare(); !ready) return std::unexpected(std::move(ready.error()));
  open_ = std::move(opened);
  return open_.get();
}

template <typename Work>
auto SqliteStateStore::with_file(Work work) -> decltype(work(std::declval<Open&>())) {
  base::MutexLock lock(mutex_);
  const auto file = open();
  if (!file) return std::unexpected(file.error());
  auto outcome = work(**file);
  if (!outcome && outcome.error().kind != base::ErrorKind::kUnavailable) open_.reset();
  return outcome;
}

Result<std::optional<std::string>> SqliteStateStore::get(std::string_view kind,
                                                         std::string_view key) {
  return with_file([&](Open& file) -> Result<std::optional<std::string>> {
    file.get.bind_text(1, kind).bind_text(2, key);
    const auto row = file.get.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return std::nullopt;
    std::string value = file.get.text(0);
    file.get.reset();
    return value;
  });
}

Result<std::vector<StateRecord>> SqliteStateStore::page(std::string_view kind,
                                                        const StatePage& which) {
  constexpr std::size_t kMost = std::numeric_limits<std::int64_t>::max();
  return with_file([&](Open& file) -> Result<std::vector<StateRecord>> {
    std::vector<StateRecord> records;
    Statement& select = which.descending ? file.down : file.up;
    select.bind_text(1, kind)
        .bind_text(2, which.after)
        .bind(3, static_cast<std::int64_t>(std::min(which.limit, kMost)));
    for (;;) {
      const auto row = select.step();
      if (!row) return std::unexpected(row.error());
      if (!*row) return records;
      records.push_back({select.text(0), select.text(1)});
    }
  });
}

Result<void> SqliteStateStore::apply(std::span<const StateChange> changes) {
  return with_file([&](Open& file) -> Result<void> {
    auto transaction = Transaction::begin(file.connection);
    if (!transaction) return std::unexpected(std::move(transaction.error()));
    for (const StateChange& change : changes) {
      if (auto done = file.change(change); !done) return done;
    }
    return transaction->commit();
  });
}

Result<std::string> SqliteStateStore::append(std::string_view kind, std::string_view value) {
  return with_file([&](Open& file) -> Result<std::string> {
    auto transaction = Transaction::begin(file.connection);
    if (!transaction) return std::unexpected(std::move(transaction.error()));
    file.next.bind_text(1, kSequence).bind_text(2, kind);
    const auto row = file.next.step();
    if (!row) return std::unexpected(row.error());
    std::string key = fmt::format("{:020}", file.next.number(0));
    file.next.reset();
    const StateChange change{std::string(kind), key, std::string(value)};
    if (auto done = file.change(change); !done) return std::unexpected(std::move(done.error()));
    if (auto done = transaction->commit(); !done) return std::unexpected(std::move(done.error()));
    return key;
  });
}

Result<void> SqliteStateStore::trim(std::string_view kind, std::size_t keep) {
  return with_file([&](Open& file) {
    file.trim.bind_text(1, kind).bind(2, static_cast<std::int64_t>(keep));
    return file.trim.run();
  });
}

Result<void> SqliteStateStore::limit_pages_for_test(int pages) {
  return with_file([&](Open& file) -> Result<void> {
    const auto now = file.connection.number("PRAGMA page_count");
    if (!now) return std::unexpected(now.error());
    return file.connection.execute(fmt::format("PRAGMA max_page_count={}", *now + pages));
  });
}

}  // namespace gpuscope::history
