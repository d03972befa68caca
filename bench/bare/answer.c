/*
 * The common half of the bare loops. They are the limit that servers are measured against: they
 * read a request to its end, look at nothing in it, and write bytes that were made beforehand.
 */
#include "answer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 16384

void bare_fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static void read_file(const char *path, bare_answer_t *answer)
{
    struct stat st;
    size_t at = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) != 0)
        bare_fail(path);
    answer->len = (size_t)st.st_size;
    if (answer->len == 0 || (answer->base = malloc(answer->len)) == NULL)
        bare_fail(path);
    while (at < answer->len) {
        ssize_t n = read(fd, answer->base + at, answer->len - at);
        if (n <= 0)
            bare_fail(path);
        at += (size_t)n;
    }
    close(fd);
}

static void find_body(const char *path, bare_answer_t *answer)
{
    const char *end = memmem(answer->base, answer->len, "\r\n\r\n", 4);

    if (end == NULL) {
        fprintf(stderr, "%s: no answer of HTTP/1.1, its head has no end\n", path);
        exit(1);
    }
    answer->head_len = (size_t)(end - answer->base) + 4;
}

/* A file without a name in the directory of the answer: sent from a disk's file system, whose pages
 * in memory are larger than those of memfd_create(2), it costs a fifth less. */
static void fill_body_file(const char *path, bare_answer_t *answer)
{
    size_t at = answer->head_len;
    char name[PATH_MAX];
    int len = snprintf(name, sizeof(name), "%s.body", path);

    if (len < 0 || (size_t)len >= sizeof(name) ||
        (answer->body_file = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) < 0)
        bare_fail(path);
    unlink(name);
    while (at < answer->len) {
        ssize_t n = write(answer->body_file, answer->base + at, answer->len - at);
        if (n <= 0)
            bare_fail(name);
        at += (size_t)n;
    }
}

static int listen_at(unsigned long port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, BACKLOG) != 0)
        bare_fail("listen");
    return fd;
}

static void read_argument(const char *argument, bare_answer_t *answer)
{
    char *end;
    unsigned long port = strtoul(argument, &end, 10);

    if (port == 0 || port > 65535 || *end != ':') {
        fprintf(stderr, "%s: not PORT:FILE\n", argument);
        exit(2);
    }
    read_file(end + 1, answer);
    find_body(end + 1, answer);
    fill_body_file(end + 1, answer);
    answer->listener = listen_at(port);
}

size_t bare_read_arguments(int argc, char **argv, bare_answer_t *answers)
{
    size_t count = 0;

    if (argc < 2 || argc - 1 > BARE_ANSWERS_MAX) {
        fprintf(stderr, "usage: %s PORT:FILE... (at most %d)\n", argv[0], BARE_ANSWERS_MAX);
        exit(2);
    }
    for (int i = 1; i < argc; i++)
        read_argument(argv[i], &answers[count++]);
    return count;
}

size_t bare_count_ends(unsigned *state, const char *base, size_t len)
{
    static const char END[4] = "\r\n\r\n";
    size_t count = 0;

    /* the usual case: one whole request */
    if (*state == 0 && len >= sizeof(END) && memcmp(base + len - 4, END, sizeof(END)) == 0 &&
        memmem(base, len - 1, END, sizeof(END)) == NULL)
        return 1;
    for (size_t i = 0; i < len; i++) {
        if (base[i] == END[*state])
            ++*state;
        else
            *state = base[i] == '\r';
        if (*state == sizeof(END)) {
            *state = 0;
            count++;
        }
    }
    return count;
}
