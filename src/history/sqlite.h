// SQLite, as far as the history uses it.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gpuscope::history {

// A prepared statement. Belongs to one connection, which outlives it.
class Statement {
 public:
  Statement() = default;
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

  explicit operator bool() const { return statement_ != nullptr; }
  // Parameters count from 1. A text or blob must outlive the next run() or the end of the rows.
  Statement& bind(int at, std::int64_t value);
  Statement& bind(int at, double value);
  Statement& bind_text(int at, std::string_view value);
  Statement& bind_blob(int at, std::string_view value);
  Statement& bind_null(int at);

  // True: there is a row; false: no more, and the statement can be used again.
  base::Result<bool> step();
  // Runs a statement that gives no rows.
  base::Result<void> run();
  void reset();

  int columns() const { return sqlite3_column_count(statement_.get()); }
  // Of the row; columns count from 0. Views hold until the next step().
  std::int64_t number(int column) const;
  bool is_null(int column) const;
  double real(int column) const;
  std::string_view bytes(int column) const;
  std::string text(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// One connection; one thread at a time uses it.
class Connection {
 public:
  enum class Mode : std::uint8_t { kRead, kWrite };
  // Write makes the file. Waits for somebody else's lock for two seconds.
  static base::Result<Connection> open(const std::string& path, Mode mode);

  base::Result<void> execute(const std::string& sql);
  base::Result<Statement> prepare(std::string_view sql);
  // One number of one row; kInternal when there is none.
  base::Result<std::int64_t> number(std::string_view sql);

  // From then on `asked` is called every now and then while something runs, and ends it when it
  // says so: kUnavailable; a transaction is as if it had never been.
  void stop_when(std::function<bool()> asked);

  sqlite3* handle() const { return handle_.get(); }
  const std::string& path() const { return path_; }

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  std::string path_;
  std::unique_ptr<std::function<bool()>> asked_;  // stays where it is when the connection is moved
  std::unique_ptr<sqlite3, Close> handle_;
};

// The last failure of this connection: "cannot use PATH: …". kUnavailable where trying again may
// help, kPermissionDenied on what is read-only, kInvalidArgument for what is no whole database.
std::unexpected<base::Error> sqlite_failure(sqlite3* handle);

// Rolls back unless commit() succeeded.
class Transaction {
 public:
  static base::Result<Transaction> begin(Connection& connection);
  Transaction(Transaction&& other) noexcept : connection_(other.connection_) {
    other.connection_ = nullptr;
  }
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  base::Result<void> commit();

 private:
  explicit Transaction(Connection* connection) : connection_(connection) {}
  Connection* connection_;
};

// `name` as SQL writes a name: in double quotes.
std::string quoted(std::string_view name);

}  // namespace gpuscope::history
