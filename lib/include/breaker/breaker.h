#ifndef BREAKER_BREAKER_H
#define BREAKER_BREAKER_H

/** Everything of libbreaker: tokens, views, releases, classification. No HTTP server in it. */
#include <breaker/classify.h>
#include <breaker/error.h>
#include <breaker/figures.h>
#include <breaker/holding.h>
#include <breaker/http/conditional.h>
#include <breaker/http/encoding.h>
#include <breaker/http/percent.h>
#include <breaker/http/range.h>
#include <breaker/http/substitute.h>
#include <breaker/ledger.h>
#include <breaker/log.h>
#include <breaker/network.h>
#include <breaker/node.h>
#include <breaker/peer.h>
#include <breaker/peer_answer.h>
#include <breaker/release.h>
#include <breaker/release_id.h>
#include <breaker/snapshot.h>
#include <breaker/store.h>
#include <breaker/token.h>
#include <breaker/url.h>
#include <breaker/version.h>
#include <breaker/view.h>

#endif
