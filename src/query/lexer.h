// The words of an expression: for query/ alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gpuscope::query {

struct Token {
  enum class Kind : std::uint8_t { kEnd, kWord, kNumber, kDuration, kString, kSymbol };
  Kind kind = Kind::kEnd;
  std::size_t at = 0;
  std::string_view text;  // as it stands there
  std::string string{};   // of kString: what it means

  bool is(std::string_view symbol) const { return kind == Kind::kSymbol && text == symbol; }
  // Whether it is this word, in small letters, however it is written.
  bool is_word(std::string_view word) const;
  std::string lower() const;
};

// Cuts a text into words, one ahead. Which ones there are depends on where one is: within braces
// numbers are none, behind '[' stands a duration, and up to the ']' a colon is no part of a name.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  // The next one; take() moves on. An error stays.
  base::Result<const Token*> peek();
  base::Result<Token> take();

  std::string_view text() const { return text_; }
  // "cannot read the expression: <what>, at character 5".
  std::unexpected<base::Error> wrong(std::size_t at, std::string_view what) const;

 private:
  base::Result<Token> scan();
  base::Result<Token> scan_string();
  base::Result<Token> scan_number_or_duration();
  bool scan_number();
  bool scan_duration();
  void skip_blanks();
  bool accept(std::string_view set);
  void accept_run(std::string_view set);
  char front() const { return position_ < text_.size() ? text_[position_] : '\0'; }
  Token token(Token::Kind kind, std::size_t begin) const {
    return {kind, begin, text_.substr(begin, position_ - begin)};
  }

  std::string_view text_;
  std::size_t position_ = 0;
  bool has_next_ = false;
  bool in_braces_ = false;
  bool in_brackets_ = false;
  bool wants_duration_ = false;
  Token next_;
};

// Milliseconds; kInvalidArgument without a place: the caller has it.
base::Result<std::int64_t> duration_of(std::string_view text);
base::Result<double> number_of(std::string_view text);

}  // namespace gpuscope::query
