// The recorded frames under tests/data/captures, for tests.
#ifndef TALKJSD_TESTS_UNIT_WIRE_CAPTURES_H_
#define TALKJSD_TESTS_UNIT_WIRE_CAPTURES_H_

#include <string>
#include <vector>

#include "daemon/wire/json.h"

namespace talkjsd::wire {

struct CapturedFrame {
  int64_t connection = 0;
  bool from_client = false;
  json::value frame;
  std::string text;   // as it could have stood on the wire
  std::string where;  // "messages.jsonl:12"
};

struct Capture {
  std::string name;  // file name without its ending
  json::value header;
  std::vector<CapturedFrame> frames;
  std::vector<json::value> http_bodies;  // of the answers
};

// All files, sorted by name. Aborts the test program when they cannot be read.
const std::vector<Capture>& AllCaptures();

}  // namespace talkjsd::wire

#endif  // TALKJSD_TESTS_UNIT_WIRE_CAPTURES_H_
