#include "daemon/wire/frame.h"

#include <gtest/gtest.h>

namespace talkjsd::wire {
namespace {

std::string ServerError(std::string_view text) {
  return std::string(DecodeServerFrame(text).status().message());
}

std::string ClientError(std::string_view text) {
  return std::string(DecodeClientFrame(text).status().message());
}

TEST(FrameTest, ClientFramesAreWrittenAsTheSdkWritesThem) {
  EXPECT_EQ(EncodeRequest(7, "POST", "/conversations/c1/messages", R"({"a":1})"),
            R"([7,"POST","/conversations/c1/messages",{"a":1},{}])");
  EXPECT_EQ(EncodeRequest(0, "GET", "/\"\\\n", "{}"), R"([0,"GET","/\"\\\n",{},{}])");
  EXPECT_EQ(EncodeAck(3), R"([3,"ACK"])");
}

TEST(FrameTest, ServerFramesAreWrittenAsDocumented) {
  EXPECT_EQ(EncodeResponse(8, 404, EncodeErrorData("MESSAGE_NOT_FOUND", {"No message"})),
            R"([8,404,{"errorCode":"MESSAGE_NOT_FOUND","reasons":["No message"]}])");
  EXPECT_EQ(EncodePublish(3, {json::object{{"type", "a"}}, json::object{{"type", "b"}}}),
            R"([3,"PUBLISH",{"type":"a"},{"type":"b"}])");
}

TEST(FrameTest, RequestsAndAcksDecode) {
  const absl::StatusOr<ClientFrame> request = DecodeClientFrame(R"([7,"PUT","/a",{"k":null},{}])");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(std::get<RequestFrame>(*request).number, 7);
  EXPECT_EQ(std::get<RequestFrame>(*request).method, "PUT");
  EXPECT_EQ(std::get<RequestFrame>(*request).path, "/a");
  EXPECT_EQ(std::get<RequestFrame>(*request).data, (json::object{{"k", nullptr}}));
  EXPECT_TRUE(DecodeClientFrame(R"([7,"PUT","/a",{}])").ok());
  const absl::StatusOr<ClientFrame> ack = DecodeClientFrame(R"([12,"ACK"])");
  ASSERT_TRUE(ack.ok()) << ack.status();
  EXPECT_EQ(std::get<AckFrame>(*ack).number, 12);
}

TEST(FrameTest, ResponsesDecode) {
  const absl::StatusOr<ServerFrame> frame = DecodeServerFrame(R"([7,200,{"id":"m"}])");
  ASSERT_TRUE(frame.ok()) << frame.status();
  EXPECT_EQ(std::get<ResponseFrame>(*frame).number, 7);
  EXPECT_EQ(std::get<ResponseFrame>(*frame).status, 200);
  EXPECT_EQ(std::get<ResponseFrame>(*frame).data, (json::value{{"id", "m"}}));
}

TEST(FrameTest, ResponseWithoutDataIsAnAnswerToo) {
  const absl::StatusOr<ServerFrame> frame = DecodeServerFrame("[1,400]");
  ASSERT_TRUE(frame.ok()) << frame.status();
  EXPECT_EQ(std::get<ResponseFrame>(*frame).status, 400);
  EXPECT_TRUE(std::get<ResponseFrame>(*frame).data.is_null());
}

TEST(FrameTest, PublishDecodesAllItsEventsInOrder) {
  json::monotonic_resource resource;
  const absl::StatusOr<ServerFrame> frame =
      DecodeServerFrame(R"([9007199254740993,"PUBLISH",{"type":"a"},{"type":"b"}])", &resource);
  ASSERT_TRUE(frame.ok()) << frame.status();
  const auto& publish = std::get<PublishFrame>(*frame);
  EXPECT_EQ(publish.number, 9007199254740993);
  ASSERT_EQ(publish.events.size(), 2u);
  EXPECT_EQ(publish.events[0].at("type"), "a");
  EXPECT_EQ(publish.events[1].at("type"), "b");
}

TEST(FrameTest, MalformedServerFramesAreRefused) {
  const struct {
    std::string_view text;
    std::string_view message;
  } kCases[] = {
      {"{}", "bad frame: not an array"},
      {"\"not an array\"", "bad frame: not an array"},
      {"[]", "bad frame: fewer than two elements"},
      {"[1]", "bad frame: fewer than two elements"},
      {"[null,200,{}]", "bad frame: element 0 is not a number of a frame"},
      {"[\"1\",200,{}]", "bad frame: element 0 is not a number of a frame"},
      {"[-1,200,{}]", "bad frame: element 0 is not a number of a frame"},
      {"[1.5,200,{}]", "bad frame: element 0 is not a number of a frame"},
      {"[1e400,200,{}]", "bad frame: element 0 is not a number of a frame"},
      {"[18446744073709551615,200,{}]", "bad frame: element 0 is not a number of a frame"},
      {"[1,true,{}]", "bad frame: element 1 is neither a status nor \"PUBLISH\""},
      {"[1,\"200\",{}]", "bad frame: element 1 is neither a status nor \"PUBLISH\""},
      {"[1,-5,{}]", "bad frame: element 1 is neither a status nor \"PUBLISH\""},
      {"[1,99999999999,{}]", "bad frame: element 1 is neither a status nor \"PUBLISH\""},
      {"[1,\"PUBLISH\"]", "bad frame: PUBLISH without an event"},
      {"[1,\"PUBLISH\",{},5]", "bad frame: element 3 is not an event object"},
      {"[1,\"PUBLISH\",[]]", "bad frame: element 2 is not an event object"},
  };
  for (const auto& test : kCases) EXPECT_EQ(ServerError(test.text), test.message) << test.text;
}

TEST(FrameTest, MalformedClientFramesAreRefused) {
  const struct {
    std::string_view text;
    std::string_view message;
  } kCases[] = {
      {"5", "bad frame: not an array"},
      {"[1]", "bad frame: fewer than two elements"},
      {"[{},\"ACK\"]", "bad frame: element 0 is not a number of a frame"},
      {"[1,5]", "bad frame: element 1 is not a method"},
      {"[1,\"GET\"]", "bad frame: a request has a number, a method, a path and data"},
      {"[1,\"GET\",\"/a\"]", "bad frame: a request has a number, a method, a path and data"},
      {"[1,\"GET\",\"a\",{},{}]", "bad frame: element 2 is not a path"},
      {"[1,\"GET\",7,{},{}]", "bad frame: element 2 is not a path"},
      {"[1,\"GET\",\"/a\",null,{}]", "bad frame: element 3, the data, is not an object"},
      {"[1,\"GET\",\"/a\",{},5]", "bad frame: element 4, the headers, is not an object"},
  };
  for (const auto& test : kCases) EXPECT_EQ(ClientError(test.text), test.message) << test.text;
}

TEST(FrameTest, TextThatIsNotJsonIsRefused) {
  for (const std::string& text : {std::string(), std::string("[1,200,"), std::string("[1,200,{}]x"),
                                  std::string("[1,200,\"\xFF\"]"), std::string("\x00\x01", 2),
                                  "[1,200," + std::string(100, '[')}) {
    EXPECT_EQ(DecodeServerFrame(text).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(DecodeClientFrame(text).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST(FrameTest, EachDirectionHasItsLimit) {
  const std::string request =
      "[1,\"PUT\",\"/a\",{\"k\":\"" + std::string(kMaxClientFrame, 'x') + "\"}]";
  EXPECT_FALSE(DecodeClientFrame(request).ok());
  const std::string answer = "[1,200,\"" + std::string(kMaxClientFrame, 'x') + "\"]";
  EXPECT_TRUE(DecodeServerFrame(answer).ok());
  const std::string huge = "[1,200,\"" + std::string(kMaxServerFrame, 'x') + "\"]";
  EXPECT_FALSE(DecodeServerFrame(huge).ok());
}

TEST(FrameTest, ErrorDataIsReadFromWhateverIsThere) {
  const auto read = [](std::string_view text) { return DecodeErrorData(ParseJson(text).value()); };
  const ErrorData full =
      read(R"({"errorCode":"BAD_REQUEST","reasons":["a",{"name":["is required"]},5]})");
  EXPECT_EQ(full.code, "BAD_REQUEST");
  EXPECT_EQ(full.reasons, (std::vector<std::string>{"a", R"({"name":["is required"]})", "5"}));
  EXPECT_EQ(read(R"({"reasons":{"name":"x"}})").reasons,
            (std::vector<std::string>{R"({"name":"x"})"}));
  for (const std::string_view text :
       {"null", "{}", "[]", "5", R"({"errorCode":7,"reasons":null})"}) {
    EXPECT_EQ(read(text).code, "");
    EXPECT_TRUE(read(text).reasons.empty());
  }
}

}  // namespace
}  // namespace talkjsd::wire
