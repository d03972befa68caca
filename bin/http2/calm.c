/*
 * Floods of HTTP/2, told from use by their frames. A frame of any kind is cheap, and a second of
 * them on the fastest network is not; so each kind has a number a second, far above what programs
 * send that want something, and who exceeds it is sent away with ENHANCE_YOUR_CALM.
 *
 * What grows with use is counted against it: clients answer DATA with WINDOW_UPDATE, one or two a
 * frame, and some send a frame of their own with each request. DATA for a stream that was reset
 * under way is an error of nobody, unless it comes in crumbs.
 *
 * A second begins with the first frame after the last one was over.
 */
#include "http2/calm.h"

enum {
    SECOND_MS = 1000,
    /* what a frame of DATA brings on average if it is not the only one of its answer, halved
       because a client may update the connection and the stream */
    BYTES_PER_UPDATE = 256,
    UPDATES_PER_REQUEST = 2,
    /* one after the upgrade from HTTP/1.1, one after the preface */
    ACKS_MAX = 2,
    /* DATA that is shorter is a crumb */
    CRUMB_MAX = 255,
    /* what a field counts beside its name and value (RFC 9113 §6.5.2) */
    FIELD_OVERHEAD = 32,
};

void breaker__calm_limits_init(breaker__calm_limits_t *limits)
{
    *limits = (breaker__calm_limits_t){
        .per_second = {[BREAKER__CALM_RESETS] = 2000,
                       [BREAKER__CALM_ERRORS] = 500,
                       [BREAKER__CALM_CONTROL] = 5000,
                       [BREAKER__CALM_EMPTY] = 1000},
        .continuations = 32,
        .header_list_size = 128 << 10,
    };
}

/* ---- by the second ---- */

static void begin_second(breaker__calm_t *calm, uint64_t now_ms, size_t written)
{
    for (size_t i = 0; i != BREAKER__CALM_NUM; ++i)
        calm->counts[i] = 0;
    calm->begun_at_ms = now_ms;
    calm->num_requests = 0;
    calm->num_updates = calm->num_late_resets = calm->num_unknown = 0;
    calm->written_before = written;
}

static const char *count(breaker__calm_t *calm, const breaker__calm_limits_t *limits,
                         breaker__calm_kind_t kind)
{
    static const char *const too_many[] = {
        [BREAKER__CALM_RESETS] = "too many resets",
        [BREAKER__CALM_ERRORS] = "too many errors of streams",
        [BREAKER__CALM_CONTROL] = "too many control frames",
        [BREAKER__CALM_EMPTY] = "too many frames without a meaning",
    };
    uint32_t max = limits->per_second[kind];

    return ++calm->counts[kind] > max && max != 0 ? too_many[kind] : NULL;
}

static bool is_update_explained(breaker__calm_t *calm, size_t written)
{
    if (calm->num_updates >= calm->num_requests * UPDATES_PER_REQUEST +
                                 (written - calm->written_before) / BYTES_PER_UPDATE)
        return false;
    ++calm->num_updates;
    return true;
}

/* HAProxy resets each stream of a client that goes after its answer; of open ones more is heard */
static const char *count_reset(breaker__calm_t *calm, const breaker__calm_limits_t *limits)
{
    if (calm->num_late_resets >= calm->num_requests)
        return count(calm, limits, BREAKER__CALM_CONTROL);
    ++calm->num_late_resets;
    return NULL;
}

/* some clients send a frame of their own with each request, one to which nothing has a meaning at
   all among them (RFC 8701 has the idea) */
static const char *count_unknown(breaker__calm_t *calm, const breaker__calm_limits_t *limits)
{
    if (calm->num_unknown >= calm->num_requests)
        return count(calm, limits, BREAKER__CALM_EMPTY);
    ++calm->num_unknown;
    return NULL;
}

/* without padding */
static size_t payload_len(const h2o_http2_frame_t *frame)
{
    size_t padding;

    if ((frame->flags & H2O_HTTP2_FRAME_FLAG_PADDED) == 0 || frame->length == 0)
        return frame->length;
    padding = 1 + (size_t)frame->payload[0];
    return padding < frame->length ? frame->length - padding : 0;
}

static const char *count_data(breaker__calm_t *calm, const breaker__calm_limits_t *limits,
                              const h2o_http2_frame_t *frame)
{
    if ((frame->flags & H2O_HTTP2_FRAME_FLAG_END_STREAM) != 0 || payload_len(frame) != 0)
        return NULL;
    return count(calm, limits, BREAKER__CALM_EMPTY);
}

/* of SETTINGS and PING; this server sends no PING of its own */
static const char *count_asking(breaker__calm_t *calm, const breaker__calm_limits_t *limits,
                                const h2o_http2_frame_t *frame)
{
    if ((frame->flags & H2O_HTTP2_FRAME_FLAG_ACK) == 0)
        return count(calm, limits, BREAKER__CALM_CONTROL);
    if (frame->type == H2O_HTTP2_FRAME_TYPE_SETTINGS && calm->num_acks++ < ACKS_MAX)
        return NULL;
    return count(calm, limits, BREAKER__CALM_EMPTY);
}

/* ---- header blocks ---- */

static const char *add_to_block(breaker__calm_t *calm, const breaker__calm_limits_t *limits,
                                size_t len)
{
    calm->block_len += len;
    if (calm->block_len > limits->header_list_size && limits->header_list_size != 0)
        return "too long a header block";
    return NULL;
}

static const char *count_continuation(breaker__calm_t *calm, const breaker__calm_limits_t *limits,
                                      const h2o_http2_frame_t *frame)
{
    if (++calm->num_continuations > limits->continuations && limits->continuations != 0)
        return "too many CONTINUATION frames";
    return add_to_block(calm, limits, frame->length);
}

static const char *count_headers(breaker__calm_t *calm, const breaker__calm_limits_t *limits,
                                 const h2o_http2_frame_t *frame)
{
    ++calm->num_requests;
    calm->num_continuations = 0;
    calm->block_len = 0;
    return add_to_block(calm, limits, frame->length);
}

/* ---- frames ---- */

static const char *judge(breaker__calm_t *calm, const breaker__calm_limits_t *limits,
                         size_t written, const h2o_http2_frame_t *frame)
{
    switch (frame->type) {
    case H2O_HTTP2_FRAME_TYPE_DATA:
        return count_data(calm, limits, frame);
    case H2O_HTTP2_FRAME_TYPE_HEADERS:
        return count_headers(calm, limits, frame);
    case H2O_HTTP2_FRAME_TYPE_CONTINUATION:
        return count_continuation(calm, limits, frame);
    case H2O_HTTP2_FRAME_TYPE_RST_STREAM:
        return count_reset(calm, limits);
    case H2O_HTTP2_FRAME_TYPE_SETTINGS:
    case H2O_HTTP2_FRAME_TYPE_PING:
        return count_asking(calm, limits, frame);
    case H2O_HTTP2_FRAME_TYPE_WINDOW_UPDATE:
        if (is_update_explained(calm, written))
            return NULL;
        return count(calm, limits, BREAKER__CALM_CONTROL);
    case H2O_HTTP2_FRAME_TYPE_PRIORITY:
    case H2O_HTTP2_FRAME_TYPE_GOAWAY:
        return count(calm, limits, BREAKER__CALM_CONTROL);
    case H2O_HTTP2_FRAME_TYPE_PUSH_PROMISE: /* an error of the connection */
        return NULL;
    default:
        return count_unknown(calm, limits);
    }
}

const char *breaker__calm_frame(breaker__calm_t *calm, const breaker__calm_limits_t *limits,
                                uint64_t now_ms, size_t written, const h2o_http2_frame_t *frame)
{
    if (now_ms - calm->begun_at_ms >= SECOND_MS)
        begin_second(calm, now_ms, written);
    return judge(calm, limits, written, frame);
}

const char *breaker__calm_reset(breaker__calm_t *calm, const breaker__calm_limits_t *limits)
{
    return count(calm, limits, BREAKER__CALM_RESETS);
}

const char *breaker__calm_error(breaker__calm_t *calm, const breaker__calm_limits_t *limits,
                                const h2o_http2_frame_t *frame)
{
    if (frame->type == H2O_HTTP2_FRAME_TYPE_DATA && frame->length > CRUMB_MAX)
        return NULL;
    return count(calm, limits, BREAKER__CALM_ERRORS);
}

/* ---- fields ---- */

/* an integer of HPACK (RFC 7541 §5.1); false where it is not whole or no use */
static bool read_int(const uint8_t **at, const uint8_t *end, unsigned prefix_bits, size_t *ret_int)
{
    size_t max = (1u << prefix_bits) - 1, value;

    if (*at == end)
        return false;
    value = *(*at)++ & max;
    if (value == max) {
        unsigned shift = 0;
        uint8_t byte;
        do {
            if (*at == end || shift > 21)
                return false;
            byte = *(*at)++;
            value += (size_t)(byte & 0x7f) << shift;
            shift += 7;
        } while ((byte & 0x80) != 0);
    }
    *ret_int = value;
    return true;
}

static bool skip_string(const uint8_t **at, const uint8_t *end)
{
    size_t len;

    if (!read_int(at, end, 7, &len) || len > (size_t)(end - *at))
        return false;
    *at += len;
    return true;
}

/* one field, or one change of the size of the table (RFC 7541 §6) */
static bool skip_field(const uint8_t **at, const uint8_t *end)
{
    uint8_t first = **at;
    size_t index;

    if ((first & 0x80) != 0)
        return read_int(at, end, 7, &index);
    if ((first & 0xe0) == 0x20)
        return read_int(at, end, 5, &index);
    if (!read_int(at, end, (first & 0x40) != 0 ? 6 : 4, &index))
        return false;
    return (index != 0 || skip_string(at, end)) && skip_string(at, end);
}

const char *breaker__calm_block(const breaker__calm_limits_t *limits, const uint8_t *block,
                                size_t len)
{
    const uint8_t *at = block, *end = block + len;
    size_t num = 0, max = limits->header_list_size / FIELD_OVERHEAD;

    /* fewer bytes than fields are allowed */
    if (len <= max || max == 0)
        return NULL;
    while (at != end && skip_field(&at, end))
        if (++num > max)
            return "too many fields";
    return NULL;
}

const char *breaker__calm_fields(const breaker__calm_limits_t *limits, const h2o_headers_t *headers)
{
    size_t size = 0;

    for (size_t i = 0; i != headers->size; ++i)
        size += headers->entries[i].name->len + headers->entries[i].value.len + FIELD_OVERHEAD;
    return size > limits->header_list_size && limits->header_list_size != 0
               ? "too large a list of fields"
               : NULL;
}
