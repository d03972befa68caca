/*
 * Signatures of requests between nodes. What is signed names the method, the path and the time, so
 * that a request that was overheard is good for the same question only, and for a minute.
 *
 * Invariants: a value that is accepted has exactly the form that `breaker__auth_sign` writes; the
 * bytes of a key and of a correct signature never decide how long a comparison takes.
 */
#include <assert.h>
#include <string.h>
#include <time.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <breaker/error.h>
#include "peers/auth.h"

enum {
    DIGITS_MAX = 20,
    MAC_LEN = 32,
    MAC_CHARS = 2 * MAC_LEN,
    TEXT_MAX = 4 + BREAKER__AUTH_PATH_MAX + 1 + DIGITS_MAX + 1,
};

_Static_assert(BREAKER__AUTH_MAX == DIGITS_MAX + 1 + MAC_CHARS, "the longest value fits");

uint64_t breaker__auth_now_s(const breaker__peer_keys_t *keys)
{
    struct timespec now;
    int64_t now_ms;

    clock_gettime(CLOCK_REALTIME, &now);
    now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    if (__builtin_add_overflow(now_ms, keys->clock_offset_ms, &now_ms) || now_ms < 0)
        return 0;
    return (uint64_t)now_ms / 1000;
}

/* decimal, without a NUL; returns how many digits */
static size_t put_number(char *dst, uint64_t number)
{
    char digits[DIGITS_MAX];
    size_t len = 0;

    do
        digits[len++] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    assert(len <= DIGITS_MAX);
    for (size_t i = 0; i != len; ++i)
        dst[i] = digits[len - 1 - i];
    return len;
}

static size_t put_text(char *dst, const char *path, size_t path_len, uint64_t now_s)
{
    char *at = dst;

    assert(path_len <= BREAKER__AUTH_PATH_MAX);
    memcpy(at, "GET\n", 4);
    memcpy(at += 4, path, path_len);
    at += path_len;
    *at++ = '\n';
    at += put_number(at, now_s);
    *at++ = '\n';
    assert(at - dst <= TEXT_MAX);
    return (size_t)(at - dst);
}

/* the signature in small hexadecimal digits, without a NUL */
static int make_mac(const uint8_t *key, const char *text, size_t text_len, char *dst)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned len;

    if (HMAC(EVP_sha256(), key, BREAKER_PEER_KEY_LEN, (const uint8_t *)text, text_len, mac, &len) ==
        NULL)
        return BREAKER_ERR_NO_MEMORY;
    assert(len == MAC_LEN);
    for (size_t i = 0; i != MAC_LEN; ++i) {
        *dst++ = digits[mac[i] >> 4];
        *dst++ = digits[mac[i] & 15];
    }
    OPENSSL_cleanse(mac, sizeof(mac));
    return 0;
}

int breaker__auth_sign(const breaker__peer_keys_t *keys, size_t at, const char *path,
                       size_t path_len, uint64_t now_s, char *dst)
{
    char text[TEXT_MAX], mac[MAC_CHARS];
    size_t len;
    int err;

    assert(at < keys->num);
    assert(keys->num <= BREAKER_PEER_KEYS_MAX);
    if (path_len > BREAKER__AUTH_PATH_MAX)
        return BREAKER_ERR_TOO_LONG;
    len = put_text(text, path, path_len, now_s);
    if ((err = make_mac(keys->keys[at], text, len, mac)) != 0)
        return err;
    dst += put_number(dst, now_s);
    *dst++ = ' ';
    memcpy(dst, mac, MAC_CHARS);
    dst[MAC_CHARS] = '\0';
    return 0;
}

/* ---- verifying ---- */

static bool is_digits(const char *base, size_t len)
{
    for (size_t i = 0; i != len; ++i)
        if (base[i] < '0' || base[i] > '9')
            return false;
    return true;
}

static bool is_hex(const char *base, size_t len)
{
    for (size_t i = 0; i != len; ++i)
        if ((base[i] < '0' || base[i] > '9') && (base[i] < 'a' || base[i] > 'f'))
            return false;
    return true;
}

/* Splits a value; `*ret_mac` points into it. Seconds of 19 digits at most cannot overflow. */
static bool parse(const char *value, size_t len, uint64_t *ret_seconds, const char **ret_mac)
{
    size_t num_digits = len - MAC_CHARS - 1;
    uint64_t seconds = 0;

    if (len < MAC_CHARS + 2 || num_digits >= DIGITS_MAX || value[num_digits] != ' ')
        return false;
    if (!is_digits(value, num_digits) || !is_hex(value + num_digits + 1, MAC_CHARS))
        return false;
    if (value[0] == '0' && num_digits != 1)
        return false;
    for (size_t i = 0; i != num_digits; ++i)
        seconds = seconds * 10 + (uint64_t)(value[i] - '0');
    *ret_seconds = seconds;
    *ret_mac = value + num_digits + 1;
    return true;
}

static bool is_near(uint64_t a, uint64_t b)
{
    return (a > b ? a - b : b - a) <= BREAKER__AUTH_WINDOW_S;
}

bool breaker__auth_verify(const breaker__peer_keys_t *keys, const char *path, size_t path_len,
                          const char *value, size_t value_len, uint64_t now_s)
{
    char text[TEXT_MAX], mac[MAC_CHARS];
    const char *given;
    uint64_t seconds;
    size_t len;
    bool is_member = false;

    assert(keys->num <= BREAKER_PEER_KEYS_MAX);
    if (path_len > BREAKER__AUTH_PATH_MAX || !parse(value, value_len, &seconds, &given) ||
        !is_near(seconds, now_s))
        return false;
    len = put_text(text, path, path_len, seconds);
    for (size_t i = 0; i != keys->num; ++i)
        if (make_mac(keys->keys[i], text, len, mac) == 0)
            is_member |= CRYPTO_memcmp(mac, given, MAC_CHARS) == 0;
    OPENSSL_cleanse(mac, sizeof(mac));
    return is_member;
}
