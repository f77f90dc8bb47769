// talkjsctl journal: what a journal on disk consists of, and whether it is sound. Needs no daemon.
#include <google/protobuf/struct.pb.h>

#include <cstdio>
#include <iostream>

#include "client/talkjsctl/commands.h"
#include "client/talkjsctl/text.h"
#include "daemon/journal/inspect.h"

namespace talkjsd::talkjsctl {
namespace {

using google::protobuf::Struct;
using journal::JournalReport;
using journal::SegmentReport;

std::string Time(UnixMillis millis) {
  google::protobuf::Timestamp time;
  time.set_seconds(millis / 1000);
  time.set_nanos(static_cast<int32_t>(millis % 1000) * 1'000'000);
  return FormatTime(millis > 0, time);
}

std::string Hex(uint64_t epoch) {
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(epoch));
  return text;
}

uint64_t Events(const SegmentReport& segment) {
  return segment.last_sequence + 1 - segment.first_sequence;
}

std::string Summary(const std::vector<std::string>& problems) {
  return problems.empty() ? "well" : problems.front();
}

std::string Tables(const JournalReport& report) {
  std::vector<std::vector<std::string>> rows = {
      {"FILE", "FIRST", "LAST", "EVENTS", "FROM", "TO", "BYTES", "EPOCHS", "STATE"}};
  for (const SegmentReport& segment : report.segments) {
    rows.push_back({segment.file, std::to_string(segment.first_sequence),
                    std::to_string(segment.last_sequence), std::to_string(Events(segment)),
                    Time(segment.first_time), Time(segment.last_time),
                    std::to_string(segment.bytes), std::to_string(segment.epochs.size()),
                    Summary(segment.problems)});
  }
  std::string text = Table(rows);
  rows = {{"EPOCH", "FIRST"}};
  for (const journal::EpochStart& start : report.epochs) {
    rows.push_back({Hex(start.epoch), std::to_string(start.first_sequence)});
  }
  return text + "\n" + Table(rows);
}

void PutList(const std::vector<std::string>& texts, const char* name, Struct& out) {
  auto& list = *(*out.mutable_fields())[name].mutable_list_value();
  for (const std::string& text : texts) list.add_values()->set_string_value(text);
}

void PutText(const std::string& text, const char* name, Struct& out) {
  (*out.mutable_fields())[name].set_string_value(text);
}

void PutEpochs(const std::vector<journal::EpochStart>& epochs, Struct& out) {
  auto& list = *(*out.mutable_fields())["epochs"].mutable_list_value();
  for (const journal::EpochStart& start : epochs) {
    Struct& entry = *list.add_values()->mutable_struct_value();
    PutText(Hex(start.epoch), "epoch", entry);
    PutText(std::to_string(start.first_sequence), "first_sequence", entry);
  }
}

Struct ToStruct(const JournalReport& report) {
  Struct out;
  PutText(report.directory, "directory", out);
  (*out.mutable_fields())["sound"].set_bool_value(report.is_sound());
  auto& segments = *(*out.mutable_fields())["segments"].mutable_list_value();
  for (const SegmentReport& segment : report.segments) {
    Struct& entry = *segments.add_values()->mutable_struct_value();
    PutText(segment.file, "file", entry);
    PutText(segment.written_by, "written_by", entry);
    PutText(std::to_string(segment.first_sequence), "first_sequence", entry);
    PutText(std::to_string(segment.last_sequence), "last_sequence", entry);
    PutText(std::to_string(Events(segment)), "events", entry);
    PutText(Time(segment.first_time), "first_time", entry);
    PutText(Time(segment.last_time), "last_time", entry);
    PutText(std::to_string(segment.bytes), "bytes", entry);
    (*entry.mutable_fields())["has_index"].set_bool_value(segment.has_index);
    PutEpochs(segment.epochs, entry);
    PutList(segment.problems, "problems", entry);
  }
  PutEpochs(report.epochs, out);
  PutList(report.problems, "problems", out);
  return out;
}

}  // namespace

int JournalReportOn(const GlobalOptions& global, const JournalOptions& options) {
  const absl::StatusOr<JournalReport> report =
      journal::InspectJournal(options.directory, options.verify ? journal::Thoroughness::kVerify
                                                                : journal::Thoroughness::kLook);
  if (!report.ok()) return FailUsage(std::string(report.status().message()));
  std::cout << (global.json ? ToJsonLine(ToStruct(*report)) : Tables(*report));
  const int finished = FinishOutput();
  const auto complain = [](const std::string& where, const std::vector<std::string>& problems) {
    for (const std::string& problem : problems) {
      std::cerr << "talkjsctl: " << Escape(where + problem) << "\n";
    }
  };
  complain("", report->problems);
  for (const SegmentReport& segment : report->segments) {
    complain(segment.file + ": ", segment.problems);
  }
  if (finished != kExitOk) return finished;
  return options.verify && !report->is_sound() ? kExitRefused : kExitOk;
}

}  // namespace talkjsd::talkjsctl
