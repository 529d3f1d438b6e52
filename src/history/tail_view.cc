#include "history/tail_view.h"

#include <utility>

namespace gpuscope::history {

void TailView::forget() {
  head_.clear();
  last_ = 0;
  decoder_.reset();
  block_.reset();
}

// False: what was read so far is of another block; the whole tail is to be read.
base::Result<bool> TailView::read_on() {
  rows_.bind(1, last_);
  bool has_head = false;
  for (;;) {
    const auto row = rows_.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    if (rows_.number(0) == 0) {
      has_head = true;
      if (head_ == rows_.bytes(1)) continue;
      const bool fresh = head_.empty();
      forget();
      BlockHead head;
      if (!fresh || !decode_head(rows_.bytes(1), head)) {
        rows_.reset();
        return fresh;
      }
      head_ = rows_.bytes(1);
      block_ = std::make_unique<OpenBlock>(head);
      decoder_ = std::make_unique<TailDecoder>(head);
      continue;
    }
    if (!decoder_) break;
    last_ = rows_.number(0);
    decoder_->feed(rows_.bytes(1));
    while (decoder_->next()) block_->append(decoder_->machine());
  }
  rows_.reset();
  if (!has_head) forget();
  return true;
}

base::Result<const OpenBlock*> TailView::look(Connection& connection) {
  if (!rows_) {
    auto rows = connection.prepare("SELECT id, data FROM tail WHERE id=0 OR id>? ORDER BY id");
    if (!rows) return std::unexpected(std::move(rows.error()));
    rows_ = std::move(*rows);
  }
  for (;;) {
    const auto whole = read_on();
    if (!whole) return std::unexpected(whole.error());
    if (*whole) return block_ && block_->ticks() > 0 ? block_.get() : nullptr;
  }
}

}  // namespace gpuscope::history
