// A recording's file: frames that are appended and read.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gpuscope::device::replay {

// Closes it when destroyed.
class File {
 public:
  explicit File(int descriptor = -1) : descriptor_(descriptor) {}
  File(File&& other) noexcept : descriptor_(other.descriptor_) { other.descriptor_ = -1; }
  File& operator=(File&& other) noexcept;
  ~File();

  int get() const { return descriptor_; }
  bool is_open() const { return descriptor_ >= 0; }

 private:
  int descriptor_;
};

// Appends frames. Not thread-safe.
class FrameWriter {
 public:
  // Makes the file, or goes on behind the last whole frame of a recording. kAlreadyExists for a
  // file that another process records to, kInvalidArgument for one that is no recording of ours
  // (which is left as it is), or is full.
  static base::Result<FrameWriter> open(const std::string& path);

  // One frame of these records (not empty, at most kMaxRawBytes). After an error the file ends with
  // the frame before, as far as the system lets it, and the next append() can be tried.
  base::Result<void> append(std::string_view records);

  std::uint64_t bytes() const { return size_; }

 private:
  FrameWriter(std::string path, File file, std::uint64_t size)
      : path_(std::move(path)), file_(std::move(file)), size_(size) {}

  std::string path_;
  File file_;
  std::uint64_t size_;
  std::string frame_;
};

// Reads frames in order. Not thread-safe.
class FrameReader {
 public:
  // kInvalidArgument for what is no recording, or one of a newer version.
  static base::Result<FrameReader> open(const std::string& path);

  // The records of the next whole frame, valid until the next call; empty at the end.
  std::string_view next();
  // Where the last whole frame ended, from the beginning of the file.
  std::uint64_t position() const { return position_; }
  // Whether something that is no whole frame stands behind the last one.
  bool is_cut_off() const { return cut_off_; }

 private:
  FrameReader(File file, std::uint64_t position) : file_(std::move(file)), position_(position) {}

  File file_;
  std::uint64_t position_;
  bool ended_ = false;
  bool cut_off_ = false;
  std::string stored_;
  std::string records_;
};

}  // namespace gpuscope::device::replay
