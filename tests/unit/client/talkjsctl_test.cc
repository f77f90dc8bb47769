// The program itself, run against a fake daemon.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <future>
#include <sstream>

#include "fake_daemon.h"

namespace talkjsd::client {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

struct Outcome {
  int exit_code = -1;
  std::string out;
  std::string err;
};

class TalkjsctlTest : public ::testing::Test {
 protected:
  pid_t Start(std::vector<std::string> arguments, const std::string& input = "") {
    std::ofstream(dir_.File("in")) << input;
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    const int create = O_WRONLY | O_CREAT | O_TRUNC;
    posix_spawn_file_actions_addopen(&files, 0, dir_.File("in").c_str(), O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, dir_.File("out").c_str(), create, 0600);
    posix_spawn_file_actions_addopen(&files, 2, dir_.File("err").c_str(), create, 0600);
    // Test runners may ignore SIGINT, and that would be inherited.
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    posix_spawnattr_setsigdefault(&attributes, &signals);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);

    arguments.insert(arguments.begin(), "talkjsctl");
    std::vector<std::string> environment = environment_;
    environment.push_back("TALKJSD_ADDRESS=" + daemon_.address());
    for (const char* name : {"ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"}) {
      const char* value = std::getenv(name);
      if (value != nullptr) environment.push_back(std::string(name) + "=" + value);
    }
    pid_t pid = -1;
    EXPECT_EQ(posix_spawn(&pid, TALKJSCTL_PATH, &files, &attributes, Pointers(&arguments).data(),
                          Pointers(&environment).data()),
              0);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return pid;
  }

  Outcome Wait(pid_t pid) {
    int status = 0;
    waitpid(pid, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status), Read("out"),
            Read("err")};
  }

  Outcome Run(std::vector<std::string> arguments, const std::string& input = "") {
    return Wait(Start(std::move(arguments), input));
  }

  std::string Read(const std::string& name) {
    std::ostringstream content;
    content << std::ifstream(dir_.File(name)).rdbuf();
    return content.str();
  }

  static std::vector<char*> Pointers(std::vector<std::string>* texts) {
    std::vector<char*> pointers;
    for (std::string& text : *texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
  }

  TempDir dir_;
  FakeDaemon daemon_;
  std::vector<std::string> environment_;
};

pb::StreamMessagesResponse TwoMessages() {
  pb::StreamMessagesResponse response;
  response.mutable_opened()->set_cursor(std::string(17, 'x'));
  for (const char* text : {"first\x1b[2J", "second"}) {
    pb::MessageEvent* event = response.add_events();
    event->set_cursor(std::string(17, 'y'));
    event->mutable_sent()->set_body(text);
    event->mutable_sent()->set_sender_id("bob");
    event->mutable_sent()->mutable_conversation()->set_id("chat");
  }
  return response;
}

TEST_F(TalkjsctlTest, VersionAndHelpExitWithZero) {
  EXPECT_EQ(Run({"--version"}).out, "talkjsctl 0.1.0\n");
  const Outcome help = Run({"messages", "--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.out, HasSubstr("--from-cursor"));
}

TEST_F(TalkjsctlTest, ArgumentsThatMakeNoSenseAreOneLineAndExitTwo) {
  const std::vector<std::vector<std::string>> calls = {
      {},
      {"no-such-command"},
      {"messages"},
      {"messages", "--session", "s", "--all"},
      {"messages", "--all", "--earliest", "--from-cursor", "00"},
      {"messages", "--all", "--from-cursor", "00"},
      {"messages", "--all", "--kinds", "sent,eaten"},
      {"session", "create", "--app-id", "demo", "--user", "a", "--role", "r"},
      {"session", "create", "--app-id", "demo", "--token-file", "/nonexistent"},
      {"session", "create", "--app-id", "demo", "--token", "secret"},
      {"session", "create", "--app-id", "demo", "--push-provider", "fcm"},
      {"session", "create", "--app-id", "demo", "--enable-push", "--disable-push"},
      {"send", "--session", "s", "--conversation", "c"},
      {"send", "--session", "s", "--conversation", "c", "hi", "--file-token", "t"},
      {"send", "--session", "s", "--conversation", "c", "hi", "--custom", "no-value"},
      {"send", "--session", "s", "--conversation", "c", "--location", "1"},
      {"user", "get", "--session", "s", "u", "--role", "r"},
      {"user", "get", "--session", "s"},
      {"conversation", "create", "--session", "s", "c", "--access", "read"},
      {"conversation", "create", "--session", "s", "c", "--participant", "b", "--access", "write"},
      {"conversation", "list", "--session", "s", "--filter", "{]"},
      {"conversation", "list", "--session", "s", "--limit", "0"},
      {"message", "list", "--session", "s"},
      {"push", "set", "--session", "s", "--provider", "fcm"},
      {"push", "unset", "--session", "s", "--registration-id-file", "-"},
      {"push", "set", "--session", "s", "--provider", "fcm", "--registration-id-file", "-"},
      {"one-on-one-id", "a"},
      {"--timeout", "x", "status"}};
  for (const auto& call : calls) {
    const Outcome outcome = Run(call);
    EXPECT_EQ(outcome.exit_code, 2) << ::testing::PrintToString(call);
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, StartsWith("talkjsctl: "));
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  }
}

TEST_F(TalkjsctlTest, ARefusalIsOneLineWithItsReasonAndExitOne) {
  daemon_.get_session = [](const auto&, auto*) {
    return DaemonError(grpc::StatusCode::NOT_FOUND, "SESSION_NOT_FOUND",
                       "no session\nx: create it");
  };
  const Outcome outcome = Run({"session", "show", "x"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.err,
            "talkjsctl: cannot show the session (SESSION_NOT_FOUND): no session\\nx: create it\n");
}

TEST_F(TalkjsctlTest, NoDaemonIsExitThree) {
  const Outcome outcome = Run({"status", "--address", dir_.File("none.sock"), "--timeout", "0.1"});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("no such socket"));
}

TEST_F(TalkjsctlTest, StatusIsATableOrOneLineOfJson) {
  daemon_.get_info = [](const auto&, auto* response) {
    response->set_version("1.2.3");
    return grpc::Status::OK;
  };
  const Outcome table = Run({"status"});
  EXPECT_EQ(table.exit_code, 0) << table.err;
  EXPECT_THAT(table.out, HasSubstr("version   1.2.3\n"));
  const Outcome json = Run({"status", "--json"});
  EXPECT_THAT(json.out, HasSubstr("\"version\":\"1.2.3\""));
  EXPECT_EQ(std::count(json.out.begin(), json.out.end(), '\n'), 1);
}

TEST_F(TalkjsctlTest, HealthSaysWhetherADaemonOrAServiceServes) {
  const Outcome serving = Run({"health"});
  EXPECT_EQ(serving.exit_code, 0) << serving.err;
  EXPECT_EQ(serving.out, "SERVING\n");
  EXPECT_EQ(Run({"health", "--json"}).out, "{\"status\":\"SERVING\"}\n");

  daemon_.SetHealth("one.Service", false);
  const Outcome draining = Run({"health", "--service", "one.Service"});
  EXPECT_EQ(draining.exit_code, 1);
  EXPECT_EQ(draining.out, "NOT_SERVING\n");
  EXPECT_EQ(Run({"health"}).exit_code, 0);

  const Outcome unknown = Run({"health", "--service", "no.Service"});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("NOT_FOUND"));

  daemon_.Stop();
  const Outcome gone = Run({"health", "--timeout", "0.2"});
  EXPECT_EQ(gone.exit_code, 3);
  EXPECT_EQ(gone.out, "");
}

TEST_F(TalkjsctlTest, SecretsComeFromFileStandardInputOrEnvironment) {
  std::vector<pb::CreateSessionRequest> requests;
  daemon_.create_session = [&](const auto& request, auto* response) {
    requests.push_back(request);
    response->mutable_session()->set_session_id("s-1");
    response->set_created(true);
    return grpc::Status::OK;
  };
  std::ofstream(dir_.File("key")) << "sk_file\n";
  const std::vector<std::string> create = {"session", "create", "--app-id", "demo",
                                           "--user",  "alice",  "--name",   "Alice"};
  const auto with = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all = create;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  EXPECT_EQ(Run(with({"--secret-key-file", dir_.File("key")})).exit_code, 0);
  EXPECT_EQ(Run(with({"--token-file", "-"}), " jwt_stdin\n").exit_code, 0);
  environment_ = {"TALKJSD_TOKEN=jwt_environment"};
  EXPECT_EQ(Run(create).exit_code, 0);
  EXPECT_EQ(Run(with({"--no-credentials"})).exit_code, 0);
  EXPECT_EQ(Run(with({"--token-file", "-"}), " \n").exit_code, 2);
  environment_.push_back("TALKJS_SECRET_KEY=sk_environment");
  const Outcome both = Run(create);
  EXPECT_EQ(both.exit_code, 2);
  EXPECT_EQ(both.err.find("_environment"), std::string::npos) << both.err;

  ASSERT_EQ(requests.size(), 4u);
  EXPECT_EQ(requests[0].signing_key().secret_key(), "sk_file");
  EXPECT_EQ(requests[0].user().id(), "alice");
  EXPECT_EQ(requests[0].user().name(), "Alice");
  EXPECT_EQ(requests[1].token(), "jwt_stdin");
  EXPECT_EQ(requests[2].token(), "jwt_environment");
  EXPECT_EQ(requests[3].credentials_case(), pb::CreateSessionRequest::CREDENTIALS_NOT_SET);
}

TEST_F(TalkjsctlTest, CreateCanWaitUntilTheSessionIsConnectedOrStuck) {
  daemon_.create_session = [&](const auto&, auto* response) {
    response->mutable_session()->set_session_id("s-1");
    response->mutable_session()->set_state(pb::SESSION_STATE_CONNECTING);
    return grpc::Status::OK;
  };
  pb::SessionState next = pb::SESSION_STATE_CONNECTED;
  daemon_.watch_sessions = [&](grpc::ServerContext* context, const auto& request, auto* writer) {
    pb::WatchSessionsResponse response;
    pb::Session* session = response.add_sessions();
    session->set_session_id(request.session_ids(0));
    session->set_state(next);
    if (next == pb::SESSION_STATE_FAILED) session->set_reason(pb::ERROR_REASON_APP_NOT_FOUND);
    writer->Write(response);
    return FakeDaemon::HoldOpen(context);
  };
  const std::vector<std::string> create = {"session", "create", "--app-id",
                                           "demo",    "--wait", "--json"};
  const Outcome connected = Run(create);
  EXPECT_EQ(connected.exit_code, 0) << connected.err;
  EXPECT_THAT(connected.out, HasSubstr("SESSION_STATE_CONNECTED"));
  next = pb::SESSION_STATE_FAILED;
  const Outcome failed = Run(create);
  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_THAT(failed.err, HasSubstr("(APP_NOT_FOUND)"));
  next = pb::SESSION_STATE_CONNECTING;
  const Outcome slow = Run({"session", "create", "--app-id", "demo", "--wait", "--timeout", "0.2"});
  EXPECT_EQ(slow.exit_code, 1);
  EXPECT_THAT(slow.err, HasSubstr("s-1 is CONNECTING"));
}

TEST_F(TalkjsctlTest, ASessionCanBeNamedByAppAndUser) {
  daemon_.list_sessions = [](const auto& request, auto* response) {
    if (request.app_id() == "demo" && request.user_id() == "a/b") {
      response->add_sessions()->set_session_id("s-7");
    }
    return grpc::Status::OK;
  };
  std::string sent;
  daemon_.send_message = [&](const auto& request, auto* response) {
    sent = request.session_id() + ":" + request.conversation_id() + ":" + request.text();
    response->set_message_id("m-1");
    return grpc::Status::OK;
  };
  const Outcome outcome =
      Run({"send", "--session", "demo/a/b", "--conversation", "chat", "-"}, "hello\n");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "sent m-1\n");
  EXPECT_EQ(sent, "s-7:chat:hello");
  const Outcome unknown = Run({"send", "--session", "demo/c", "--conversation", "chat", "hi"});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("(SESSION_NOT_FOUND)"));
}

TEST_F(TalkjsctlTest, MessagesAreEscapedRowsOrLinesOfJsonAndCountEndsThem) {
  daemon_.stream_messages = [](grpc::ServerContext* context, const auto&, auto* writer) {
    writer->Write(TwoMessages());
    return FakeDaemon::HoldOpen(context);
  };
  const Outcome table = Run({"messages", "--session", "s-1", "--count", "2"});
  EXPECT_EQ(table.exit_code, 0) << table.err;
  EXPECT_THAT(table.out, StartsWith("TIME "));
  EXPECT_THAT(table.out, HasSubstr("first\\x1b[2J\n"));
  EXPECT_THAT(table.out, HasSubstr("second\n"));
  EXPECT_EQ(table.out.find('\x1b'), std::string::npos);
  const Outcome json = Run({"messages", "--all", "--count", "1", "--json"});
  EXPECT_EQ(std::count(json.out.begin(), json.out.end(), '\n'), 1);
  EXPECT_THAT(json.out, HasSubstr("\"sender_id\":\"bob\""));
}

TEST_F(TalkjsctlTest, WithASubscriptionWhatWasPrintedIsAcknowledged) {
  pb::StreamMessagesRequest asked;
  daemon_.stream_messages = [&](grpc::ServerContext* context, const auto& request, auto* writer) {
    asked = request;
    pb::StreamMessagesResponse response;
    response.mutable_opened()->set_cursor(std::string(17, 'o'));
    response.mutable_opened()->set_stream_id("str_1");
    writer->Write(response);
    response = TwoMessages();
    response.clear_opened();
    for (int i = 0; i < 2; ++i) {
      response.mutable_events(i)->set_cursor(std::string(17, static_cast<char>('a' + i)));
    }
    writer->Write(response);
    return FakeDaemon::HoldOpen(context);
  };
  std::vector<pb::AcknowledgeRequest> acknowledged;
  daemon_.acknowledge = [&](const auto& request, auto*) {
    acknowledged.push_back(request);
    return grpc::Status::OK;
  };
  const Outcome outcome =
      Run({"messages", "--all", "--subscription", "crm", "--takeover", "--count", "2"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  EXPECT_EQ(asked.subscription().name(), "crm");
  EXPECT_TRUE(asked.subscription().takeover());
  ASSERT_FALSE(acknowledged.empty());
  EXPECT_EQ(acknowledged.back().name(), "crm");
  EXPECT_EQ(acknowledged.back().stream_id(), "str_1");
  EXPECT_EQ(acknowledged.back().cursor(), std::string(17, 'b'));
  EXPECT_EQ(Run({"messages", "--all", "--takeover"}).exit_code, 2);
}

TEST_F(TalkjsctlTest, SubscriptionsAreListedOverPagesAndDeleted) {
  daemon_.list_subscriptions = [](const auto& request, auto* response) {
    pb::Subscription* subscription = response->add_subscriptions();
    subscription->set_acknowledged_cursor(std::string(17, '\1'));
    if (request.page_token().empty()) {
      subscription->set_name("alerts");
      subscription->set_stream_id("str_1");
      response->set_next_page_token("more");
    } else {
      subscription->set_name("crm");
      subscription->add_session_ids("s-1");
    }
    return grpc::Status::OK;
  };
  const Outcome table = Run({"subscription", "list"});
  EXPECT_EQ(table.exit_code, 0) << table.err;
  EXPECT_THAT(table.out, StartsWith("NAME "));
  EXPECT_THAT(table.out, HasSubstr("\nalerts  yes "));
  EXPECT_THAT(table.out, HasSubstr("\ncrm     no "));
  EXPECT_THAT(table.out, HasSubstr("  s-1\n"));
  const Outcome json = Run({"subscription", "list", "--json"});
  EXPECT_EQ(std::count(json.out.begin(), json.out.end(), '\n'), 2);

  std::string deleted;
  daemon_.delete_subscription = [&](const auto& request, auto*) {
    deleted = request.name();
    return deleted == "crm"
               ? grpc::Status::OK
               : DaemonError(grpc::StatusCode::NOT_FOUND, "SUBSCRIPTION_NOT_FOUND", "no such");
  };
  EXPECT_EQ(Run({"subscription", "delete", "crm"}).exit_code, 0);
  EXPECT_EQ(deleted, "crm");
  const Outcome unknown = Run({"subscription", "delete", "other"});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("(SUBSCRIPTION_NOT_FOUND)"));
}

TEST_F(TalkjsctlTest, ASignalEndsAStreamWithExitZero) {
  for (const int signal : {SIGINT, SIGTERM}) {
    std::promise<void> open;
    daemon_.stream_messages = [&](grpc::ServerContext* context, const auto&, auto* writer) {
      pb::StreamMessagesResponse response;
      response.mutable_opened()->set_cursor(std::string(17, 'x'));
      writer->Write(response);
      open.set_value();
      return FakeDaemon::HoldOpen(context);
    };
    const pid_t pid = Start({"messages", "--all"});
    open.get_future().wait();
    kill(pid, signal);
    const Outcome outcome = Wait(pid);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  }
}

TEST_F(TalkjsctlTest, AStreamThatTheDaemonEndsIsExitOne) {
  daemon_.stream_unreads = [](grpc::ServerContext*, const auto&, auto*) {
    return DaemonError(grpc::StatusCode::UNAVAILABLE, "DRAINING", "reconnect later");
  };
  const Outcome outcome = Run({"unreads", "--all", "--no-reconnect"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.err, "talkjsctl: the stream ended (DRAINING): reconnect later\n");
}

TEST_F(TalkjsctlTest, OneOnOneIdsNeedNoDaemon) {
  const Outcome outcome =
      Run({"one-on-one-id", "bob", "alice", "--address", dir_.File("none.sock")});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "4714b845b86fbe0ed913\n");
}

TEST_F(TalkjsctlTest, MessagesMayBePlacesOrFilesAndHaveCustomData) {
  std::vector<pb::SendMessageRequest> requests;
  daemon_.send_message = [&](const auto& request, auto* response) {
    requests.push_back(request);
    response->set_message_id("m-1");
    return grpc::Status::OK;
  };
  const std::vector<std::string> send = {"message", "send",           "--session",
                                         "s",       "--conversation", "c"};
  const auto with = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all = send;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  EXPECT_EQ(Run(with({"--location", "51.5,-3.25"})).exit_code, 0);
  EXPECT_EQ(Run(with({"--file-token", "tok"})).exit_code, 0);
  EXPECT_EQ(Run(with({"hi", "--custom", "k=a=b", "--custom", "empty="})).exit_code, 0);
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[0].location().latitude(), 51.5);
  EXPECT_EQ(requests[0].location().longitude(), -3.25);
  EXPECT_EQ(requests[1].file_token(), "tok");
  EXPECT_EQ(requests[2].text(), "hi");
  EXPECT_EQ(requests[2].custom().at("k"), "a=b");
  EXPECT_EQ(requests[2].custom().at("empty"), "");
}

TEST_F(TalkjsctlTest, CreateTakesEverythingAboutTheUserAndItsDevice) {
  pb::CreateSessionRequest got;
  daemon_.create_session = [&](const auto& request, auto* response) {
    got = request;
    response->mutable_session()->set_session_id("s-1");
    return grpc::Status::OK;
  };
  const Outcome outcome =
      Run({"session",         "create", "--app-id",        "demo",  "--user",         "a",
           "--name",          "A",      "--photo-url",     "",      "--email",        "a@x",
           "--email",         "b@x",    "--null",          "phone", "--custom",       "k=v",
           "--delete-custom", "old",    "--push-provider", "apns",  "--push-id-file", "-",
           "--enable-push"},
          " device-token\n");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_TRUE(got.user().has_photo_url());
  EXPECT_EQ(got.user().photo_url(), "");
  EXPECT_FALSE(got.user().has_role());
  EXPECT_EQ(got.user().email().values_size(), 2);
  EXPECT_EQ(got.user().null_fields(0), "phone");
  EXPECT_EQ(got.user().custom().values().at("k"), "v");
  EXPECT_EQ(got.user().custom().deleted_keys(0), "old");
  EXPECT_EQ(got.device_token().provider(), pb::PUSH_PROVIDER_APNS);
  EXPECT_EQ(got.device_token().push_registration_id(), "device-token");
  EXPECT_TRUE(got.enable_push_notifications());
}

TEST_F(TalkjsctlTest, FetchersAreSetAsTheOptionsSay) {
  pb::CreateSessionRequest seen;
  daemon_.create_session = [&](const auto& request, auto* response) {
    seen = request;
    response->mutable_session()->set_session_id("s-1");
    return grpc::Status::OK;
  };
  environment_ = {"TALKJSD_TOKEN=from-the-environment"};
  const std::vector<std::string> create = {"session", "create", "--app-id", "demo", "--user", "a"};
  const auto with = [&](std::vector<std::string> more, const std::string& input = "") {
    more.insert(more.begin(), create.begin(), create.end());
    return Run(more, input);
  };
  EXPECT_EQ(with({"--token-url", "https://x/t", "--token-url-method", "GET", "--token-url-field",
                  "a.b", "--token-url-timeout", "2.5", "--token-url-header-file", "-"},
                 "X-One: 1\n\nAuthorization:  Bearer a:b \n")
                .exit_code,
            0);
  const pb::HttpTokenSource& http = seen.token_fetcher().http();
  EXPECT_EQ(http.url(), "https://x/t");
  EXPECT_EQ(http.method(), "GET");
  EXPECT_EQ(http.token_field(), "a.b");
  EXPECT_EQ(http.timeout().seconds(), 2);
  EXPECT_EQ(http.timeout().nanos(), 500'000'000);
  EXPECT_EQ(http.headers().at("X-One"), "1");
  EXPECT_EQ(http.headers().at("Authorization"), "Bearer a:b");
  EXPECT_FALSE(seen.token_fetcher().has_initial_token());
  EXPECT_EQ(
      with({"--watch-token-file", "/run/t", "--initial-token-file", "-"}, "first\n").exit_code, 0);
  EXPECT_EQ(seen.token_fetcher().file().path(), "/run/t");
  EXPECT_EQ(seen.token_fetcher().initial_token(), "first");
  EXPECT_EQ(with({"--token-provider", ""}).exit_code, 0);
  EXPECT_TRUE(seen.token_fetcher().has_provider());
  EXPECT_EQ(with({}).exit_code, 0);
  EXPECT_EQ(seen.token(), "from-the-environment");

  for (const std::vector<std::string>& wrong : std::vector<std::vector<std::string>>{
           {"--token-url", "https://x", "--watch-token-file", "/t"},
           {"--token-url", "https://x", "--token-file", "-"},
           {"--token-url-field", "x"},
           {"--watch-token-file", "/t", "--token-url-method", "GET"},
           {"--initial-token-file", "-"}}) {
    const Outcome outcome = with(wrong, "canary-1");
    EXPECT_EQ(outcome.exit_code, 2) << wrong[0];
    EXPECT_THAT(outcome.err, Not(HasSubstr("canary")));
  }
  const Outcome headers =
      with({"--token-url", "https://x", "--token-url-header-file", "-"}, "canary-1 without colon");
  EXPECT_EQ(headers.exit_code, 2);
  EXPECT_THAT(headers.err, Not(HasSubstr("canary")));
}

TEST_F(TalkjsctlTest, AUserAndATokenAreSet) {
  pb::SetMeRequest me;
  daemon_.set_me = [&](const auto& request, auto* response) {
    me = request;
    response->mutable_session()->set_user_id("alice");
    response->add_warnings("no role");
    return grpc::Status::OK;
  };
  Outcome outcome = Run({"session", "set-me", "s-1", "--user", "alice", "--name", "Alice"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("alice"));
  EXPECT_THAT(outcome.err, HasSubstr("no role"));
  EXPECT_EQ(me.session_id(), "s-1");
  EXPECT_EQ(me.user().name(), "Alice");
  EXPECT_EQ(Run({"session", "set-me", "s-1", "--user", "bob"}).exit_code, 0);
  EXPECT_EQ(me.user_id(), "bob");
  EXPECT_EQ(Run({"session", "set-me", "s-1"}).exit_code, 2);

  pb::SetTokenRequest token;
  daemon_.set_token = [&](const auto& request, auto* response) {
    token = request;
    response->mutable_session()->set_session_id("s-1");
    return grpc::Status::OK;
  };
  outcome = Run({"session", "set-token", "s-1", "--token-file", "-"}, " a.b.c\n");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(token.token(), "a.b.c");
  EXPECT_EQ(Run({"session", "set-token", "s-1"}).exit_code, 2);
  environment_ = {"TALKJSD_TOKEN=d.e.f"};
  EXPECT_EQ(Run({"session", "set-token", "s-1"}).exit_code, 0);
  EXPECT_EQ(token.token(), "d.e.f");
}

TEST_F(TalkjsctlTest, ACommandProvidesTokens) {
  std::vector<pb::TokenAnswer> answers;
  daemon_.provide_tokens = [&](auto*, auto* stream) {
    pb::ProvideTokensRequest request;
    stream->Read(&request);
    EXPECT_EQ(request.registration().provider_name(), "backend");
    pb::ProvideTokensResponse response;
    response.mutable_registered();
    for (const char* user : {"alice", "fails", "silent", "slow"}) {
      pb::TokenQuery* query = response.add_queries();
      query->set_app_id("demo");
      query->set_user_id(user);
      query->set_cause(pb::TOKEN_QUERY_CAUSE_RENEWAL);
      const auto deadline = std::chrono::system_clock::now() + std::chrono::seconds(3);
      query->mutable_deadline_time()->set_seconds(
          std::chrono::duration_cast<std::chrono::seconds>(deadline.time_since_epoch()).count());
    }
    stream->Write(response);
    for (int i = 0; i < 4 && stream->Read(&request); ++i) answers.push_back(request.answer());
    return DaemonError(grpc::StatusCode::FAILED_PRECONDITION, "SESSION_DESTROYED", "it is over");
  };
  const std::string script =
      "case $TALKJS_USER_ID in alice) echo \" $TALKJS_APP_ID.$TALKJSD_TOKEN_CAUSE \";; "
      "fails) echo secret; exit 7;; silent) ;; slow) sleep 60;; esac";
  const Outcome outcome = Run({"token", "provide", "--name", "backend", "--", "sh", "-c", script});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("SESSION_DESTROYED"));
  EXPECT_THAT(outcome.out + outcome.err, Not(HasSubstr("secret")));
  ASSERT_EQ(answers.size(), 4u);
  EXPECT_EQ(answers[0].token(), "demo.RENEWAL");
  EXPECT_THAT(answers[1].failure(), HasSubstr("code 7"));
  EXPECT_THAT(answers[2].failure(), HasSubstr("no token"));
  EXPECT_THAT(answers[3].failure(), HasSubstr("in time"));
  EXPECT_EQ(Run({"token", "provide"}).exit_code, 2);
}

}  // namespace
}  // namespace talkjsd::client
