// Secrets from where other users of the machine cannot see them: files, standard input, the
// environment. Never from the command line.
#ifndef TALKJSD_TALKJSCTL_SECRET_INPUT_H_
#define TALKJSD_TALKJSCTL_SECRET_INPUT_H_

#include <string>

#include "client/talkjsctl/commands.h"

namespace talkjsd::talkjsctl {

// Reads a file, or standard input for "-", of at most 64 KiB. Returns an empty string, or the
// complaint for a person.
std::string ReadInput(const std::string& path, std::string* content);

// One secret: of the file that an option names, or without one of the environment's variable. White
// space around it is removed; it must not be empty. Returns as ReadInput.
std::string ReadSecret(const char* option, const std::string& path, const char* variable,
                       std::string* secret);

// Puts the credentials that the options name into `request`: the given file; without one the
// environment's TALKJSD_TOKEN, TALKJS_SECRET_KEY or TALKJSD_SIGNATURE; without these none. Where
// tokens are to be fetched from the environment does not count. White space around a secret is
// removed. Returns an empty string, or the complaint for a person, which
// never quotes a secret.
std::string AddCredentials(const SessionCreateOptions& options, v1::CreateSessionRequest* request);

}  // namespace talkjsd::talkjsctl

#endif  // TALKJSD_TALKJSCTL_SECRET_INPUT_H_
