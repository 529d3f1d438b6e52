// A chat model that answers well, or as badly as a test wants. For tests alone.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "http/scripted_server.h"

namespace gpuscope::advise {

// What it was asked.
struct ChatSeen {
  std::string head{};
  std::string model{};
  std::string system{};
  double temperature = -1;  // none: -1
  int max_tokens = -1;      // by whichever name
  std::vector<std::string> ids{};
  std::vector<std::string> pods{};
};

// Speaks both dialects, by the path. Its opinion of every GPU: idle, confidence 0.9, with the mean
// utilization as the adjusted score; 1000 tokens of prompt and 100 of answer.
class ScriptedChat {
 public:
  ScriptedChat();

  std::string url(std::string_view path = "/v1/chat/completions") const {
    return server_.url(path);
  }
  // What it was asked since the last call of this.
  std::vector<ChatSeen> requests();
  // Forgets all that follows.
  void reset();

  // Each of these comes before a good answer, in order, so many times.
  void say(const std::string& text, int times);
  void answer(const http::ScriptedAnswer& answer, int times);
  void leave_out_last(int times);

  // From here on: a member of each opinion is this JSON.
  void set(const std::string& name, const std::string& json);
  void reverse_order();
  void cut_off_above(std::size_t gpus);
  void wrap(std::string before, std::string after);
  void refuse_parameter(const std::string& name);
  void close_connections();

 private:
  struct Planned {
    enum class What { kSay, kAnswer, kLeaveOut } what;
    std::string text;
    http::ScriptedAnswer answer;
  };
  struct Script {
    std::deque<Planned> planned;
    std::map<std::string, std::string> members;
    std::set<std::string> refused;
    std::string before;
    std::string after;
    std::size_t most = 1000;
    bool reversed = false;
    bool close = false;
  };

  http::ScriptedAnswer respond(const http::ScriptedRequest& request);

  base::Mutex mutex_;
  Script script_ GUARDED_BY(mutex_);
  std::vector<ChatSeen> seen_ GUARDED_BY(mutex_);
  http::ScriptedServer server_;  // ends first
};

}  // namespace gpuscope::advise
