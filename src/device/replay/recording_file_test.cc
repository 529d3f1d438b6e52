#include "device/replay/recording_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "device/replay/encoder.h"
#include "device/replay/replay_testing.h"

namespace gpuscope::device::replay {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void put(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::vector<std::string> frames(const std::string& path, bool* cut_off = nullptr) {
  auto reader = FrameReader::open(path);
  EXPECT_TRUE(reader) << reader.error().message;
  std::vector<std::string> found;
  if (!reader) return found;
  for (std::string_view records; !(records = reader->next()).empty();) found.emplace_back(records);
  if (cut_off != nullptr) *cut_off = reader->is_cut_off();
  return found;
}

void write(const std::string& path, const std::vector<std::string>& records) {
  auto writer = FrameWriter::open(path);
  ASSERT_TRUE(writer) << writer.error().message;
  for (const std::string& text : records) ASSERT_TRUE(writer->append(text));
  EXPECT_EQ(writer->bytes(), content(path).size());
}

TEST(Frames, AreReadAsTheyWereWritten) {
  const Folder folder;
  const std::string big(3'000'000, 'b');
  write(folder / "r", {"one", big});
  write(folder / "r", {"three"});  // goes on with it
  EXPECT_THAT(frames(folder / "r"), ElementsAre("one", big, "three"));
  EXPECT_LT(content(folder / "r").size(), 20'000U);
}

// Wherever the file ends, and whichever bit of a frame is wrong: the whole frames before it are
// there, and recording on cuts the rest away.
TEST(Frames, EndWhereAFileIsCutOrDamaged) {
  const Folder folder;
  write(folder / "r", {"one"});
  const std::size_t one = content(folder / "r").size();
  write(folder / "r", {"two"});
  const std::string whole = content(folder / "r");
  bool cut_off = false;
  EXPECT_EQ(frames(folder / "r", &cut_off).size(), 2U);
  EXPECT_FALSE(cut_off);
  for (std::size_t size = one; size < whole.size(); ++size) {
    put(folder / "r", whole.substr(0, size));
    EXPECT_THAT(frames(folder / "r", &cut_off), ElementsAre("one")) << size;
    EXPECT_EQ(cut_off, size > one) << size;
  }
  for (std::size_t at = one; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    put(folder / "r", damaged);
    EXPECT_THAT(frames(folder / "r", &cut_off), ElementsAre("one")) << at;
    EXPECT_TRUE(cut_off);
  }
  write(folder / "r", {"instead"});
  EXPECT_THAT(frames(folder / "r", &cut_off), ElementsAre("one", "instead"));
  EXPECT_FALSE(cut_off);
}

TEST(Frames, AreNotTakenFromWhatIsNoRecording) {
  const Folder folder;
  put(folder / "text", "a text of somebody's, longer than a header\n");
  put(folder / "short", "\x8AGSR");
  std::string newer(kMagic);
  newer += std::string("\x02\0\0\0\0\0\0\0", 8);
  put(folder / "newer", newer);
  mkfifo((folder / "pipe").c_str(), 0600);
  const struct {
    std::string path;
    base::ErrorKind kind;
    const char* what;
  } cases[] = {
      {folder / "text", base::ErrorKind::kInvalidArgument, "is not a recording"},
      {folder / "short", base::ErrorKind::kInvalidArgument, "is not a recording"},
      {folder / "newer", base::ErrorKind::kInvalidArgument,
       "version 2, and this gpuscope reads up to 1"},
      {folder / "pipe", base::ErrorKind::kInvalidArgument, "is not a file"},
      {folder / "no/such", base::ErrorKind::kNotFound, "No such file"},
  };
  for (const auto& wrong : cases) {
    const bool is_file = std::filesystem::is_regular_file(wrong.path);
    const std::string before = is_file ? content(wrong.path) : "";
    for (const bool writing : {false, true}) {
      const auto error =
          writing ? FrameWriter::open(wrong.path).error() : FrameReader::open(wrong.path).error();
      EXPECT_EQ(error.kind, wrong.kind) << wrong.path;
      EXPECT_THAT(error.message, HasSubstr("cannot ")) << wrong.path;
      EXPECT_THAT(error.message, HasSubstr(wrong.what)) << wrong.path;
    }
    EXPECT_EQ(is_file ? content(wrong.path) : "", before) << "written over";
  }
}

TEST(Frames, AreWrittenByOneProgramAtATime) {
  const Folder folder;
  auto first = FrameWriter::open(folder / "r");
  ASSERT_TRUE(first);
  const auto second = FrameWriter::open(folder / "r");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, base::ErrorKind::kAlreadyExists);
  ASSERT_TRUE(first->append("still mine"));
  EXPECT_THAT(frames(folder / "r"), ElementsAre("still mine"));
}

TEST(Recording, ReadsOnWhileItIsWritten) {
  const Folder folder;
  RandomMachine machine(7);
  Encoder encoder;
  auto writer = FrameWriter::open(folder / "r");
  ASSERT_TRUE(writer);
  EXPECT_THAT(RecordingReader::open(folder / "r").error().message,
              HasSubstr("no whole tick in it"));
  std::string records;
  const auto first = machine.tick();
  encoder.append(*first, records);
  ASSERT_TRUE(writer->append(records));
  auto reader = RecordingReader::open(folder / "r");
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_EQ(text_of((*reader)->tick()), text_of(*first));
  records.clear();
  const auto second = machine.tick();
  encoder.append(*second, records);
  ASSERT_TRUE(writer->append(records));
  ASSERT_TRUE((*reader)->next());
  EXPECT_EQ(text_of((*reader)->tick()), text_of(*second));
  EXPECT_FALSE((*reader)->next());
  EXPECT_FALSE((*reader)->is_damaged());
  EXPECT_EQ(text_of((*reader)->tick()), text_of(*second));
}

// A frame whose sum is right and whose records are not.
TEST(Recording, EndsInFrontOfRecordsThatAreNone) {
  const Folder folder;
  RandomMachine machine(8);
  Encoder encoder;
  std::string records;
  encoder.append(*machine.tick(), records);
  write(folder / "r", {records, "nonsense"});
  auto reader = RecordingReader::open(folder / "r");
  ASSERT_TRUE(reader);
  EXPECT_FALSE((*reader)->next());
  EXPECT_TRUE((*reader)->is_damaged());
  EXPECT_FALSE((*reader)->next());
}

}  // namespace
}  // namespace gpuscope::device::replay
