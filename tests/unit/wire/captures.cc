#include "tests/unit/wire/captures.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace talkjsd::wire {
namespace {

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "captures: %s\n", what.c_str());
  std::abort();
}

void AddRecord(const json::object& record, const std::string& where, Capture& capture) {
  if (const json::value* http = record.if_contains("http")) {
    if (const json::value* body = http->as_object().if_contains("body")) {
      capture.http_bodies.push_back(*body);
    }
    return;
  }
  CapturedFrame frame;
  frame.where = where;
  if (const json::value* connection = record.if_contains("conn")) {
    frame.connection = connection->as_int64();
  }
  if (const json::value* value = record.if_contains("frame")) {
    frame.frame = *value;
    frame.text = json::serialize(*value);
  } else if (const json::value* raw = record.if_contains("raw")) {
    frame.text = std::string(raw->as_string());
  } else {
    return;
  }
  frame.from_client = record.at("dir") == "c2s";
  capture.frames.push_back(std::move(frame));
}

Capture Load(const std::filesystem::path& path) {
  Capture capture;
  capture.name = path.stem();
  std::ifstream file(path);
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    const std::string where = path.filename().string() + ":" + std::to_string(number);
    absl::StatusOr<json::value> value = ParseJson(line);
    if (!value.ok()) Fail(where + ": " + value.status().ToString());
    if (number == 1) {
      capture.header = std::move(*value);
    } else {
      AddRecord(value->as_object(), where, capture);
    }
  }
  return capture;
}

}  // namespace

const std::vector<Capture>& AllCaptures() {
  static const std::vector<Capture> captures = [] {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(TALKJSD_TEST_DATA "/captures")) {
      if (entry.path().extension() == ".jsonl") paths.push_back(entry.path());
    }
    if (paths.empty()) Fail("none found");
    std::sort(paths.begin(), paths.end());
    std::vector<Capture> loaded;
    for (const auto& path : paths) loaded.push_back(Load(path));
    return loaded;
  }();
  return captures;
}

}  // namespace talkjsd::wire
