/*
 * Who may look: by address, by password, or by both, which then both have to be right. Where
 * nothing is said it is this machine alone. A proxy on this machine asks for others from here, so
 * that what it forwards is nobody's on this machine: otherwise every site behind one would show its
 * numbers to all.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "status/access.h"

/* ---- the configuration ---- */

static int add(breaker__access_t *access, const char *allowed, breaker_error_t *error)
{
    if (strcmp(allowed, "unix") == 0) {
        access->allows_unix = true;
        return 0;
    }
    if (strcmp(allowed, "all") == 0) {
        access->allows_all = true;
        return 0;
    }
    if (access->num_networks == BREAKER_H2O_STATUS_NETWORKS_MAX)
        return breaker_error_set(error, BREAKER_ERR_TOO_MANY, "more than %d networks",
                                 BREAKER_H2O_STATUS_NETWORKS_MAX);
    if (breaker_network_parse(allowed, strlen(allowed), access->networks + access->num_networks) !=
        0)
        return breaker_error_set(
            error, BREAKER_ERR_RANGE,
            "allow: got `%s`; accepted: addresses and networks as 10.0.0.0/8 or "
            "fd00::/8, the bits after the prefix 0, `unix` and `all`",
            allowed);
    ++access->num_networks;
    return 0;
}

int breaker__access_init(breaker__access_t *access, const breaker_h2o_status_config_t *config,
                         breaker_error_t *error)
{
    static const char *const local[] = {"127.0.0.0/8", "::1", "unix"};
    const char *const *allow = config->num_allow != 0 ? config->allow : local;
    size_t num = config->num_allow != 0 ? config->num_allow : sizeof(local) / sizeof(local[0]);
    int err = 0;

    memset(access, 0, sizeof(*access));
    access->is_default = config->num_allow == 0 && config->user_file == NULL;
    access->allows_all = config->num_allow == 0 && config->user_file != NULL;
    for (size_t i = 0; i != num && err == 0; ++i)
        err = add(access, allow[i], error);
    if (err == 0 && config->user_file != NULL)
        err = breaker__users_read(config->user_file, &access->users, error);
    return err;
}

void breaker__access_dispose(breaker__access_t *access)
{
    breaker__users_free(access->users);
    access->users = NULL;
}

/* ---- addresses ---- */

/* a client of a socket in the file system has no address, and in one of the flavours libh2o does
 * not tell that from a client that has gone */
static bool is_unix(h2o_conn_t *conn)
{
    h2o_socket_t *sock = conn->callbacks->get_socket(conn);
    int domain = 0, fd = sock != NULL ? h2o_socket_get_fd(sock) : -1;
    socklen_t len = sizeof(domain);

    return fd != -1 && getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
           domain == AF_UNIX;
}

static bool is_forwarded(const h2o_req_t *req)
{
    static const char *const names[] = {"forwarded", "x-real-ip"};

    if (h2o_find_header(&req->headers, H2O_TOKEN_X_FORWARDED_FOR, -1) != -1 ||
        h2o_find_header(&req->headers, H2O_TOKEN_VIA, -1) != -1)
        return true;
    for (size_t i = 0; i != sizeof(names) / sizeof(names[0]); ++i)
        if (h2o_find_header_by_str(&req->headers, names[i], strlen(names[i]), -1) != -1)
            return true;
    return false;
}

static bool allows_address(const breaker__access_t *access, h2o_req_t *req)
{
    struct sockaddr_storage address;
    socklen_t len;

    if (access->allows_all)
        return true;
    if (access->is_default && is_forwarded(req))
        return false;
    len = req->conn->callbacks->get_peername(req->conn, (struct sockaddr *)&address);
    if (len == 0 || address.ss_family == AF_UNIX)
        return access->allows_unix && is_unix(req->conn);
    return breaker_networks_have(access->networks, access->num_networks,
                                 (const struct sockaddr *)&address);
}

/* ---- the verdict ---- */

breaker__access_verdict_t breaker__access_judge(const breaker__access_t *access, h2o_req_t *req)
{
    ssize_t at;

    if (!allows_address(access, req))
        return BREAKER__ACCESS_FORBIDDEN;
    if (access->users == NULL)
        return BREAKER__ACCESS_ALLOWED;
    at = h2o_find_header(&req->headers, H2O_TOKEN_AUTHORIZATION, -1);
    switch (breaker__users_judge(access->users, at != -1 ? req->headers.entries[at].value
                                                         : h2o_iovec_init(NULL, 0))) {
    case BREAKER__USERS_RIGHT:
        return BREAKER__ACCESS_ALLOWED;
    case BREAKER__USERS_WRONG:
        return BREAKER__ACCESS_UNKNOWN;
    case BREAKER__USERS_LATER:
        return BREAKER__ACCESS_LATER;
    }
    assert(!"a verdict outside its enum");
    return BREAKER__ACCESS_FORBIDDEN;
}
