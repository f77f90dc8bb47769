// Tokens from a file that somebody else keeps fresh.
#ifndef TALKJSD_UPSTREAM_FILE_TOKEN_SOURCE_H_
#define TALKJSD_UPSTREAM_FILE_TOKEN_SOURCE_H_

#include <memory>

#include "daemon/net/event_loop.h"
#include "daemon/upstream/token_fetcher.h"
#include "daemon/upstream/token_files.h"
#include "daemon/upstream/token_source.h"

namespace talkjsd::upstream {

// Gives what is in the file; a token that it has given is not given for a renewal, and not after
// TalkJS refused it. `news` when the file holds another token than the one given last. A file that
// cannot serve is TokenResult::kTrouble. `files` outlives the source.
std::unique_ptr<TokenSource> MakeFileTokenSource(FileFetcher fetcher, TokenOwner owner,
                                                 TokenFiles& files, net::EventLoop& loop,
                                                 TokenSource::News news);

}  // namespace talkjsd::upstream

#endif  // TALKJSD_UPSTREAM_FILE_TOKEN_SOURCE_H_
