/*
 * libh2o's HTTP/1 parser takes the last Transfer-Encoding or the first Content-Length and says
 * nothing of the others, so a proxy in front of us and we could disagree on where a request ends.
 * The fields are gone from the parsed request, but its raw bytes are still at the head of the
 * connection's buffer until the response is complete (names lower-cased in place), and requests
 * with a body are rare enough to read them again.
 */
#include <assert.h>
#include <string.h>
#include "answer/framing.h"

typedef struct st_framing_fields_t {
    size_t num_lengths;
    size_t num_codings;
} framing_fields_t;

static bool names(const char *line, size_t len, const char *name, size_t name_len)
{
    assert(name_len != 0);
    return len > name_len && line[name_len] == ':' && h2o_lcstris(line, name_len, name, name_len);
}

static framing_fields_t count_fields(const char *base, size_t len)
{
    framing_fields_t fields = {0, 0};
    const char *line = base, *end = base + len;

    while (line != end) {
        const char *line_end = memchr(line, '\n', (size_t)(end - line));
        size_t line_len;
        if (line_end == NULL)
            break;
        line_len = (size_t)(line_end - line);
        if (line_len == 0 || (line_len == 1 && line[0] == '\r'))
            break;
        if (names(line, line_len, H2O_STRLIT("content-length")))
            ++fields.num_lengths;
        else if (names(line, line_len, H2O_STRLIT("transfer-encoding")))
            ++fields.num_codings;
        line = line_end + 1;
    }
    return fields;
}

bool breaker__framing_is_ambiguous(h2o_req_t *req)
{
    h2o_socket_t *sock;
    framing_fields_t fields;

    if (req->version >= 0x200 || req->conn->callbacks->get_socket == NULL)
        return false;
    if ((sock = req->conn->callbacks->get_socket(req->conn)) == NULL)
        return false;
    fields = count_fields(sock->input->bytes, sock->input->size);
    assert(req->entity.base != NULL);
    return fields.num_lengths + fields.num_codings > 1 ||
           (req->version < 0x101 && fields.num_codings != 0);
}
