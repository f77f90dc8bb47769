// Where the API is offered, who may do what there, and how much.
#ifndef TALKJSD_API_ACCESS_LISTENER_OPTIONS_H_
#define TALKJSD_API_ACCESS_LISTENER_OPTIONS_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "daemon/base/clock.h"

namespace talkjsd::api {

// Whom it admits, and to what. Whom: everybody who matches one of the four lists; all of them empty
// = everybody whom the listener authenticates.
struct Policy {
  std::string name;  // unique within the listener
  // Unix sockets: names or numbers; of groups the peer's primary one counts.
  std::vector<std::string> uids;
  std::vector<std::string> gids;
  // Client certificates: subject alternative names; '*' stands for any characters but '/' and '.'.
  std::vector<std::string> sans;
  std::vector<std::string> bearers;  // names of bearer tokens

  // Whose sessions; empty = all.
  std::vector<std::string> apps;
  std::vector<std::string> users;
  bool read_only = false;        // only what changes nothing, neither here nor at TalkJS
  bool create_sessions = false;  // create, give a user to, and destroy sessions
  bool supply_tokens = false;    // SetToken, ProvideTokens
  bool admin = false;            // everything, whatever `apps` and `users` say
};

// PEM files; they are read again when they change.
struct TlsFiles {
  std::string certificate_file;
  std::string key_file;        // must not be readable by others
  std::string client_ca_file;  // set: clients must present a certificate of it
};

struct ListenerOptions {
  // "unix:///absolute/path", or "host:port" with an IP address or "localhost"; port 0 picks one.
  std::string address;

  // Unix sockets.
  mode_t mode = 0660;
  std::string group;  // name or number; empty: talkjsd where it exists, else the daemon's own

  // TCP. Without a certificate_file there is no TLS, which must be a loopback address and allowed.
  TlsFiles tls;
  std::string bearer_tokens_file;  // "name:token" a line
  bool plaintext_on_loopback = false;

  // The first that admits a peer holds. Empty: everybody may do everything, on Unix sockets only.
  std::vector<Policy> policies;
};

// Beyond these: RESOURCE_EXHAUSTED with RetryInfo.
struct Limits {
  int sessions = 10'000;  // told by GetInfo; the registry counts
  // Streams open at once; one peer has at most four fifths of them.
  size_t streams = 10'000;
  // That one peer opens in a second, on average over 10 s.
  int streams_opened_per_second = 100;
  // Connections that have spoken, over all listeners.
  size_t connections = 1000;
  int64_t request_bytes = 4 << 20;
  // How long a connection may take to begin to speak, TLS handshake included.
  Duration idle_handshake = std::chrono::seconds(20);
  // Resident memory: from 80 % on new streams are refused, from 90 % on new sessions, too. 0 =
  // none.
  int64_t memory_bytes = 0;
};

}  // namespace talkjsd::api

#endif  // TALKJSD_API_ACCESS_LISTENER_OPTIONS_H_
