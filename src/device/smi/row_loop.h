// Keeps `nvidia-smi --query-gpu=… -lms N` running and its lines coming.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/subprocess.h"
#include "device/smi/board.h"
#include "device/smi/query.h"
#include "device/smi/refresher.h"
#include "device/smi/tools.h"
#include "device/smi/worker.h"

namespace gpuscope::device::smi {

// How long the loop may be silent before it counts as hanging.
std::chrono::milliseconds row_patience(const Options& options);

class RowLoop {
 public:
  // All of these must outlive it.
  RowLoop(const Options& options, const base::Clock& clock, const Query& query,
          const std::vector<Known>& known, Refresher& refresher, Board& board);

  base::Result<void> start();  // the thread; nvidia-smi itself waits for begin()
  void begin() { worker_.wake(); }
  void stop();

 private:
  void run();
  // One life of the child: why it ended, as far as that is wrong.
  base::Error follow();
  // Whole lines, taken off the front of `text`. False when something in them was no answer.
  bool take_lines(std::string& text);
  bool take_line(std::string_view line);

  const Options options_;
  const base::Clock& clock_;
  const Query& query_;
  const std::vector<Known>& known_;
  Refresher& refresher_;
  Board& board_;
  base::Interrupt interrupt_;
  Tools tools_;
  Worker worker_;
  std::string last_words_;  // the last line that was no answer
  bool answered_ = false;   // in this life of the child
};

}  // namespace gpuscope::device::smi
