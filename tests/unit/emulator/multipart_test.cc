#include "daemon/emulator/http/multipart.h"

#include <gtest/gtest.h>

#include "daemon/base/random.h"
#include "daemon/emulator/refusal.h"

namespace talkjsd::emulator {
namespace {

constexpr std::string_view kType = "multipart/form-data; boundary=XyZ";

std::string Part(std::string_view header, std::string_view body) {
  return "--XyZ\r\n" + std::string(header) + "\r\n\r\n" + std::string(body) + "\r\n";
}

// The only part of a form with this header.
FormPart One(std::string_view header, std::string_view body = "") {
  static std::string form;
  form = Part(header, body) + "--XyZ--\r\n";
  auto parts = ParseMultipart(kType, form);
  EXPECT_TRUE(parts.ok()) << parts.status();
  return parts.ok() && parts->size() == 1 ? parts->front() : FormPart();
}

std::string NameIn(std::string_view parameters) {
  return One("Content-Disposition: form-data; name=\"file\"; " + std::string(parameters))
      .filename.value_or("none");
}

TEST(MultipartTest, PartsComeInOrderWithTheirBytes) {
  const std::string bytes("\0\r\n--XyY\r\n\xff--", 13);
  const std::string body =
      "ignored\r\n" +
      Part("content-disposition: FORM-DATA; name=file; filename=a.bin\r\nContent-Type: image/png",
           bytes) +
      Part("Content-Disposition: form-data; name=\"width\"", "640") +
      Part("Content-Disposition: form-data; name=\"none\"", "") + "--XyZ-- \r\nignored";
  const auto parts = ParseMultipart(kType, body);
  ASSERT_TRUE(parts.ok()) << parts.status();
  ASSERT_EQ(parts->size(), 3u);
  EXPECT_EQ((*parts)[0].name, "file");
  EXPECT_EQ((*parts)[0].filename, "a.bin");
  EXPECT_EQ((*parts)[0].content_type, "image/png");
  EXPECT_EQ((*parts)[0].body, bytes);
  EXPECT_EQ((*parts)[1].name, "width");
  EXPECT_EQ((*parts)[1].filename, std::nullopt);
  EXPECT_EQ((*parts)[1].body, "640");
  EXPECT_EQ((*parts)[2].body, "");
}

TEST(MultipartTest, BoundariesMayBeQuotedAndPadded) {
  const std::string body = "--a b\t\r\nContent-Disposition: form-data; name=x\r\n\r\n1\r\n--a b--";
  const auto parts = ParseMultipart("Multipart/Form-Data; charset=utf-8; boundary=\"a b\"", body);
  ASSERT_TRUE(parts.ok()) << parts.status();
  EXPECT_EQ(parts->at(0).body, "1");
}

TEST(MultipartTest, FilenamesAreReadAsTheirSendersWriteThem) {
  EXPECT_EQ(NameIn("filename=\"smörgås 📎.txt\""), "smörgås 📎.txt");
  EXPECT_EQ(NameIn("filename=\"100%25 a;b=c\""), "100%25 a;b=c");
  EXPECT_EQ(NameIn("filename=\"a%22b%0D%0Ac\""), "a\"b\r\nc");           // browsers, Node
  EXPECT_EQ(NameIn(R"(filename="a\"b\\c\d")"), R"(a"b\c\d)");            // curl, Go
  EXPECT_EQ(NameIn("filename=\"x\"; filename*=UTF-8''%E2%82%AC"), "€");  // Python
  EXPECT_EQ(NameIn("filename*=latin1''x"), "none");
  EXPECT_EQ(NameIn("filename=\"\""), "");
}

TEST(MultipartTest, AnythingElseIsABadRequestThatSaysWhy) {
  const std::string good = Part("Content-Disposition: form-data; name=x", "1");
  const std::string end = "--XyZ--";
  std::string many;
  for (size_t i = 0; i <= kMaxFormParts; ++i) many += good;
  struct Case {
    std::string_view type;
    std::string body;
    std::string_view reason;
  };
  const Case cases[] = {
      {"application/json", good + end, "Content-Type must be"},
      {"multipart/form-data", good + end, "needs a boundary"},
      {"multipart/form-data; boundary=\"\"", good + end, "needs a boundary"},
      {kType, "", "boundary is not in the body"},
      {kType, "--Xy", "boundary is not in the body"},
      {kType, "--XyZ", "line of a boundary"},
      {kType, good, "cut off"},
      {kType, good + "--XyZtail\r\n", "line of a boundary"},
      {kType, good + "--XyZ\r\nContent-Disposition: form-data; name=x\r\n\r\n1", "cut off"},
      {kType, "--XyZ\r\n" + std::string(2 * kMaxPartHeaderBytes, 'a'), "too long or cut off"},
      {kType, Part("Content-Type: text/plain", "1") + end, "without Content-Disposition"},
      {kType, Part("Content-Disposition: form-data", "1") + end, "without a name"},
      {kType, Part("Content-Disposition: attachment; name=x", "1") + end, "must be form-data"},
      {kType, Part("Content-Disposition: form-data; name=\"\xff\"", "1") + end, "UTF-8"},
      {kType, Part("nonsense", "1") + end, "no colon"},
      {kType, many + end, "too many parts"},
  };
  for (const Case& one : cases) {
    const auto parts = ParseMultipart(one.type, one.body);
    ASSERT_FALSE(parts.ok()) << one.body;
    const Refusal refusal = RefusalOf(parts.status());
    EXPECT_EQ(refusal.code, "BAD_REQUEST");
    EXPECT_NE(refusal.reason.find(one.reason), std::string::npos) << refusal.reason;
  }
}

// Cut, flipped and repeated bytes of a good form: some are forms, none may be read out of bounds.
TEST(MultipartTest, DamagedFormsNeverReachBeyondTheirEnd) {
  const std::string good =
      Part("Content-Disposition: form-data; name=\"a\"; filename=\"b\\\"%22\"; filename*=utf-8''c",
           "bytes") +
      Part("Content-Disposition: form-data; name=\"width\"", "12") + "--XyZ--\r\n";
  constexpr std::string_view kBytes("\r\n-\";=:\\%*' \0XyZ\xff", 18);
  SeededRandom random(7);
  int forms = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string body = good;
    for (uint64_t i = random.Next() % 4; i > 0; --i) {
      body[random.Next() % body.size()] = kBytes[random.Next() % kBytes.size()];
    }
    body.resize(random.Next() % 3 == 0 ? random.Next() % body.size() : body.size());
    // Its end is the end of an allocation, where a sanitizer sees what reads on.
    const std::vector<char> exact(body.begin(), body.end());
    const std::string_view text(exact.data(), exact.size());
    const auto parts = ParseMultipart(kType, text);
    if (!parts.ok()) continue;
    ++forms;
    for (const FormPart& part : *parts) {
      if (part.body.empty()) continue;
      EXPECT_GE(part.body.data(), text.data());
      EXPECT_LE(part.body.data() + part.body.size(), text.data() + text.size());
    }
  }
  EXPECT_GT(forms, 1000);
}

}  // namespace
}  // namespace talkjsd::emulator
