#include "history/sqlite.h"

#include <fmt/format.h>

#include <utility>

namespace gpuscope::history {
namespace {

using base::ErrorKind;

constexpr int kBusyMilliseconds = 2000;

ErrorKind kind_of(int code) {
  switch (code & 0xFF) {
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return ErrorKind::kPermissionDenied;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
      return ErrorKind::kInvalidArgument;
    default:
      return ErrorKind::kUnavailable;
  }
}

std::string_view cure(int code) {
  switch (code & 0xFF) {
    case SQLITE_FULL:
      return "; make room on its disk";
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return "; let the agent write to the file and its directory";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "; another program holds it";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return "; move the file away, or mend it with `sqlite3 FILE .recover`";
    case SQLITE_CANTOPEN:
      return "; see that its directory is there and can be written to";
    default:
      return "";
  }
}

std::string path_of(sqlite3* handle) {
  const char* path = sqlite3_db_filename(handle, "main");
  return path == nullptr ? "the history" : path;
}

}  // namespace

std::unexpected<base::Error> sqlite_failure(sqlite3* handle) {
  const int code = sqlite3_extended_errcode(handle);
  return base::fail(kind_of(code), fmt::format("cannot use {}: {}{}", path_of(handle),
                                               sqlite3_errmsg(handle), cure(code)));
}

Statement& Statement::bind(int at, std::int64_t value) {
  sqlite3_bind_int64(statement_.get(), at, value);
  return *this;
}
Statement& Statement::bind(int at, double value) {
  sqlite3_bind_double(statement_.get(), at, value);
  return *this;
}
Statement& Statement::bind_text(int at, std::string_view value) {
  sqlite3_bind_text64(statement_.get(), at, value.data(), value.size(), SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}
Statement& Statement::bind_blob(int at, std::string_view value) {
  sqlite3_bind_blob64(statement_.get(), at, value.data(), value.size(), SQLITE_STATIC);
  return *this;
}
Statement& Statement::bind_null(int at) {
  sqlite3_bind_null(statement_.get(), at);
  return *this;
}

base::Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    reset();
    return false;
  }
  auto failure = sqlite_failure(sqlite3_db_handle(statement_.get()));
  reset();
  return failure;
}

base::Result<void> Statement::run() {
  auto row = step();
  if (!row) return std::unexpected(std::move(row.error()));
  reset();
  return {};
}

void Statement::reset() { sqlite3_reset(statement_.get()); }

std::int64_t Statement::number(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}
bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}
double Statement::real(int column) const { return sqlite3_column_double(statement_.get(), column); }
std::string_view Statement::bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return {static_cast<const char*>(data), data == nullptr ? 0 : static_cast<std::size_t>(size)};
}
std::string Statement::text(int column) const { return std::string(bytes(column)); }

base::Result<Connection> Connection::open(const std::string& path, Mode mode) {
  Connection connection;
  connection.path_ = path;
  sqlite3* handle = nullptr;
  const int flags =
      SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
      (mode == Mode::kRead ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  connection.handle_.reset(handle);
  if (handle == nullptr) {
    return base::fail(ErrorKind::kUnavailable, fmt::format("cannot open {}: no memory", path));
  }
  if (code != SQLITE_OK) {
    return base::fail(kind_of(code), fmt::format("cannot open {}: {}{}", path,
                                                 sqlite3_errmsg(handle), cure(code)));
  }
  sqlite3_busy_timeout(handle, kBusyMilliseconds);
  return connection;
}

void Connection::stop_when(std::function<bool()> asked) {
  constexpr int kSteps = 100;  // of SQLite's machine: microseconds
  asked_ = std::make_unique<std::function<bool()>>(std::move(asked));
  const auto call = [](void* function) -> int {
    return (*static_cast<std::function<bool()>*>(function))() ? 1 : 0;
  };
  sqlite3_progress_handler(handle_.get(), kSteps, call, asked_.get());
  const auto wait = [](void* function, int times) -> int {
    constexpr int kPause = 10;  // ms
    if (times * kPause >= kBusyMilliseconds) return 0;
    if ((*static_cast<std::function<bool()>*>(function))()) return 0;
    sqlite3_sleep(kPause);
    return 1;
  };
  sqlite3_busy_handler(handle_.get(), wait, asked_.get());
}

base::Result<void> Connection::execute(const std::string& sql) {
  if (sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return sqlite_failure(handle_.get());
}

base::Result<Statement> Connection::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                         SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) {
    return sqlite_failure(handle_.get());
  }
  return Statement(statement);
}

base::Result<std::int64_t> Connection::number(std::string_view sql) {
  auto statement = prepare(sql);
  if (!statement) return std::unexpected(std::move(statement.error()));
  const auto row = statement->step();
  if (!row) return std::unexpected(row.error());
  if (!*row) {
    return base::fail(ErrorKind::kInternal, fmt::format("cannot find what {} asks for", sql));
  }
  return statement->number(0);
}

base::Result<Transaction> Transaction::begin(Connection& connection) {
  if (auto begun = connection.execute("BEGIN IMMEDIATE"); !begun) {
    return std::unexpected(std::move(begun.error()));
  }
  return Transaction(&connection);
}

Transaction::~Transaction() {
  // What SQLite rolled back by itself needs no more.
  if (connection_ != nullptr && sqlite3_get_autocommit(connection_->handle()) == 0) {
    [[maybe_unused]] const auto undone = connection_->execute("ROLLBACK");
  }
}

base::Result<void> Transaction::commit() {
  auto done = connection_->execute("COMMIT");
  if (done) connection_ = nullptr;
  return done;
}

std::string quoted(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"') out += '"';
    if (c != '\0') out += c;
  }
  return out += '"';
}

}  // namespace gpuscope::history
