#ifndef BREAKER_H2O_H
#define BREAKER_H2O_H

#include <h2o.h>
#include <breaker/breaker.h>
#include <breaker/cluster.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The h2o side: handlers that answer by a node's snapshot. Two libraries are built from it,
 * libh2o-breaker for libh2o (libuv) and libh2o-breaker-evloop for libh2o-evloop. H2O_USE_LIBUV
 * changes the layout of libh2o's structs, so the flavour is part of the link target: the CMake
 * targets breaker::h2o and breaker::h2o-evloop and the pkg-config files define it.
 */

/**
 * Fills `*config` with the hooks that tie a node to libh2o: media types from h2o's map and prepared
 * header arrays. The map is the `data` of a view's configuration where that is set (an
 * `h2o_mimemap_t *`), else `globalconf->mimemap`; it is read while the node loads. `on_notice`
 * writes a line to stderr; set another one, and `notice_data`, afterwards if you like. Use it for
 * every node whose views h2o serves. `globalconf` outlives the node's threads
 * (`breaker_node_stop`).
 */
BREAKER_EXPORT void breaker_h2o_node_config_init(breaker_node_config_t *config,
                                                 h2o_globalconf_t *globalconf);

/**
 * Adds to a media type map what libh2o's own lacks and browsers insist on (mjs, wasm, woff2, avif,
 * webmanifest …), with one type, text/javascript, for scripts, and what is worth encoding. Other
 * types that the map already has stay; what is defined afterwards counts.
 */
BREAKER_EXPORT void breaker_h2o_add_types(h2o_mimemap_t *mimemap);

/**
 * Sets the limits of a server that faces the internet, where libh2o's defaults are lax: request
 * bodies (4,096 bytes: nobody uploads to static files, but raise it in front of an application),
 * delegations, handshake, request and idle timeouts, HTTP/2 streams and graceful shutdown. Call it
 * after `h2o_config_init` and override what you want afterwards.
 */
BREAKER_EXPORT void breaker_h2o_set_limits(h2o_globalconf_t *globalconf);

/**
 * Keeps glibc from handing a worker's memory back to the kernel after every batch of requests,
 * which costs the libuv flavour a third of its speed. Changes the whole process, so a program calls
 * it (once, before threads start), never a library.
 */
BREAKER_EXPORT void breaker_h2o_tune_allocator(void);

/**
 * Registers the handler that serves `views` at a path of h2o. The path must lead to them: "/" for
 * any, or a prefix of the names. Absolute-form targets come to it at "/"; at other paths with
 * `breaker_h2o_guard_register` at the host's "/" or `fallback_path` only. Requests outside the
 * views are declined and reach the next handler: views of several nodes at one path are registered
 * one node after the other. The node and its views outlive the h2o configuration; the node is
 * loaded before contexts are initialised. Returns 0 or a negative error. Configuring thread.
 */
BREAKER_EXPORT int breaker_h2o_static_register(h2o_pathconf_t *pathconf, breaker_node_t *node,
                                               const breaker_view_t *const *views,
                                               size_t num_views);

/** How many requests for a view were answered, by what they got. Plain value. */
typedef struct st_breaker_h2o_counters_t {
    /** 200 */
    uint64_t served;
    /** 206 */
    uint64_t partial;
    /** 304 */
    uint64_t not_modified;
    /** 301 to the current token, and 302 for a placeholder that nobody replaced */
    uint64_t redirected;
    /** 404 */
    uint64_t not_found;
    /** 503 with Retry-After */
    uint64_t retry_later;
    /** 400, 405, 406, 412, 414 and 416 */
    uint64_t refused;
    /** 204 to a browser that asks whether a page of another origin may ask */
    uint64_t preflights;
    /** waited for news of the cluster first; what they got then is counted above */
    uint64_t parked;
    /** waited for bytes, or the list of files, of a release that the node holds or was about to;
     * what they got then is counted above */
    uint64_t fetched;
    /** bytes of the bodies of all of them, as far as clients took them; encoded ones as they are
     * sent, heads and framing left out */
    uint64_t bytes;
} breaker_h2o_counters_t;

/**
 * Reads how many requests for a view were answered since the start, over all paths of `globalconf`
 * where it is registered and all threads, whether libh2o or the fast path wrote the answer. Each
 * thread counts for itself, without a lock; a call takes, for each handler, a lock that only
 * threads that begin or end take as well. Numbers never go back, but those of one call are not of
 * one moment. Any thread, from the end of the configuration until `h2o_config_dispose`; contexts
 * may begin and end meanwhile.
 */
BREAKER_EXPORT void breaker_h2o_counters(const h2o_globalconf_t *globalconf,
                                         const breaker_view_t *view,
                                         breaker_h2o_counters_t *ret_counters);

/** the most types beside text/html that are rewritten at a path */
#define BREAKER_H2O_REWRITE_TYPES_MAX 32

/** How pages are rewritten. Start from `breaker_h2o_rewrite_config_init`. Plain value. */
typedef struct st_breaker_h2o_rewrite_config_t {
    /**
     * What is rewritten beside text/html: media types without parameters, or names of several:
     * `xhtml`, `json` ("+json" as well), `xml` ("+xml" as well), `turbo-stream`, `event-stream`,
     * `webmanifest`, `css`, `js`. Copied.
     */
    const char *const *types;
    size_t num_types;
    /**
     * Whatever lets a cache keep a rewritten response without asking (max-age, s-maxage, Expires,
     * CDN-Cache-Control …) becomes `no-cache`. Default false: what an application says counts, and
     * only one that says nothing of caching gets `no-cache`.
     */
    bool revalidates;
    /** What came encoded leaves as gzip, where the client takes it. Default true. */
    bool encodes;
} breaker_h2o_rewrite_config_t;

/** Sets the defaults. */
BREAKER_EXPORT void breaker_h2o_rewrite_config_init(breaker_h2o_rewrite_config_t *config);

/**
 * Registers the rewriting of pages at a path of h2o: in text/html responses of the handlers there,
 * and in those of the types that `config` names, the literal "/static/{breaker}/" of every view of
 * the node becomes the current prefix (of several views of one name that of the path's host, which
 * are those that are registered there; where it has none, one that differs in its token from no
 * other's), "\/static\/{breaker}\/" and "/static/%7Bbreaker%7D/" as well; so do those in Link,
 * Location, Content-Location, Refresh and SourceMap of every response. ETag, Last-Modified and
 * Content-Length are mended, and handlers registered at the path see the request headers
 * X-Breaker-Token and X-Breaker-Prefix (see handlers/README.md). A response with
 * `Cache-Control: no-transform`, in UTF-16, or in an encoding that nobody here reads, is left as it
 * is. A response header X-Breaker-Release, which no client sees, names another release whose newest
 * token the page gets instead; what the ledger does not know is told to h2o's error log once. It
 * puts itself after the views and in front of every other handler of the path, whenever it is
 * registered. While the node has views but no token yet, the path answers 503. Several nodes may be
 * registered at one path, a node once; each is loaded before contexts are initialised. Returns 0,
 * or BREAKER_ERR_RANGE for a type that is none, or too many. Configuring thread.
 */
BREAKER_EXPORT int breaker_h2o_rewrite_register_config(h2o_pathconf_t *pathconf,
                                                       breaker_node_t *node,
                                                       const breaker_h2o_rewrite_config_t *config);

/** The same with the defaults. */
BREAKER_EXPORT int breaker_h2o_rewrite_register(h2o_pathconf_t *pathconf, breaker_node_t *node);

/**
 * Registers what stands between the views and the application at a path of h2o, or at the
 * `fallback_path` of a host: it leads requests to the host that they name, and ends those that two
 * servers could read differently with 400 (RFC 9112 §3.2, §6.3; RFC 9110 §7.2). libh2o 2.2.5
 * passes an absolute-form target on as it is, to the path "/" or, where a host has none, to its
 * `fallback_path`, takes the last of several Host fields, and passes over a host without a port
 * where one was sent. Views look to their own requests; to others nobody does where this is not
 * registered, so an embedder registers it last at every path and `fallback_path` where
 * applications answer. `breaker_h2o_register_configurator` does that by itself. Configuring
 * thread.
 */
BREAKER_EXPORT void breaker_h2o_guard_register(h2o_pathconf_t *pathconf);

/**
 * Registers what balancers and orchestrators ask at a host: below `path`, "/breaker" say, `/livez`,
 * which answers 200 as long as there is anybody to answer, and `/readyz`, which answers 200 when
 * the server may be sent requests and else 503 with the reason, one word: `no-token` before the
 * first snapshot of the node, `fetching` while it has not all that the others serve
 * (`breaker_node_readiness`), `draining` after `breaker_h2o_health_drain`. The two come in front of
 * whatever else is registered at the host from now on, without its filters and logs; all other
 * paths below `path` are left alone. Several nodes or paths may be registered. The node outlives
 * the h2o configuration. Returns 0, or BREAKER_ERR_RANGE for a path that is not of one or more
 * segments of a token's alphabet, each after a slash, at most 255 bytes. Configuring thread.
 */
BREAKER_EXPORT int breaker_h2o_health_register(h2o_hostconf_t *hostconf, const char *path,
                                               breaker_node_t *node);

/**
 * Has `/readyz` say no from now on, at every host: the server is going to stop. It goes on serving
 * until balancers have seen that, then closes its listeners. Any thread, until
 * `h2o_config_dispose`.
 */
BREAKER_EXPORT void breaker_h2o_health_drain(h2o_globalconf_t *globalconf);

/** the most addresses and networks that may look at the status */
#define BREAKER_H2O_STATUS_NETWORKS_MAX 64

/** Who may look at the status. Start from `breaker_h2o_status_config_init`. Plain value. */
typedef struct st_breaker_h2o_status_config_t {
    /**
     * Addresses that may look: "10.0.0.0/8", "::1", "unix" for sockets in the file system, "all".
     * None: loopback and such sockets, but not what a proxy there forwards (Forwarded, Via,
     * X-Forwarded-For, X-Real-IP); with a file of users, all. At most
     * BREAKER_H2O_STATUS_NETWORKS_MAX.
     */
    const char *const *allow;
    size_t num_allow;
    /**
     * The path of a file with lines NAME:HASH, as htpasswd(1) writes it, one of which has to be
     * said (RFC 7617), from whatever address; or NULL. Hashes are those of crypt(5): bcrypt of a
     * cost of 10 at most, SHA-256 and SHA-512 of 100,000 rounds at most; passwords have 72 bytes
     * at most. Read once.
     */
    const char *user_file;
} breaker_h2o_status_config_t;

/** Sets the defaults. */
BREAKER_EXPORT void breaker_h2o_status_config_init(breaker_h2o_status_config_t *config);

/**
 * Registers what operators and their programs ask, below a path of h2o, "/breaker" say: `/metrics`
 * in Prometheus' text format or in OpenMetrics, by Accept, `/json` (handlers/status/README.md has
 * its schema), `/livez` and `/readyz` as `breaker_h2o_health_register` answers them; 404 else.
 * Whoever may not look gets 403 from the wrong address, 401 without the right password, whatever
 * the path. It puts itself after the views and in front of every other handler of the path. The
 * views that it tells of are those of `node` at any path of the configuration. The node outlives
 * the configuration, and is loaded before contexts are initialised. Fails with BREAKER_ERR_RANGE,
 * _TOO_MANY and _IO for a configuration that cannot be used, with a story in `error`. Configuring
 * thread.
 */
BREAKER_EXPORT int breaker_h2o_status_register(h2o_pathconf_t *pathconf, breaker_node_t *node,
                                               const breaker_h2o_status_config_t *config,
                                               breaker_error_t *error);

/** What only the program around the handlers knows. Plain value. */
typedef struct st_breaker_h2o_process_t {
    /** connections that are open, that may be at once, and that were accepted since the start */
    uint64_t connections, max_connections, accepted;
    /** those that were closed for a flood of frames; 0 where nobody looks for floods */
    uint64_t floods;
} breaker_h2o_process_t;

/** Fills it in, within a request of a thread whose context is `ctx`; waits for nobody. */
typedef void (*breaker_h2o_process_cb)(void *data, h2o_context_t *ctx,
                                       breaker_h2o_process_t *ret_process);

/**
 * Has the status tell of the process as well, wherever it is registered by now. `data` outlives the
 * configuration. Configuring thread, before contexts are initialised.
 */
BREAKER_EXPORT void breaker_h2o_status_set_process(h2o_globalconf_t *globalconf,
                                                   breaker_h2o_process_cb read, void *data);

/**
 * Registers the directives `breaker.token`, `breaker.release`, `breaker.static`, `breaker.rewrite`,
 * `breaker.health`, `breaker.status`, `breaker.cluster` and `breaker.state-file` of h2o's
 * configuration language, to be applied by `h2o_configurator_apply`; call it after the
 * configurators of libh2o. `access-log` is from then on of `breaker_h2o_access_log_t`, and
 * `proxy.*`, with libh2o's names and some more, has a client on libcurl in the place of libh2o's,
 * which ends the process on some answers (RFC 9112; h2o-breaker.conf(5), "Applications"). What an
 * answer hands on with X-Reproxy-URL (`reproxy`) to another server is still of libh2o's client,
 * because only a program can stand in front of that. curl_global_init(3) is called; SIGPIPE is
 * ignored by the program. The node outlives the configuration.
 */
BREAKER_EXPORT void breaker_h2o_register_configurator(h2o_globalconf_t *globalconf,
                                                      breaker_node_t *node);

/**
 * What `breaker.cluster` said, after `h2o_configurator_apply`, or NULL where it was not there. Hand
 * it to `breaker_cluster_start` once the node is loaded; set a copy's callbacks and loop before.
 * Its texts live as long as `globalconf`.
 */
BREAKER_EXPORT const breaker_cluster_config_t *
breaker_h2o_cluster_config(h2o_globalconf_t *globalconf);

/**
 * Answers the other nodes of the node's cluster: what it holds, manifests and blobs, under
 * "/.well-known/h2o-breaker/" at every host of `globalconf`, to requests that are signed under the
 * cluster's key. Everybody else gets what the host has for any path that it does not know, byte for
 * byte: the handler stands in front of those of each path that could lead there, and declines. At
 * most BREAKER_H2O_PEER_BLOBS_MAX blobs are being sent at a time, over all threads; 503 beyond.
 * Call it once, after the hosts and paths are configured and before contexts are initialised; for
 * a node that is not in a cluster it does nothing. The node outlives the configuration. Returns 0
 * or a negative error. Configuring thread.
 */
BREAKER_EXPORT int breaker_h2o_peers_register(h2o_globalconf_t *globalconf, breaker_node_t *node);

/** the most blobs that a node sends to other nodes at a time */
#define BREAKER_H2O_PEER_BLOBS_MAX 8

/** An access log that is open, for the paths of one configuration. */
typedef struct st_breaker_h2o_access_log_t breaker_h2o_access_log_t;

/**
 * Opens an access log, as `h2o_access_log_open_handle` does: `path` is a file, for appending, or
 * "|command"; `format` is of h2o's language, NULL for the "combined" one; `escape` is
 * H2O_LOGCONF_ESCAPE_APACHE or _JSON. Its lines are those that libh2o would write, byte for byte;
 * but each thread gathers them, and writes many at a time: after 100 ms at most, and when its
 * context is disposed of. What a reader does not take in time, and what cannot be written, is lost:
 * serving never waits for it, and one line a minute on stderr says how many lines. The process
 * ignores SIGPIPE. Returns 0, BREAKER_ERR_RANGE for a format that is none, or BREAKER_ERR_IO.
 * Configuring thread.
 */
BREAKER_EXPORT int breaker_h2o_access_log_open(const char *path, const char *format, int escape,
                                               breaker_h2o_access_log_t **ret_log,
                                               breaker_error_t *error);

/** Has a log hear of all requests at a path, in its turn among the path's loggers. Before contexts
 * are initialised; configuring thread. */
BREAKER_EXPORT void breaker_h2o_access_log_register(h2o_pathconf_t *pathconf,
                                                    breaker_h2o_access_log_t *log);

/**
 * Lets go of a log; takes NULL. It is closed once the configuration is disposed of at whose paths
 * it is registered. Configuring thread.
 */
BREAKER_EXPORT void breaker_h2o_access_log_close(breaker_h2o_access_log_t *log);

/**
 * Writes out what threads have gathered for access logs of a configuration: before their files are
 * opened anew, and before a process ends without an end of its threads. Waits a second at most for
 * each that is writing. Any thread, until `h2o_config_dispose`; contexts may begin and end
 * meanwhile.
 */
BREAKER_EXPORT void breaker_h2o_flush_logs(h2o_globalconf_t *globalconf);

/**
 * The fast path of one listener on one thread: HTTP/1.1 connections in cleartext whose requests for
 * assets are answered without libh2o's HTTP/1, which costs several times what an answer does. The
 * answers are the same, byte for byte. A request that is not a plain GET or HEAD of an asset (a
 * page, another method, a body, an upgrade or HTTP/2, a path with percent-encoding …) takes its
 * connection to libh2o's HTTP/1, where it stays. So does everything at paths with loggers other
 * than `breaker_h2o_access_log_t`, or with filters other than those of `compress`, `header.*` and
 * `expires`, with several hosts, with TLS or with the PROXY protocol: there the fast path does
 * nothing.
 */
typedef struct st_breaker_h2o_fastpath_t breaker_h2o_fastpath_t;

/**
 * Makes the fast path of a listener. `accept_ctx` is complete but for what `h2o_accept` itself
 * sets, and outlives it; its context is initialised. On the context's thread, like all functions of
 * the fast path. Never NULL.
 */
BREAKER_EXPORT breaker_h2o_fastpath_t *breaker_h2o_fastpath_create(h2o_accept_ctx_t *accept_ctx);

/** Frees it; takes NULL. Its connections are gone, its context is not yet disposed of. */
BREAKER_EXPORT void breaker_h2o_fastpath_free(breaker_h2o_fastpath_t *fastpath);

/**
 * Takes a connection that was just accepted, in the place of `h2o_accept`. The fast path, and later
 * libh2o, owns the socket; its `on_close` is left alone, and what its input holds already is read
 * first. Limits are the context's: a connection
 * that is idle, or sends a request slowly, for `http1.req_timeout` is closed; where that request
 * goes to libh2o in the middle, its time begins anew, once. The process ignores SIGPIPE, as with
 * libh2o.
 */
BREAKER_EXPORT void breaker_h2o_fastpath_accept(breaker_h2o_fastpath_t *fastpath,
                                                h2o_socket_t *sock);

/**
 * Ends idle connections of the fast path, after `h2o_context_request_shutdown`: their input is shut
 * down, so a request that has reached the kernel is still answered, as the connection's last.
 * `spares_fresh` leaves those alone that have not carried a request yet; call it again for them.
 * Connections in the middle of an answer end after it by themselves.
 */
BREAKER_EXPORT void breaker_h2o_fastpath_end_idle(breaker_h2o_fastpath_t *fastpath,
                                                  bool spares_fresh);

/**
 * The URL of an asset under the current token, for a handler that writes pages:
 * `breaker_static_url` by the newest snapshot, in memory of `pool`, NUL-ended. Fails like that:
 * BREAKER_ERR_NOT_READY says that there is no token yet (answer 503, or leave the page uncached),
 * the other errors that there is no such URL. Any thread.
 */
BREAKER_EXPORT int breaker_h2o_static_url(h2o_mem_pool_t *pool, breaker_node_t *node,
                                          const breaker_view_t *view,
                                          const breaker_url_parts_t *parts, h2o_iovec_t *ret_url);

/** The same for `breaker_static_integrity`: what stands in a page's `integrity` attribute. */
BREAKER_EXPORT int breaker_h2o_static_integrity(h2o_mem_pool_t *pool, breaker_node_t *node,
                                                const breaker_view_t *view, const char *path,
                                                size_t path_len, h2o_iovec_t *ret_text);

#ifdef __cplusplus
}
#endif

#endif
