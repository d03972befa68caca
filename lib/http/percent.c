/*
 * Percent-encoding, in the two directions that leave the server: decoded asset paths that become
 * URLs, and raw bytes of a request that become a Location. Which bytes stand for themselves is one
 * constant table.
 *
 * Invariants: the output is printable ASCII without blanks and never longer than three times the
 * input; repairing what was repaired changes nothing.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <breaker/http/percent.h>
#include "http/percent.h"
#include "words.h"

/* one byte, eight times */
#define EIGHT(byte) (UINT64_C(0x0101010101010101) * (byte))

/* P may stand in a decoded path (RFC 3986 §3.3: pchar and "/"), R may stand in the raw path and
 * query of a request, B in both. */
enum {
    P = 1,
    R = 2,
    B = P | R,
};

/* rows of 16, from 0x00; bytes from 0x80 on are in no class */
static const uint8_t classes[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* control bytes */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* control bytes */
    0, B, 0, 0, B, R, B, B, B, B, B, B, B, B, B, B, /*   ! " # $ % & ' ( ) * + , - . / */
    B, B, B, B, B, B, B, B, B, B, B, B, 0, B, 0, R, /* 0 1 2 3 4 5 6 7 8 9 : ; < = > ? */
    B, B, B, B, B, B, B, B, B, B, B, B, B, B, B, B, /* @ A B C D E F G H I J K L M N O */
    B, B, B, B, B, B, B, B, B, B, B, R, 0, R, 0, B, /* P Q R S T U V W X Y Z [ \ ] ^ _ */
    0, B, B, B, B, B, B, B, B, B, B, B, B, B, B, B, /* ` a b c d e f g h i j k l m n o */
    B, B, B, B, B, B, B, B, B, B, B, 0, 0, 0, B, 0, /* p q r s t u v w x y z { | } ~   */
};

static size_t encode_all_but(const char *src, size_t len, uint8_t class, char *dst)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t written = 0;

    for (size_t i = 0; i < len; ++i) {
        unsigned char c = (unsigned char)src[i];
        if ((classes[c] & class) != 0) {
            dst[written++] = (char)c;
        } else {
            dst[written++] = '%';
            dst[written++] = digits[c >> 4];
            dst[written++] = digits[c & 15];
        }
    }
    assert(written >= len && written <= 3 * len);
    return written;
}

size_t breaker__percent_encode(const char *src, size_t len, char *dst)
{
    return encode_all_but(src, len, P, dst);
}

size_t breaker_percent_repair(const char *src, size_t len, char *dst)
{
    return encode_all_but(src, len, R, dst);
}

/* bits in the bytes of the word that are below 0x20 (and perhaps in bytes above such a one) */
static uint64_t controls_of(uint64_t word)
{
    return (word - EIGHT(0x20)) & ~word & EIGHT(0x80);
}

/* likewise for the bytes that are `c` */
static uint64_t places_of(uint64_t word, unsigned char c)
{
    uint64_t differences = word ^ EIGHT(c);

    return (differences - EIGHT(1)) & ~differences & EIGHT(0x80);
}

static bool is_clean_word(uint64_t word)
{
    return (controls_of(word) | places_of(word, 0x7f) | places_of(word, '\\')) == 0;
}

static bool is_clean_byte(unsigned char c)
{
    return c >= 0x20 && c != 0x7f && c != '\\';
}

bool breaker__path_is_clean(const char *path, size_t len)
{
    if (len >= 8) {
        for (size_t at = 0; at + 8 < len; at += 8)
            if (!is_clean_word(breaker__load64(path + at)))
                return false;
        return is_clean_word(breaker__load64(path + len - 8));
    }
    for (size_t i = 0; i != len; ++i)
        if (!is_clean_byte((unsigned char)path[i]))
            return false;
    return true;
}

static bool is_name(const char *base, size_t len)
{
    return len != 0 && !(len == 1 && base[0] == '.') &&
           !(len == 2 && base[0] == '.' && base[1] == '.');
}

bool breaker__path_has_names_only(const char *path, size_t len)
{
    const char *end = path + len;

    while (true) {
        const char *slash = memchr(path, '/', (size_t)(end - path));
        if (!is_name(path, (size_t)((slash != NULL ? slash : end) - path)))
            return false;
        if (slash == NULL)
            return true;
        path = slash + 1;
    }
}
