// The fuzz target over its seed corpus: the recorded frames, whole and cut off.
#include "tests/fuzz/wire_frame_fuzzer.cc"

#include <gtest/gtest.h>

#include "tests/unit/wire/captures.h"

namespace talkjsd::wire {
namespace {

void Replay(std::string_view text) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(text.data()), text.size());
}

TEST(WireFrameFuzzerTest, RecordedFramesPass) {
  for (const Capture& capture : AllCaptures()) {
    for (const CapturedFrame& frame : capture.frames) Replay(frame.text);
  }
}

TEST(WireFrameFuzzerTest, CutFramesPass) {
  for (const Capture& capture : AllCaptures()) {
    for (const CapturedFrame& frame : capture.frames) {
      for (size_t length = 0; length < frame.text.size(); length += 1 + frame.text.size() / 8) {
        Replay(std::string_view(frame.text).substr(0, length));
      }
    }
  }
}

}  // namespace
}  // namespace talkjsd::wire
