/*
 * Headers that only the request decides. An answer names them, and the pen has the value written
 * into memory of its own; so an answer costs no allocation, and its words stand here alone.
 */
#include <assert.h>
#include <breaker/http/percent.h>
#include "answer/http1_text.h"
#include "answer/line.h"

#define MULTIPART "multipart/byteranges; boundary=" BREAKER__BOUNDARY_PREFIX

size_t breaker__line_value_max(const breaker__line_t *line)
{
    switch (line->kind) {
    case BREAKER__LINE_TEXT:
        return line->text.len;
    case BREAKER__LINE_LOCATION:
        return 3 * line->num_up + line->text.len + 3 * line->tail.len;
    case BREAKER__LINE_DIRECTORY:
        return sizeof(".//") - 1 + 3 * (line->text.len + line->tail.len);
    case BREAKER__LINE_CONTENT_RANGE:
    case BREAKER__LINE_UNSATISFIED_RANGE:
        return BREAKER__CONTENT_RANGE_MAX;
    case BREAKER__LINE_MULTIPART_TYPE:
        return sizeof(MULTIPART) - 1 + line->text.len;
    }
    assert(!"a line outside its enum");
    return 0;
}

char *breaker__put_content_range(char *dst, breaker_range_t range, uint64_t size)
{
    assert(range.first <= range.last);
    assert(range.last < size);
    dst = breaker__http1_put(dst, H2O_STRLIT("bytes "));
    dst = breaker__http1_put_number(dst, range.first);
    *dst++ = '-';
    dst = breaker__http1_put_number(dst, range.last);
    *dst++ = '/';
    return breaker__http1_put_number(dst, size);
}

/* two slashes at the begin of a Location would name a host (RFC 3986 §4.2) */
static char *put_begin_of_directory(char *dst, h2o_iovec_t text)
{
    if (text.len == 0 || text.base[0] != '/')
        return breaker__http1_put(dst, H2O_STRLIT("./"));
    if (text.len != 1 && text.base[1] == '/')
        return breaker__http1_put(dst, H2O_STRLIT("/."));
    return dst;
}

char *breaker__line_put_value(char *dst, const breaker__line_t *line)
{
    switch (line->kind) {
    case BREAKER__LINE_TEXT:
        return breaker__http1_put(dst, line->text.base, line->text.len);
    case BREAKER__LINE_LOCATION:
        for (size_t i = 0; i != line->num_up; ++i)
            dst = breaker__http1_put(dst, H2O_STRLIT("../"));
        dst = breaker__http1_put(dst, line->text.base, line->text.len);
        return dst + breaker_percent_repair(line->tail.base, line->tail.len, dst);
    case BREAKER__LINE_DIRECTORY:
        dst = put_begin_of_directory(dst, line->text);
        dst += breaker_percent_repair(line->text.base, line->text.len, dst);
        *dst++ = '/';
        return dst + breaker_percent_repair(line->tail.base, line->tail.len, dst);
    case BREAKER__LINE_CONTENT_RANGE:
        return breaker__put_content_range(dst, line->range, line->size);
    case BREAKER__LINE_UNSATISFIED_RANGE:
        dst = breaker__http1_put(dst, H2O_STRLIT("bytes */"));
        return breaker__http1_put_number(dst, line->size);
    case BREAKER__LINE_MULTIPART_TYPE:
        dst = breaker__http1_put(dst, H2O_STRLIT(MULTIPART));
        return breaker__http1_put(dst, line->text.base, line->text.len);
    }
    assert(!"a line outside its enum");
    return dst;
}
