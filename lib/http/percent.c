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
#include <breaker/http/percent.h>

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

size_t breaker_percent_encode(const char *src, size_t len, char *dst)
{
    return encode_all_but(src, len, P, dst);
}

size_t breaker_percent_repair(const char *src, size_t len, char *dst)
{
    return encode_all_but(src, len, R, dst);
}

bool breaker_path_is_clean(const char *path, size_t len)
{
    for (size_t i = 0; i < len; ++i) {
        unsigned char c = (unsigned char)path[i];
        if (c < 0x20 || c == 0x7f || c == '\\')
            return false;
    }
    return true;
}
