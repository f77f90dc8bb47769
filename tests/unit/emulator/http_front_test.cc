// The HTTP side without sockets: files, searches, CORS, and what is refused.
#include "daemon/emulator/http_front.h"

#include "daemon/emulator/decisions.h"
#include "daemon/emulator/http/http_files.h"
#include "daemon/emulator/ui_settings.h"
#include "daemon/wire/jwt.h"
#include "tests/unit/emulator/world_fixture.h"

namespace talkjsd::emulator {
namespace {

constexpr std::string_view kBoundary = "XyZ";

struct Field {
  std::string name;
  std::string value;
};

std::string Form(std::string_view filename, std::string_view bytes,
                 const std::vector<Field>& fields = {}) {
  const std::string line = "--" + std::string(kBoundary);
  std::string form = line + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"";
  form.append(filename).append("\"\r\nContent-Type: application/octet-stream\r\n\r\n");
  form.append(bytes).append("\r\n");
  for (const Field& field : fields) {
    form.append(line).append("\r\nContent-Disposition: form-data; name=\"").append(field.name);
    form.append("\"\r\n\r\n").append(field.value).append("\r\n");
  }
  return form.append(line).append("--\r\n");
}

std::string HeaderOf(const net::ServerResponse& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return "";
}

class HttpFrontTest : public testing::Test {
 protected:
  HttpFrontTest() {
    for (const char* user : {"alice", "bob"}) {
      EXPECT_TRUE(app.world().PutUser(user, Named(user)).ok());
    }
    EXPECT_TRUE(app.world().CreateConversation("c", {}).ok());
    EXPECT_TRUE(
        app.world().WriteParticipant("alice", "c", "alice", World::JoinMode::kCreate, {}).ok());
  }

  std::string TokenOf(std::string user, std::string type = "user") {
    wire::JwtClaims claims;
    claims.token_type = std::move(type);
    claims.issuer.append("demo");
    claims.subject = std::move(user);
    return std::string(wire::MintJwt(claims, key).Expose());
  }

  net::ServerResponse Ask(std::string method, std::string target, std::string body = "",
                          std::string token = "") {
    net::ServerRequest request;
    request.method = std::move(method);
    request.target = std::move(target);
    request.body = std::move(body);
    request.headers = {{"Host", "localhost:7070"},
                       {"Content-Type", "multipart/form-data; boundary=XyZ"}};
    if (!token.empty()) request.headers.emplace_back("Authorization", "Bearer " + token);
    if (!range.empty()) request.headers.emplace_back("Range", range);
    net::ServerResponse response = front.RespondNow(request);
    EXPECT_EQ(HeaderOf(response, "Access-Control-Allow-Origin"), "*");
    return response;
  }
  net::ServerResponse Upload(std::string form) {
    return Ask("POST", "/public_api/v1/demo/files", std::move(form), TokenOf("alice"));
  }
  net::ServerResponse Search(const std::string& target) {
    return Ask("GET", "/public_api/v1/demo/me/" + target, "", TokenOf("alice"));
  }
  // "400 BAD_REQUEST"
  static std::string VerdictOf(const net::ServerResponse& response) {
    const auto body = wire::ParseJson(response.body);
    if (!body.ok()) return std::to_string(response.status);
    const json::value* code = body->as_object().if_contains("errorCode");
    return std::to_string(response.status) + " " + (code == nullptr ? "" : Text(*code));
  }
  // What a message with this token says about the file.
  wire::FileBlock Resolved(const net::ServerResponse& upload) {
    std::vector<wire::ContentBlock> content(1);
    content[0].kind = wire::ContentBlock::Kind::kFile;
    content[0].file.file_token = Text(wire::ParseJson(upload.body)->at("fileToken"));
    content[0].file.size = 7;
    content[0].file.url.append("http://evil.org");
    EXPECT_EQ(Verdict(ResolveFileTokens(app.files(), content)), "OK");
    return content[0].file;
  }
  std::string Send(std::string text) {
    clock.Advance(std::chrono::milliseconds(1));
    return app.world().SendMessage("alice", "c", TextMessage(std::move(text))).value_or("");
  }

  const Secret key{"sk_test_demo"};
  ManualClock clock;
  SeededRandom random{1};
  net::EventLoop loop{"test"};
  App app{loop, clock, random, "demo", key, {}};
  HttpFront front{app};
  std::string range;
};

TEST_F(HttpFrontTest, AnUploadedFileComesBackAsItWas) {
  const std::string bytes("\0\xff\r\n--", 6);
  const auto upload =
      Upload(Form("my cat.PNG", bytes,
                  {{"subtype", "image"}, {"width", "640"}, {"height", "4.5"}, {"duration", "9"}}));
  ASSERT_EQ(upload.status, 200) << upload.body;
  const auto answer = wire::ParseJson(upload.body)->as_object();
  EXPECT_EQ(answer.at("fileToken"), answer.at("attachmentToken"));

  const wire::FileBlock file = Resolved(upload);
  EXPECT_EQ(file.subtype, "image");
  EXPECT_EQ(file.filename, "my cat.PNG");
  EXPECT_EQ(file.size, 6);
  EXPECT_EQ(file.width, 640);
  EXPECT_EQ(file.height, 4.5);
  EXPECT_EQ(file.duration, std::nullopt) << "images have none";
  const std::string target = "/public_api/v1/demo/files/" + file.file_token + "/my%20cat.PNG";
  EXPECT_EQ(file.url, "http://localhost:7070" + target);

  const auto download = Ask("GET", target);
  EXPECT_EQ(download.status, 200);
  EXPECT_EQ(download.content_type, "image/png");
  EXPECT_EQ(download.body, bytes);
}

TEST_F(HttpFrontTest, EverySubtypeKeepsItsMeasures) {
  const std::vector<Field> all = {{"width", "1"}, {"height", "2"}, {"duration", "3.25"}};
  const auto describe = [&](const std::string& subtype) {
    std::vector<Field> fields = all;
    if (!subtype.empty()) fields.push_back({"subtype", subtype});
    const wire::FileBlock file = Resolved(Upload(Form("f", "x", fields)));
    return file.subtype + (file.width ? " w" : "") + (file.height ? " h" : "") +
           (file.duration ? " d" : "");
  };
  EXPECT_EQ(describe("image"), "image w h");
  EXPECT_EQ(describe("video"), "video w h d");
  EXPECT_EQ(describe("audio"), "audio d");
  EXPECT_EQ(describe("voice"), "voice d");
  EXPECT_EQ(describe(""), "");
}

TEST_F(HttpFrontTest, UploadsThatCannotBeAreRefused) {
  EXPECT_EQ(VerdictOf(Ask("POST", "/public_api/v1/demo/files", Form("f", "x"))),
            "401 UNAUTHORIZED");
  EXPECT_EQ(VerdictOf(Ask("POST", "/public_api/v1/demo/files", Form("f", "x"), "nonsense")),
            "401 UNAUTHORIZED");
  EXPECT_EQ(VerdictOf(Ask("POST", "/public_api/v1/other/files", Form("f", "x"), TokenOf("alice"))),
            "404 APP_NOT_FOUND");
  EXPECT_EQ(VerdictOf(Ask("GET", "/public_api/v1/demo/files", "", TokenOf("alice"))),
            "405 METHOD_NOT_ALLOWED");
  EXPECT_EQ(VerdictOf(Upload("nonsense")), "400 BAD_REQUEST");
  EXPECT_EQ(VerdictOf(Upload(Form("", "x"))), "400 BAD_REQUEST");
  EXPECT_EQ(VerdictOf(Upload(Form("f", "x", {{"subtype", "film"}}))), "400 BAD_REQUEST");
  for (const char* width : {"", "wide", "-1", "1e3", "1 ", "inf"}) {
    const auto refusal = Upload(Form("f", "x", {{"subtype", "image"}, {"width", width}}));
    EXPECT_EQ(VerdictOf(refusal), "400 BAD_REQUEST") << width;
  }
  EXPECT_EQ(Verdict(CheckFile("f", kMaxFileBytes)), "OK");
  EXPECT_EQ(Verdict(CheckFile("f", kMaxFileBytes + 1)), "400 FILE_TOO_LARGE");
  EXPECT_EQ(Verdict(CheckFile("f", -1)), "400 BAD_REQUEST");
}

TEST_F(HttpFrontTest, OnlyUploadsMayBeLarge) {
  net::ServerRequest head;
  const auto limit = [&](std::string method, std::string target) {
    head.method = std::move(method);
    head.target = std::move(target);
    return front.BodyLimit(head);
  };
  EXPECT_EQ(limit("POST", "/public_api/v1/demo/files?x=y"), kMaxUploadBytes);
  EXPECT_EQ(limit("PUT", "/public_api/v1/demo/files"), kMaxFrameBytes);
  EXPECT_EQ(limit("POST", "/public_api/v1/other/files"), kMaxFrameBytes);
  EXPECT_EQ(limit("POST", "/public_api/v1/demo/files/x"), kMaxFrameBytes);
  EXPECT_EQ(limit("POST", "/%"), kMaxFrameBytes);
  const net::ServerResponse refusal = HttpFront::Refuse(413, "too much");
  EXPECT_EQ(VerdictOf(refusal), "413 TOO_LARGE");
  EXPECT_EQ(HeaderOf(refusal, "Access-Control-Allow-Origin"), "*");
}

TEST_F(HttpFrontTest, ATokenThatDoesNotExistIsRefused) {
  std::vector<wire::ContentBlock> content(1);
  content[0].kind = wire::ContentBlock::Kind::kFile;
  content[0].file.file_token.append("none");
  EXPECT_EQ(Verdict(ResolveFileTokens(app.files(), content)), "400 INVALID_FILE_TOKEN");
  EXPECT_EQ(VerdictOf(Ask("GET", "/public_api/v1/demo/files/none/x")), "404 FILE_NOT_FOUND");
  EXPECT_EQ(VerdictOf(Ask("GET", "/public_api/v1/demo/files/none")), "404 NOT_FOUND");
}

TEST_F(HttpFrontTest, RangesOfAFileAreServed) {
  const wire::FileBlock file = Resolved(Upload(Form("f.txt", "0123456789")));
  struct Case {
    std::string_view range;
    int status;
    std::string_view body;
    std::string_view content_range;
  };
  const Case cases[] = {
      {"bytes=0-", 206, "0123456789", "bytes 0-9/10"},
      {"bytes=2-3", 206, "23", "bytes 2-3/10"},
      {"bytes=8-99", 206, "89", "bytes 8-9/10"},
      {"bytes=-3", 206, "789", "bytes 7-9/10"},
      {"bytes=-99", 206, "0123456789", "bytes 0-9/10"},
      {"bytes=10-", 416, "", "bytes */10"},
      {"bytes=-0", 416, "", "bytes */10"},
      {"bytes=3-2", 200, "0123456789", ""},
      {"bytes=0-1,3-4", 200, "0123456789", ""},
      {"bytes=-", 200, "0123456789", ""},
      {"lines=0-1", 200, "0123456789", ""},
      {"bytes=99999999999999999999-", 200, "0123456789", ""},
  };
  for (const Case& one : cases) {
    range = one.range;
    const auto answer = Ask("GET", "/public_api/v1/demo/files/" + file.file_token + "/f.txt");
    EXPECT_EQ(answer.status, one.status) << one.range;
    EXPECT_EQ(answer.body, one.body) << one.range;
    EXPECT_EQ(HeaderOf(answer, "Content-Range"), one.content_range) << one.range;
  }
}

TEST_F(HttpFrontTest, AnUploadedPageMayNotActAsThisServers) {
  std::string form = Form("evil.html", "<script>");
  form.replace(form.find("application/octet-stream"), 24, "text/HTML");
  const wire::FileBlock file = Resolved(Upload(form));
  const auto answer = Ask("GET", "/public_api/v1/demo/files/" + file.file_token + "/evil.html");
  EXPECT_EQ(answer.content_type, "text/HTML");
  EXPECT_EQ(HeaderOf(answer, "Content-Security-Policy"), "sandbox");
  EXPECT_EQ(HeaderOf(answer, "X-Content-Type-Options"), "nosniff");
}

TEST_F(HttpFrontTest, SearchResultsComeInLinesUntilThereIsNoCursor) {
  for (const char* text : {"x one", "x two", "x three", "y"}) Send(text);
  const auto first = Search("messages/search?searchString=x&conversationFilter=%7B%7D&limit=2");
  EXPECT_EQ(first.status, 200) << first.body;
  ASSERT_TRUE(first.body.starts_with("{\"data\":[\n{\"id\":\"msg_")) << first.body;
  EXPECT_NE(first.body.find("}\n,{\"id\":\"msg_"), std::string::npos);
  EXPECT_NE(first.body.find("}\n],\"cursor\":\""), std::string::npos);
  const auto page = wire::ParseJson(first.body);
  EXPECT_EQ(page->at("data").as_array().size(), 2u);
  EXPECT_EQ(page->at("data").at(0).at("conversationId"), json::value("c"));

  const auto second = Search("messages/search?cursor=" + Text(page->at("cursor")) + "&limit=10");
  const auto last = wire::ParseJson(second.body);
  EXPECT_EQ(last->at("data").as_array().size(), 1u);
  EXPECT_TRUE(second.body.ends_with("}\n]}")) << second.body;

  EXPECT_EQ(Search("messages/search?searchString=none").body, "{\"data\":[\n]}");
}

TEST_F(HttpFrontTest, SearchTextIsDecodedTwice) {
  Send("a b 100% \"é\"");
  for (const char* text : {"a+b", "a%2520b", "100%2525", "%2522%25C3%25A9%2522"}) {
    const auto page =
        wire::ParseJson(Search("messages/search?searchString=" + std::string(text)).body);
    EXPECT_EQ(page->at("data").as_array().size(), 1u) << text;
  }
  const auto other = Search(
      "messages/search?searchString=a&conversationFilter="
      "%7B%22subject%22%3A%5B%22%3D%3D%22%2C%22no+such%22%5D%7D");
  EXPECT_EQ(other.body, "{\"data\":[\n]}");
}

TEST_F(HttpFrontTest, SearchesThatMakeNoSenseAreRefused) {
  for (const char* query :
       {"", "?searchString=%25", "?searchString=%", "?searchString=x&limit=0",
        "?searchString=x&limit=ten", "?searchString=x&conversationFilter=%7B",
        "?searchString=x&conversationFilter=%5B%5D", "?cursor=abc", "?cursor=W10="}) {
    EXPECT_EQ(VerdictOf(Search("messages/search" + std::string(query))), "400 BAD_REQUEST")
        << query;
    EXPECT_EQ(VerdictOf(Search("conversations/search" + std::string(query))), "400 BAD_REQUEST")
        << query;
  }
  EXPECT_EQ(VerdictOf(Search("users/search?searchString=x")), "404 NOT_FOUND");
  const std::string target = "/public_api/v1/demo/me/messages/search?searchString=x";
  EXPECT_EQ(VerdictOf(Ask("POST", target, "", TokenOf("alice"))), "405 METHOD_NOT_ALLOWED");
  EXPECT_EQ(VerdictOf(Ask("GET", target)), "401 UNAUTHORIZED");
  EXPECT_EQ(VerdictOf(Ask("GET", target, "", TokenOf("alice", "app"))), "401 UNAUTHORIZED");
}

TEST_F(HttpFrontTest, PreflightsAreAnsweredEverywhere) {
  for (const char* target : {"/", "/%", "/public_api/v1/other/files", "/api/v0/demo//app"}) {
    const auto answer = Ask("OPTIONS", target);
    EXPECT_EQ(answer.status, 204);
    EXPECT_NE(HeaderOf(answer, "Access-Control-Allow-Headers").find("Authorization"),
              std::string::npos);
  }
}

TEST_F(HttpFrontTest, SettingsAreTheDefaultsWithTheChangesGiven) {
  const auto changes = wire::ParseJson(
      R"({"features":["file_sharing"],"configuration":{"general":{"enablePresence":true}},)"
      R"("appMetadata":{"name":"Mine"}})");
  app.set_ui_settings(UiSettings("demo", changes->as_object()).value());
  const auto answer =
      wire::ParseJson(Ask("GET", "/api/v0/demo//app", "", TokenOf("alice")).body)->as_object();
  EXPECT_EQ(answer.at("features"), json::value({"file_sharing"}));
  EXPECT_EQ(answer.at("configuration").at("general").at("enablePresence"), json::value(true));
  EXPECT_EQ(Text(answer.at("appMetadata").at("name")), "Mine");
  EXPECT_EQ(Text(answer.at("appMetadata").at("id")), "demo");
  for (const char* wrong : {R"({"features":{}})", R"({"features":[1]})", R"({"configuration":[]})",
                            R"({"appMetadata":"x"})", R"({"permissions":{}})"}) {
    const auto settings = UiSettings("demo", wire::ParseJson(wrong)->as_object());
    EXPECT_EQ(Verdict(settings.status()), "400 BAD_REQUEST") << wrong;
  }
}

TEST_F(HttpFrontTest, SettingsAreThereWithOneSlashOrTwo) {
  for (const char* target : {"/api/v0/demo//app?sessionId=1", "/api/v0/demo/app"}) {
    const auto answer = Ask("GET", target, "", TokenOf("alice"));
    EXPECT_EQ(Text(wire::ParseJson(answer.body)->at("appMetadata").at("id")), "demo");
    EXPECT_EQ(VerdictOf(Ask("GET", target)), "401 UNAUTHORIZED");
  }
}

TEST_F(HttpFrontTest, ALongSearchLetsOthersHaveTheirTurn) {
  for (size_t i = 0; i < 2 * kSearchSlice + 1; ++i) Send(i % kSearchSlice == 0 ? "needle" : "hay");
  net::ServerRequest request;
  request.method.append("GET");
  request.target.append("/public_api/v1/demo/me/messages/search?searchString=needle&limit=2");
  request.headers = {{"Authorization", "Bearer " + TokenOf("alice")}};
  const net::ServerResponse at_once = front.RespondNow(request);
  std::optional<net::ServerResponse> response;
  loop.Start();
  loop.PostAndWait([&] {
    front.Respond(request, [&](net::ServerResponse answer) { response = std::move(answer); });
    EXPECT_FALSE(response.has_value());
  });
  // Each turn is posted by the one before.
  for (int turn = 0; turn < 3; ++turn) loop.PostAndWait([] {});
  loop.Stop();
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, at_once.body);
  EXPECT_EQ(HeaderOf(*response, "Access-Control-Allow-Origin"), "*");
  EXPECT_NE(response->body.find("cursor"), std::string::npos);
}

}  // namespace
}  // namespace talkjsd::emulator
