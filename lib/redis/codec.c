/*
 * RESP2 by hiredis, used as a codec only. Its reader parses what untrusted servers send; what it
 * would allow and we do not is stopped here: more elements than our limit (it would allocate 16 GiB
 * for "*2147483647"), more bytes than our limit, deeper nesting, types of RESP3.
 *
 * Invariants: a reply that leaves is whole, within all limits, and the last byte that was fed is
 * its last byte; every object that the reader makes hangs in the tree of its parent at once, so
 * that freeing the root frees all.
 */
#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <hiredis/hiredis.h>
#include <openssl/crypto.h>
#include "redis/codec.h"

struct st_breaker__codec_t {
    redisReader *reader; /* owned */
    /** a copy, because the reader might change it */
    redisReplyObjectFunctions functions;
    /** of the reply that is being read */
    size_t bytes, elements;
    /** why one of our functions refused an object; the reader calls that "out of memory" */
    const char *refusal;
    char reason[160];
};

/* a reply with what hangs from it, in one allocation */
typedef struct st_array_reply_t {
    breaker_reply_t reply;
    breaker_reply_t *elements[];
} array_reply_t;

typedef struct st_text_reply_t {
    breaker_reply_t reply;
    char text[];
} text_reply_t;

/* ---- objects for the reader ---- */

/* hiredis 1.0 made this a size_t. */
#if HIREDIS_MAJOR >= 1
typedef size_t element_count_t;
#else
typedef int element_count_t;
#endif

static void *refuse(const redisReadTask *task, const char *why)
{
    breaker__codec_t *codec = task->privdata;

    codec->refusal = why;
    return NULL;
}

/* Puts a new object, or the lack of one, at its place in the tree. */
static void *place(const redisReadTask *task, breaker_reply_t *reply)
{
    if (reply == NULL)
        return refuse(task, "out of memory");
    if (task->parent != NULL) {
        array_reply_t *parent = task->parent->obj;
        assert(parent->reply.type == BREAKER_REPLY_ARRAY);
        assert((size_t)task->idx < parent->reply.num_elements);
        parent->elements[task->idx] = reply;
    }
    return reply;
}

static void *create_text(const redisReadTask *task, char *base, size_t len)
{
    text_reply_t *made;
    int type = task->type;

    if (type != REDIS_REPLY_STRING && type != REDIS_REPLY_STATUS && type != REDIS_REPLY_ERROR)
        return refuse(task, "a type of RESP3 was not asked for");
    if ((made = malloc(sizeof(*made) + len + 1)) == NULL)
        return place(task, NULL);
    made->reply = (breaker_reply_t){.type = type == REDIS_REPLY_STRING   ? BREAKER_REPLY_STRING
                                            : type == REDIS_REPLY_STATUS ? BREAKER_REPLY_STATUS
                                                                         : BREAKER_REPLY_ERROR,
                                    .base = made->text,
                                    .len = len};
    memcpy(made->text, base, len);
    made->text[len] = '\0';
    return place(task, &made->reply);
}

static size_t depth_of(const redisReadTask *task)
{
    size_t depth = 1;

    while ((task = task->parent) != NULL)
        ++depth;
    return depth;
}

static void *create_array(const redisReadTask *task, element_count_t count)
{
    breaker__codec_t *codec = task->privdata;
    size_t num = (size_t)count;
    array_reply_t *made;

    if (task->type != REDIS_REPLY_ARRAY)
        return refuse(task, "a type of RESP3 was not asked for");
    if (num > BREAKER_REDIS_ELEMENTS_MAX - codec->elements)
        return refuse(task, "a reply has more than 1024 elements");
    if (depth_of(task) > BREAKER__REPLY_DEPTH_MAX)
        return refuse(task, "a reply has arrays nested deeper than 7");
    codec->elements += num;
    if ((made = calloc(1, sizeof(*made) + num * sizeof(made->elements[0]))) == NULL)
        return place(task, NULL);
    made->reply = (breaker_reply_t){
        .type = BREAKER_REPLY_ARRAY, .elements = made->elements, .num_elements = num};
    return place(task, &made->reply);
}

static void *create_integer(const redisReadTask *task, long long value)
{
    breaker_reply_t *made = malloc(sizeof(*made));

    if (made != NULL)
        *made = (breaker_reply_t){.type = BREAKER_REPLY_INTEGER, .integer = value};
    return place(task, made);
}

static void *create_nil(const redisReadTask *task)
{
    breaker_reply_t *made;

    /* In RESP2 a string or an array is nil. */
    if (task->type != REDIS_REPLY_STRING && task->type != REDIS_REPLY_ARRAY)
        return refuse(task, "a type of RESP3 was not asked for");
    if ((made = malloc(sizeof(*made))) != NULL)
        *made = (breaker_reply_t){.type = BREAKER_REPLY_NIL};
    return place(task, made);
}

static void free_object(void *object)
{
    breaker__reply_free(object);
}

#if HIREDIS_MAJOR >= 1
/* Without these two the reader would put a number where a pointer belongs. */
static void *create_double(const redisReadTask *task, double value, char *text, size_t len)
{
    (void)value;
    (void)text;
    (void)len;
    return refuse(task, "a type of RESP3 was not asked for");
}

static void *create_bool(const redisReadTask *task, int value)
{
    (void)value;
    return refuse(task, "a type of RESP3 was not asked for");
}
#endif

static const redisReplyObjectFunctions object_functions = {
    .createString = create_text,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
#if HIREDIS_MAJOR >= 1
    .createDouble = create_double,
    .createBool = create_bool,
#endif
    .freeObject = free_object,
};

void breaker__reply_free(breaker_reply_t *reply)
{
    if (reply == NULL)
        return;
    /* As deep as the limit on nesting, and no deeper. */
    for (size_t i = 0; i != reply->num_elements; ++i)
        breaker__reply_free(reply->elements[i]);
    free(reply);
}

/* ---- the codec ---- */

breaker__codec_t *breaker__codec_create(void)
{
    breaker__codec_t *codec = calloc(1, sizeof(*codec));

    if (codec == NULL)
        return NULL;
    codec->functions = object_functions;
    if ((codec->reader = redisReaderCreateWithFunctions(&codec->functions)) == NULL) {
        free(codec);
        return NULL;
    }
    codec->reader->privdata = codec;
    return codec;
}

void breaker__codec_free(breaker__codec_t *codec)
{
    if (codec == NULL)
        return;
    redisReaderFree(codec->reader);
    free(codec);
}

const char *breaker__codec_reason(const breaker__codec_t *codec)
{
    return codec->reason;
}

static int fail(breaker__codec_t *codec, const char *why)
{
    snprintf(codec->reason, sizeof(codec->reason), "%s", why);
    return BREAKER_ERR_RANGE;
}

int breaker__codec_feed(breaker__codec_t *codec, const char *base, size_t len,
                        breaker_reply_t **ret_reply)
{
    redisReader *reader = codec->reader;
    void *reply = NULL;

    assert(codec->bytes <= BREAKER_REDIS_REPLY_MAX);
    if (len > BREAKER_REDIS_REPLY_MAX - codec->bytes)
        return fail(codec, "a reply is longer than 256 KiB");
    codec->bytes += len;
    if (redisReaderFeed(reader, base, len) != REDIS_OK ||
        redisReaderGetReply(reader, &reply) != REDIS_OK)
        return fail(codec, codec->refusal != NULL ? codec->refusal : reader->errstr);
    if (reply == NULL) {
        *ret_reply = NULL;
        return 0;
    }
    if (reader->pos != reader->len) {
        breaker__reply_free(reply);
        return fail(codec, "a reply came that nobody asked for");
    }
    codec->bytes = 0;
    codec->elements = 0;
    *ret_reply = reply;
    return 0;
}

/* ---- commands ---- */

/* What a command comes to, at most: a count or length has at most 20 digits. */
static bool is_within_limits(size_t argc, const size_t *argv_len)
{
    size_t bytes = 32;

    if (argc == 0 || argc > BREAKER__COMMAND_ARGS_MAX)
        return false;
    for (size_t i = 0; i != argc; ++i) {
        if (argv_len[i] > BREAKER__COMMAND_MAX)
            return false;
        bytes += argv_len[i] + 32;
    }
    return bytes <= BREAKER__COMMAND_MAX;
}

int breaker__command_format(size_t argc, const char *const *argv, const size_t *argv_len,
                            char **ret_base, size_t *ret_len)
{
    const char **copy;
    char *base;
    long long len;

    if (!is_within_limits(argc, argv_len))
        return BREAKER_ERR_TOO_LONG;
    /* hiredis takes pointers that it might change. */
    if ((copy = malloc(argc * sizeof(*copy))) == NULL)
        return BREAKER_ERR_NO_MEMORY;
    for (size_t i = 0; i != argc; ++i)
        copy[i] = argv[i];
    len = redisFormatCommandArgv(&base, (int)argc, copy, argv_len);
    free(copy);
    if (len < 0)
        return BREAKER_ERR_NO_MEMORY;
    *ret_base = base;
    *ret_len = (size_t)len;
    return 0;
}

void breaker__command_free(char *base, size_t len)
{
    if (base == NULL)
        return;
    OPENSSL_cleanse(base, len);
    redisFreeCommand(base);
}
