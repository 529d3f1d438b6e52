#include "config/yaml_screen.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <optional>
#include <sstream>
#include <string_view>
#include <utility>

namespace gpuscope::config {
namespace {

constexpr int kMaxDepth = 8;

class Screen final : public YAML::EventHandler {
 public:
  const std::optional<YamlComplaint>& complaint() const { return complaint_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) complain(mark, "a second document begins here");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& /*mark*/, YAML::anchor_t /*anchor*/) override {}
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    complain(mark, "aliases (*name) are not taken here: write the value out");
  }
  void OnScalar(const YAML::Mark& /*mark*/, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                const std::string& /*value*/) override {}
  void OnSequenceStart(const YAML::Mark& mark, const std::string& /*tag*/,
                       YAML::anchor_t /*anchor*/, YAML::EmitterStyle::value /*style*/) override {
    descend(mark);
  }
  void OnSequenceEnd() override { --depth_; }
  void OnMapStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                  YAML::EmitterStyle::value /*style*/) override {
    descend(mark);
  }
  void OnMapEnd() override { --depth_; }

 private:
  void descend(const YAML::Mark& mark) {
    if (++depth_ > kMaxDepth) complain(mark, "lists and maps stand too deep in each other");
  }
  void complain(const YAML::Mark& mark, std::string_view what) {
    if (!complaint_) complaint_ = YamlComplaint{mark.line + 1, std::string(what)};
  }

  std::optional<YamlComplaint> complaint_;
  int documents_ = 0;
  int depth_ = 0;
};

std::optional<YamlComplaint> screen(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  Screen screen;
  // yaml-cpp can go on giving empty documents for ever: the second one ends this.
  while (!screen.complaint() && parser.HandleNextDocument(screen)) {
  }
  return screen.complaint();
}

}  // namespace

std::expected<YAML::Node, YamlComplaint> load_yaml(const std::string& text) {
  // yaml-cpp throws, on nothing but bad text.
  try {
    if (auto complaint = screen(text)) return std::unexpected(std::move(*complaint));
    return YAML::Load(text);
  } catch (const YAML::Exception& error) {
    return std::unexpected(
        YamlComplaint{error.mark.is_null() ? 1 : error.mark.line + 1, "not YAML: " + error.msg});
  } catch (const std::exception& error) {
    return std::unexpected(YamlComplaint{1, std::string("not YAML: ") + error.what()});
  }
}

}  // namespace gpuscope::config
