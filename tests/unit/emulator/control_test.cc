// The control endpoint's requests and answers.
#include "daemon/emulator/control/control.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/unit/emulator/app_fixture.h"

namespace talkjsd::emulator {
namespace {

namespace json = boost::json;

class ControlTest : public AppTest {
 protected:
  json::object Json(std::string_view method, std::string_view path, std::string body = "") {
    const std::string answer = Control(method, path, std::move(body));
    EXPECT_TRUE(answer.starts_with("200 ")) << answer;
    auto value = wire::ParseJson(std::string_view(answer).substr(4));
    return value.ok() && value->is_object() ? value->as_object() : json::object();
  }
  // "400 BAD_REQUEST: what" of a refused request.
  std::string Refused(std::string_view method, std::string_view path, std::string body = "") {
    const std::string answer = Control(method, path, std::move(body));
    auto value = wire::ParseJson(std::string_view(answer).substr(4));
    if (!value.ok() || !value->is_object() || !value->as_object().contains("errorCode")) {
      return answer;
    }
    const json::object& error = value->as_object();
    return answer.substr(0, 4) + std::string(error.at("errorCode").as_string()) + ": " +
           std::string(error.at("reasons").as_array().at(0).as_string());
  }
};

TEST_F(ControlTest, ItIsUnderItsOwnPrefixOnly) {
  EXPECT_TRUE(IsForControl("/_emulator/v1/"));
  EXPECT_TRUE(IsForControl("/_emulator"));
  EXPECT_TRUE(IsForControl("/_emulator/v2/x"));
  EXPECT_FALSE(IsForControl("/_emulators/v1/"));
  EXPECT_FALSE(IsForControl("/api/v0/_emulator/v1/"));
}

TEST_F(ControlTest, WebPagesAreRefusedAndNoAnswerCarriesCorsHeaders) {
  for (const char* origin : {"https://example.com", "null", "http://127.0.0.1:7070"}) {
    for (const char* method : {"GET", "POST", "OPTIONS"}) {
      net::ServerRequest request;
      request.method = method;
      request.target = "/_emulator/v1/";
      request.headers = {{"oRiGiN", origin}};
      const net::ServerResponse response = AnswerControl(app, request);
      EXPECT_EQ(response.status, 403);
      EXPECT_TRUE(response.headers.empty());
    }
  }
}

TEST_F(ControlTest, TheOverviewCountsAndListsTheRoutes) {
  const auto alice = Login("alice");
  AddFault(R"({"on":"answer","action":"drop","nth":1000})");
  const json::object overview = Json("GET", "");
  EXPECT_EQ(overview.at("app_id").as_string(), "demo");
  EXPECT_EQ(overview.at("connections").to_number<int>(), 1);
  EXPECT_EQ(overview.at("users").to_number<int>(), 1);
  EXPECT_EQ(overview.at("faults").to_number<int>(), 1);
  std::set<std::string> routes;
  for (const json::value& route : overview.at("routes").as_array()) {
    EXPECT_FALSE(route.at("summary").as_string().empty());
    routes.insert(std::string(route.at("method").as_string()) + " " +
                  std::string(route.at("path").as_string()));
  }
  for (const char* route :
       {"GET /_emulator/v1/", "POST /_emulator/v1/faults", "DELETE /_emulator/v1/faults/*",
        "POST /_emulator/v1/clock", "POST /_emulator/v1/connections/half-open"}) {
    EXPECT_TRUE(routes.contains(route)) << route;
  }
}

TEST_F(ControlTest, UnknownPathsMethodsAndBodiesAreRefused) {
  EXPECT_TRUE(Refused("GET", "nowhere").starts_with("404 NOT_FOUND"));
  EXPECT_TRUE(Refused("PUT", "faults").starts_with("405 METHOD_NOT_ALLOWED"));
  EXPECT_TRUE(Refused("POST", "faults", "{").starts_with("400 BAD_REQUEST: the body is not JSON"));
  EXPECT_TRUE(Refused("POST", "faults", "[]").starts_with("400 BAD_REQUEST: the body must be"));
  EXPECT_TRUE(Refused("GET", "faults/%zz").starts_with("400 BAD_REQUEST: the path"));
  EXPECT_TRUE(Refused("GET", "faults/seven").starts_with("404 FAULT_NOT_FOUND"));
  EXPECT_TRUE(Refused("DELETE", "faults/7").starts_with("404 FAULT_NOT_FOUND"));
}

TEST_F(ControlTest, RulesAreAddedShownAndDeleted) {
  const json::object added =
      Json("POST", "faults",
           R"({"on":"request","user":"a*","path":"/me/**","method":"GET","every":2,"times":3,)"
           R"("probability":0.5,"seed":9,"action":"status","status":429})");
  EXPECT_EQ(json::serialize(added),
            R"({"id":1,"on":"request","action":"status","user":"a*","path":"/me/**",)"
            R"("method":"GET","every":2,"times":3,"probability":5E-1,"seed":9,"status":429,)"
            R"("error_code":"TOO_MANY_REQUESTS","reasons":["fault injected by the emulator"],)"
            R"("matched":0,"fired":0,"remaining":3})");
  EXPECT_EQ(Json("GET", "faults/1"), added);
  Json("POST", "faults", R"({"on":"connect","action":"stall","ms":7})");
  EXPECT_EQ(Json("GET", "faults").at("faults").as_array().size(), 2u);
  Json("DELETE", "faults/1");
  EXPECT_EQ(Json("GET", "faults").at("faults").as_array().size(), 1u);
  EXPECT_EQ(Json("DELETE", "faults").at("deleted").to_number<int>(), 1);
  EXPECT_EQ(Json("POST", "faults", R"({"on":"http","action":"drop"})").at("id").to_number<int>(),
            3);
}

TEST_F(ControlTest, AWrongRuleIsRefusedByTheNameOfWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({})", "action: must be one of drop, reset, close,"},
      {R"({"action":"explode"})", "action: must be one of"},
      {R"({"action":"drop"})", "on: must be connect, request, answer, publish or http"},
      {R"({"action":"drop","on":7})", "on: not a string"},
      {R"({"action":"tear","on":"request"})", "action: tear does not happen at request"},
      {R"({"action":"status","on":"publish","status":429})", "action: status does not happen at"},
      {R"({"action":"status","on":"request"})", "status: the action needs it"},
      {R"({"action":"status","on":"request","status":99})", "status: must be a whole number"},
      {R"({"action":"stall","on":"request"})", "ms: the action needs it"},
      {R"({"action":"drop","on":"request","ms":5})", "ms: not a property of this action"},
      {R"({"action":"drop","on":"request","nth":0})", "nth: must be a whole number from 1"},
      {R"({"action":"drop","on":"request","nth":1.5})", "nth: must be a whole number from 1"},
      {R"({"action":"drop","on":"request","probability":2})", "probability: must be from 0 to 1"},
      {R"({"action":"drop","on":"request","event":"x"})", "event: only with"},
      {R"({"action":"drop","on":"publish","path":"/x"})", "path, method: a PUBLISH has none"},
      {R"({"action":"close","on":"request","code":1006})", "code: no close frame may carry it"},
      {R"({"action":"refuse_token","path":"/x"})", "path: not a property of refuse_token"},
      {R"({"action":"drop","on":"request","colour":1})", "unknown property: colour"}};
  for (const auto& [rule, reason] : cases) {
    const std::string refused = Refused("POST", "faults", rule);
    EXPECT_TRUE(refused.starts_with(std::string("400 BAD_REQUEST: ") + reason))
        << rule << ": " << refused;
  }
  EXPECT_TRUE(app.faults().entries().empty());
}

TEST_F(ControlTest, ConnectionsAreListedWithoutSecrets) {
  const auto alice = Login("alice", 600);
  alice->Call("SUBSCRIBE", "/users", R"({"ids":["bob","carol"]})");
  alice->Call("SUBSCRIBE", "/me/conversations/c/messages");
  TestClient bob(app, "bob");
  const std::string answer = Control("GET", "connections");
  EXPECT_EQ(answer.find(Token("alice", 600).substr(0, 20)), std::string::npos);
  const json::array list = Json("GET", "connections").at("connections").as_array();
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(json::serialize(list[0]), R"({"id":1,"user":"alice","client_id":"123","since":)" +
                                          std::to_string(clock.WallMillis()) +
                                          R"(,"logged_in":true,"subscriptions":3,"state":"open"})");
  EXPECT_FALSE(list[1].at("logged_in").as_bool());
}

TEST_F(ControlTest, ActionsReachTheConnectionsThatAreNamed) {
  const auto alice = Login("alice");
  const auto bob1 = Login("bob");
  const auto bob2 = Login("bob");
  const auto count = [&](const char* path, const char* body) {
    return Json("POST", path, body).at("connections").to_number<int>();
  };
  EXPECT_EQ(count("connections/expire", R"({"user":"b*"})"), 2);
  EXPECT_TRUE(alice->connection.logged_in());
  EXPECT_FALSE(bob1->connection.logged_in());
  EXPECT_EQ(count("connections/close", R"({"id":2,"code":4000,"reason":"x"})"), 1);
  EXPECT_EQ(bob1->end, "closed 4000 x");
  EXPECT_EQ(bob2->end, "");
  EXPECT_EQ(count("connections/stall", R"({"user":"alice","ms":60000})"), 1);
  EXPECT_EQ(alice->connection.state(), "stalled");
  EXPECT_EQ(count("connections/resume", R"({"all":true})"), 3);
  EXPECT_EQ(alice->connection.state(), "open");
  EXPECT_EQ(count("connections/half-open", R"({"user":"alice"})"), 1);
  EXPECT_EQ(alice->connection.state(), "half_open");
  bob2->Take();
  EXPECT_EQ(count("connections/restart", R"({"user":"bob","ms":60000})"), 2);
  EXPECT_EQ(bob2->Take().size(), 1u);
  EXPECT_EQ(count("connections/drop", R"({"user":"alice","reset":true})"), 1);
  EXPECT_EQ(alice->end, "reset");
  EXPECT_EQ(count("connections/drop", R"({"user":"nobody"})"), 0);
}

TEST_F(ControlTest, ConnectionsMustBeNamedOneWay) {
  const auto alice = Login("alice");
  for (const char* body : {"{}", R"({"all":false})", R"({"all":true,"user":"alice"})"}) {
    EXPECT_TRUE(Refused("POST", "connections/drop", body)
                    .starts_with("400 BAD_REQUEST: name the connections"))
        << body;
  }
  EXPECT_TRUE(
      Refused("POST", "connections/drop", R"({"id":99})").starts_with("404 CONNECTION_NOT_FOUND"));
  EXPECT_TRUE(Refused("POST", "connections/resume", R"({"all":true,"ms":1})")
                  .starts_with("400 BAD_REQUEST: unknown property: ms"));
  EXPECT_EQ(alice->end, "");
}

TEST_F(ControlTest, TheClockExpiresTokensAndTyping) {
  const auto alice = Login("alice", 600);
  const auto bob = Login("bob", 3600);
  bob->Call("PUT", "/conversations/c");
  bob->Call("POST", "/conversations/c/participants",
            R"({"actions":[{"id":"bob","method":"PUT","params":{}},)"
            R"({"id":"alice","method":"PUT","params":{}}]})");
  bob->Call("SUBSCRIBE", "/me/conversations/c/typing");
  alice->Call("POST", "/me/conversations/c/typing");
  bob->Take();
  alice->Take();
  const UnixMillis start = app.clock().WallMillis();
  EXPECT_EQ(Json("POST", "clock", R"({"advance_ms":700000})").at("now").to_number<int64_t>(),
            start + 700000);
  // Each at its own time, the typing end long before the expiry.
  const std::vector<std::string> typing = bob->Take();
  ASSERT_EQ(typing.size(), 1u);
  EXPECT_NE(typing[0].find(R"("usersTyping":{"alice":null})"), std::string::npos);
  EXPECT_EQ(alice->Take().back(), R"([1,"PUBLISH",{"type":"session.expired"}])");
  EXPECT_FALSE(alice->connection.logged_in());
  EXPECT_TRUE(bob->connection.logged_in());
  EXPECT_EQ(Json("GET", "clock").at("ahead_ms").to_number<int64_t>(), 700000);
}

TEST_F(ControlTest, TheClockFreezesAndNeverGoesBack) {
  EXPECT_TRUE(Json("POST", "clock", R"({"freeze":true})").at("frozen").as_bool());
  const int64_t now = Json("GET", "clock").at("now").to_number<int64_t>();
  clock.Advance(std::chrono::seconds(5));
  EXPECT_EQ(Json("GET", "clock").at("now").to_number<int64_t>(), now);
  EXPECT_EQ(Json("POST", "clock", R"({"advance_ms":10})").at("now").to_number<int64_t>(), now + 10);
  EXPECT_FALSE(Json("POST", "clock", R"({"freeze":false})").at("frozen").as_bool());
  EXPECT_EQ(Json("GET", "clock").at("now").to_number<int64_t>(), now + 10);
  EXPECT_TRUE(Refused("POST", "clock", R"({"advance_ms":-1})")
                  .starts_with("400 BAD_REQUEST: advance_ms: must be a whole number from 0"));
  EXPECT_TRUE(Refused("POST", "clock", R"({"advance_ms":1e18})").starts_with("400 BAD_REQUEST"));
  EXPECT_TRUE(Refused("POST", "clock", "{}").starts_with("400 BAD_REQUEST: give advance_ms"));
}

}  // namespace
}  // namespace talkjsd::emulator
