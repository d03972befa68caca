/*
 * Chunks of requests are decoded by the letter, which libh2o's own decoder does not do. The
 * server's functions stand before libh2o's here as they do in the server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "http/calls.h"
#include "http/linger.h"
#include "logs/error_log.h"
#include "picohttpparser.h"

/* nothing closes here */
void breaker__linger(h2o_context_t *ctx, h2o_socket_t *sock, bool is_flood,
                     void (*close)(h2o_socket_t *))
{
    (void)ctx, (void)sock, (void)is_flood, (void)close;
    fail();
}

/* nor is anything said */
void breaker__error_log_say(const breaker_log_event_t *event)
{
    (void)event;
    fail();
}

static ssize_t decode(const char *chunk)
{
    struct phr_chunked_decoder decoder = {.consume_trailer = 1};
    char bytes[64];
    size_t len = strlen(chunk);

    assert_true(len <= sizeof(bytes));
    memcpy(bytes, chunk, len);
    return phr_decode_chunked(&decoder, bytes, &len);
}

static void chunks_are_read_by_the_letter(void **state)
{
    (void)state;
    assert_int_equal(decode("5\r\nhello"), PHR_INCOMPLETE);
    assert_int_equal(decode("5\r\nhello\r\n0\r\n\r\n"), 0);
    assert_int_equal(decode("5x\r\nhello"), PHR_MALFORMED);
    assert_int_equal(decode("5\r\nhello!"), PHR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_are_read_by_the_letter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
