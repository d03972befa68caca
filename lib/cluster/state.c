/*
 * The state file. What is read is untrusted: another program may have written it, a disk may have
 * damaged it, a crash may have cut it. So it is used whole or not at all: every line must be an
 * entry, and the checksum must be right. What is written replaces the old file in one step, after
 * it has reached the disk.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cluster/ledger.h"
#include "cluster/state.h"
#include "release/digest.h"
#include "file/replace.h"

#define FIRST_LINE "h2o-breaker state 2\n"
/* the same but for its releases, which are labels or hexadecimal digests: words without a digest */
#define FIRST_LINE_1 "h2o-breaker state 1\n"
#define OWN "own "
#define ENTRY "entry "
#define END "end "

_Static_assert(sizeof(FIRST_LINE) == sizeof(FIRST_LINE_1), "entries begin at one place");

enum {
    DIGEST_CHARS = 2 * BREAKER_DIGEST_LEN,
    END_LEN = sizeof(END) - 1 + DIGEST_CHARS + 1,
    /* "entry ", an order below 2^53, a token, a release, spaces and a line end */
    LINE_MAX_LEN = 6 + 16 + 1 + BREAKER_TOKEN_MAX + 1 + BREAKER_RELEASE_ID_MAX + 1,
};

_Static_assert(sizeof(FIRST_LINE) + BREAKER_LEDGER_MAX * LINE_MAX_LEN + END_LEN <
                   BREAKER__STATE_MAX,
               "the longest file is never taken for one that is too long");

/* the text of a file, while it is written or read */
typedef struct st_text_t {
    size_t len;
    char base[BREAKER__STATE_MAX];
} text_t;

static int checksum(const text_t *text, size_t len, char *dst)
{
    breaker__hasher_t hasher;
    uint8_t digest[BREAKER_DIGEST_LEN];
    int err;

    assert(len <= text->len);
    if ((err = breaker__hasher_init(&hasher)) != 0)
        return err;
    err = breaker__hash(&hasher, text->base, len, digest);
    breaker__hasher_dispose(&hasher);
    if (err == 0)
        breaker__digest_format(digest, dst);
    return err;
}

/* ---- writing ---- */

static void add_line(text_t *text, const char *kind, const breaker_ledger_entry_t *entry)
{
    int len =
        snprintf(text->base + text->len, sizeof(text->base) - text->len, "%s%" PRIu64 " %s %s\n",
                 kind, entry->order, entry->token.text, entry->release.text);

    assert(len > 0);
    assert(len <= LINE_MAX_LEN);
    text->len += (size_t)len;
    assert(text->len + END_LEN < sizeof(text->base));
}

/* one line fewer than a ledger holds, so that nothing is lost when the file is made one again */
static void add_entries(text_t *text, const breaker_ledger_entry_t *own,
                        const breaker_ledger_t *ledger)
{
    size_t size = ledger != NULL ? breaker_ledger_size(ledger) : 0, first = 0;

    assert(own == NULL || own->token.len != 0);
    assert(text->len == sizeof(FIRST_LINE) - 1);
    if (own != NULL)
        add_line(text, OWN, own);
    if (own != NULL && size == BREAKER_LEDGER_MAX &&
        breaker__ledger_find(ledger, own->token.text, own->token.len) == NULL)
        first = 1;
    for (size_t i = first; i != size; ++i) {
        const breaker_ledger_entry_t *entry = breaker_ledger_at(ledger, i);
        if (own == NULL || !breaker_token_equal(&entry->token, &own->token))
            add_line(text, ENTRY, entry);
    }
}

static int compose(text_t *text, const breaker_ledger_entry_t *own, const breaker_ledger_t *ledger)
{
    char digits[DIGEST_CHARS + 1];
    int err;

    text->len = sizeof(FIRST_LINE) - 1;
    memcpy(text->base, FIRST_LINE, text->len);
    add_entries(text, own, ledger);
    if ((err = checksum(text, text->len, digits)) != 0)
        return err;
    text->len += (size_t)sprintf(text->base + text->len, END "%s\n", digits);
    assert(text->len < sizeof(text->base));
    return 0;
}

static int fail_io(breaker_error_t *error, const char *what, const char *path)
{
    assert(errno != 0);
    return breaker_error_set(error, BREAKER_ERR_IO, "%s %s: %s", what, path, strerror(errno));
}

int breaker__state_save(const char *path, const breaker_ledger_entry_t *own,
                        const breaker_ledger_t *ledger, breaker_error_t *error)
{
    text_t text;
    int err;

    if ((err = compose(&text, own, ledger)) != 0)
        return breaker_error_set(error, err, "%s: %s", path, breaker_err_message(err));
    return breaker__replace_file(path, text.base, text.len, error);
}

/* ---- reading ---- */

static int read_whole(int fd, text_t *text)
{
    text->len = 0;
    while (text->len != sizeof(text->base)) {
        ssize_t got = read(fd, text->base + text->len, sizeof(text->base) - text->len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            return 0;
        text->len += (size_t)got;
        assert(text->len <= sizeof(text->base));
    }
    return 0;
}

static int fail_unusable(breaker_error_t *error, const char *path, const char *why)
{
    return breaker_error_set(error, BREAKER_ERR_DAMAGED, "%s is not used: %s", path, why);
}

/* leaves the text empty when there is no file */
static int read_file(const char *path, text_t *text, breaker_error_t *error)
{
    struct stat status;
    int fd, err = 0;

    text->len = 0;
    /* not to hang on a pipe that somebody put there */
    if ((fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) < 0)
        return errno == ENOENT ? 0 : fail_io(error, "cannot open", path);
    if (fstat(fd, &status) != 0)
        err = fail_io(error, "cannot read", path);
    else if (!S_ISREG(status.st_mode))
        err = fail_unusable(error, path, "it is not a regular file");
    else if (status.st_size == 0)
        err = fail_unusable(error, path, "it is empty");
    else if (read_whole(fd, text) != 0)
        err = fail_io(error, "cannot read", path);
    else if (text->len == sizeof(text->base))
        err = fail_unusable(error, path, "it is too long");
    close(fd);
    return err;
}

static bool skip(const char **at, const char *end, const char *literal)
{
    size_t len = strlen(literal);

    assert(*at <= end);
    if ((size_t)(end - *at) < len || memcmp(*at, literal, len) != 0)
        return false;
    *at += len;
    return true;
}

static bool take_order(const char **at, const char *end, uint64_t *ret_order)
{
    const char *begin = *at;
    uint64_t order = 0;

    assert(begin <= end);
    while (*at != end && **at >= '0' && **at <= '9' && *at - begin <= 16)
        order = order * 10 + (uint64_t)(*(*at)++ - '0');
    *ret_order = order;
    return *at != begin && *at - begin <= 16;
}

static bool take_token(const char **at, const char *end, breaker_token_t *ret_token)
{
    const char *begin = *at, *found = memchr(begin, ' ', (size_t)(end - begin));

    if (found == NULL || breaker_token_parse(begin, (size_t)(found - begin), ret_token) != 0)
        return false;
    *at = found + 1;
    assert(*at <= end);
    return true;
}

static bool take_release(const char **at, const char *end, breaker_release_id_t *ret_release)
{
    const char *begin = *at, *found = memchr(begin, '\n', (size_t)(end - begin));

    if (found == NULL || breaker_release_id_parse(begin, (size_t)(found - begin), ret_release) != 0)
        return false;
    *at = found + 1;
    assert(*at <= end);
    return true;
}

static bool take_line(const char **at, const char *end, bool is_first,
                      breaker_ledger_entry_t *ret_entry)
{
    if (!(is_first && skip(at, end, OWN)) && !skip(at, end, ENTRY))
        return false;
    return take_order(at, end, &ret_entry->order) && skip(at, end, " ") &&
           take_token(at, end, &ret_entry->token) && take_release(at, end, &ret_entry->release);
}

/* what is wrong with the text, or NULL */
static const char *check_frame(const text_t *text)
{
    const char *begin = text->base, *end = text->base + text->len, *last;
    char digits[DIGEST_CHARS + 1];

    assert(text->len < sizeof(text->base));
    if (!skip(&begin, end, FIRST_LINE) && !skip(&begin, end, FIRST_LINE_1))
        return "it is no state file, or one of a later version";
    if ((size_t)(end - begin) < END_LEN)
        return "it is cut off";
    last = end - END_LEN;
    if (!skip(&last, end, END) || end[-1] != '\n')
        return "it is cut off or damaged";
    if (checksum(text, text->len - END_LEN, digits) != 0)
        return "no memory for its checksum";
    return memcmp(last, digits, DIGEST_CHARS) == 0 ? NULL : "its checksum is wrong";
}

static const char *parse(const text_t *text, breaker_ledger_t *ret_ledger)
{
    breaker_ledger_entry_t entries[BREAKER_LEDGER_MAX];
    const char *at = text->base + sizeof(FIRST_LINE) - 1, *why;
    size_t num = 0;

    if ((why = check_frame(text)) != NULL)
        return why;
    for (const char *end = text->base + text->len - END_LEN; at != end; ++num)
        if (num == BREAKER_LEDGER_MAX || !take_line(&at, end, num == 0, entries + num))
            return "it has a line that is no entry";
    assert(num <= BREAKER_LEDGER_MAX);
    return breaker_ledger_init(ret_ledger, entries, num) == 0 ? NULL : "it has an impossible entry";
}

static void make_empty(breaker_ledger_t *ledger)
{
    int err = breaker_ledger_init(ledger, NULL, 0);

    assert(err == 0);
    assert(breaker_ledger_size(ledger) == 0);
}

int breaker__state_load(const char *path, breaker_ledger_t *ret_ledger, breaker_error_t *error)
{
    const char *why;
    text_t text;
    int err;

    make_empty(ret_ledger);
    if ((err = read_file(path, &text, error)) != 0 || text.len == 0)
        return err;
    if ((why = parse(&text, ret_ledger)) == NULL)
        return 0;
    make_empty(ret_ledger);
    return fail_unusable(error, path, why);
}
