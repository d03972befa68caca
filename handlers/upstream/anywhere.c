/*
 * libh2o gives a request that was handed on to another server to its own client. A program that
 * stands in front of that call (bin/http/reproxy.c) sends it the way of all others.
 */
#include "upstream/anywhere.h"
#include "upstream/exchange.h"

void breaker__anywhere_answer(breaker__agent_t *agent, h2o_req_t *req)
{
    h2o_iovec_t host;
    uint16_t port;

    if (h2o_url_parse_hostport(req->authority.base, req->authority.len, &host, &port) == NULL) {
        h2o_req_log_error(req, "upstream", "no host in the URL that the request was handed on to");
        h2o_send_error_502(req, "Bad Gateway", "bad gateway", 0);
        return;
    }
    breaker__exchange_begin(agent, req, req->path, req->authority, h2o_iovec_init(NULL, 0));
}
