// The fuzz target over its seed corpus, the recorded traffic, and over mutations of it.
#include "tests/fuzz/emulator_fuzzer.cc"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

namespace talkjsd::emulator {
namespace {

namespace json = boost::json;

using Lines = std::vector<std::string>;

// What a recorded client sent, as the target's input; empty for anything else.
std::string LineOf(const json::object& record) {
  if (const json::value* http = record.if_contains("http")) {
    const json::object& exchange = http->as_object();
    return std::string(exchange.at("method").as_string()) + " " +
           std::string(exchange.at("path").as_string());
  }
  const json::value* direction = record.if_contains("dir");
  if (direction == nullptr || *direction != "c2s") return "";
  const bool bob = record.contains("conn") && record.at("conn").to_number<int64_t>() % 2 == 0;
  const json::value* frame = record.if_contains("frame");
  const std::string text =
      frame != nullptr ? json::serialize(*frame) : std::string(record.at("raw").as_string());
  return (bob ? "@b " : "") + text;
}

// One input a recording, as its lines.
std::vector<Lines> Corpus() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(TALKJSD_TEST_DATA "/captures")) {
    if (entry.path().extension() == ".jsonl") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Lines> corpus;
  for (const auto& path : paths) {
    std::ifstream file(path);
    Lines lines;
    std::string record;
    std::getline(file, record);  // the header
    while (std::getline(file, record)) {
      std::string line = LineOf(wire::ParseJson(record).value().as_object());
      if (!line.empty()) lines.push_back(std::move(line));
    }
    corpus.push_back(std::move(lines));
  }
  corpus.push_back({R"(POST /_emulator/v1/faults {"on":"answer","action":"corrupt","every":3})",
                    R"(POST /_emulator/v1/faults {"on":"publish","action":"duplicate"})",
                    R"([1,"GET","/me/conversations",{},{}])", "GET /_emulator/v1/connections",
                    R"(POST /_emulator/v1/connections/stall {"user":"al*","ms":100})",
                    R"([2,"POST","/conversations/c/messages",{"content":[{"type":"text",)"
                    R"("children":["hi"]}]},{}])",
                    R"(POST /_emulator/v1/connections/resume {"all":true})",
                    R"(POST /_emulator/v1/clock {"advance_ms":20000,"freeze":true})", "@t 5000",
                    "DELETE /_emulator/v1/faults"});
  return corpus;
}

void Replay(const Lines& lines) {
  std::string input;
  for (const std::string& line : lines) input.append(line).push_back('\n');
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
}

size_t Pick(Random& random, size_t size) { return random.Next() % size; }

void Mutate(Random& random, const std::vector<Lines>& corpus, Lines& lines) {
  static constexpr std::string_view kTokens[] = {
      "null",    "{}", "[]", "\"\"", "-1", "1e309", "\"bob\"",     "\xff",  "%2F",
      "\\u0000", "*",  "**", "true", ",",  "[[[",   "\"private\"", "alice", "9223372036854775807"};
  std::string& line = lines[Pick(random, lines.size())];
  const size_t at = Pick(random, line.size() + 1);
  switch (Pick(random, 7)) {
    case 0:  // one byte
      if (at < line.size()) line[at] = static_cast<char>(random.Next());
      break;
    case 1:  // an end that is missing
      line.resize(at);
      break;
    case 2:  // something else in the middle
      line.insert(at, kTokens[Pick(random, std::size(kTokens))]);
      break;
    case 3:  // a piece that is missing
      line.erase(at, Pick(random, 16));
      break;
    case 4:  // again
      lines.insert(lines.begin() + static_cast<ptrdiff_t>(Pick(random, lines.size())),
                   std::string(line));
      break;
    case 5: {  // from another recording
      const Lines& other = corpus[Pick(random, corpus.size())];
      if (!other.empty()) line = other[Pick(random, other.size())];
      break;
    }
    default:  // said by the other user
      line = line.starts_with("@b ") ? line.substr(3) : "@b " + line;
      break;
  }
}

TEST(EmulatorFuzzerTest, RecordedTrafficPasses) {
  const std::vector<Lines> corpus = Corpus();
  ASSERT_GT(corpus.size(), 20u);
  for (const Lines& lines : corpus) Replay(lines);
}

TEST(EmulatorFuzzerTest, MutationsPass) {
  constexpr int kRunsPerRecording = 40;
  constexpr size_t kMaxRecording = 60;  // lines: what is behind them is more of the same
  const std::vector<Lines> corpus = Corpus();
  SeededRandom random(20260922);
  for (Lines lines : corpus) {
    if (lines.empty()) continue;
    if (lines.size() > kMaxRecording) lines.resize(kMaxRecording);
    for (int run = 0; run < kRunsPerRecording; ++run) {
      Lines mutated = lines;
      const size_t count = 1 + Pick(random, 8);
      for (size_t i = 0; i < count; ++i) Mutate(random, corpus, mutated);
      Replay(mutated);
    }
  }
}

TEST(EmulatorFuzzerTest, NoisePasses) {
  SeededRandom random(7);
  for (int run = 0; run < 300; ++run) {
    Lines lines;
    for (int i = 0; i < 8; ++i) {
      std::string line;
      for (size_t size = Pick(random, 200); size > 0; --size) {
        line.push_back(static_cast<char>(random.Next()));
      }
      lines.push_back(i % 2 == 0 ? "GET /" + line : line);
    }
    Replay(lines);
  }
}

}  // namespace
}  // namespace talkjsd::emulator
