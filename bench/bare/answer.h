/* What the bare loops share: answers read from files, the sockets that give them, and where a
 * request ends. */
#ifndef BENCH_BARE_ANSWER_H
#define BENCH_BARE_ANSWER_H

#include <stddef.h>

/** The most answers that a loop gives, each at a port of its own. */
#define BARE_ANSWERS_MAX 64

/** One answer, head and body as they go over the wire, and the socket whose connections get it. */
typedef struct st_bare_answer_t {
    char *base; /* owned, until the process ends */
    size_t len;
    size_t head_len; /* the empty line included */
    int body_file;   /* the body alone, to be sent by sendfile(2): so it begins at a page */
    int listener;
} bare_answer_t;

/**
 * Reads the command line, PORT:FILE for each answer, and listens on 127.0.0.1 at these ports.
 * Whatever is wrong ends the process with one line on standard error. `answers` has room for
 * BARE_ANSWERS_MAX; the number of them is returned, at least 1.
 */
size_t bare_read_arguments(int argc, char **argv, bare_answer_t *answers);

/**
 * Counts the requests that end within `len` bytes: the empty lines. `*state` is where the bytes
 * before these left off, 0 on a new connection, and is brought forward. Request bodies are not
 * known here.
 */
size_t bare_count_ends(unsigned *state, const char *base, size_t len);

/** Ends the process with a line that says what failed, and errno's story. */
_Noreturn void bare_fail(const char *what);

#endif
