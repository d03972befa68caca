/*
 * Sockets that outlive workers. The master holds them from the moment a worker has bound them until
 * no worker needs them any more, so that between two workers connections wait in their queues, and
 * one that dies takes no queue along. A descriptor that the master closes is not closed for a
 * worker that still accepts from it.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <h2o.h>
#include "logs/error_log.h"
#include "master/held.h"
#include "net/listener.h"

/* sd_listen_fds(3) */
#define FIRST_GIVEN_FD 3

static const char unix_prefix[] = "unix:";

breaker__held_t *breaker__held_find(const breaker__held_list_t *list, const char *name)
{
    for (size_t i = 0; i != list->num; ++i)
        if (strcmp(list->entries[i].name, name) == 0)
            return list->entries + i;
    return NULL;
}

static breaker__held_t *create(breaker__held_list_t *list, const char *name, bool is_given)
{
    breaker__held_t *held;

    list->entries = h2o_mem_realloc(list->entries, (list->num + 1) * sizeof(list->entries[0]));
    held = list->entries + list->num++;
    *held = (breaker__held_t){.name = h2o_strdup(NULL, name, SIZE_MAX).base, .is_given = is_given};
    return held;
}

breaker__held_t *breaker__held_add(breaker__held_list_t *list, const char *name, const int *fds,
                                   size_t num_fds, bool is_given)
{
    breaker__held_t *held = breaker__held_find(list, name);

    if (held == NULL)
        held = create(list, name, is_given);
    held->fds = h2o_mem_realloc(held->fds, (held->num_fds + num_fds) * sizeof(fds[0]));
    memcpy(held->fds + held->num_fds, fds, num_fds * sizeof(fds[0]));
    held->num_fds += num_fds;
    held->is_wanted = true;
    return held;
}

/* ---- given by a service manager ---- */

static int take_given(breaker__held_list_t *list, int fd)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr), size = sizeof(int);
    int type = 0;
    char *name;

    if (getsockname(fd, (struct sockaddr *)&addr, &len) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM) {
        breaker__complain(BREAKER_LOG_ERROR, "listen-fds",
                          "LISTEN_FDS: descriptor %d is no socket for streams", fd);
        return -1;
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    name = breaker__listener_name((struct sockaddr *)&addr, len);
    /* until a listener says that it uses it */
    breaker__held_add(list, name, &fd, 1, true)->is_wanted = false;
    free(name);
    return 0;
}

/* a number that an environment variable says, or -1 */
static long number_of(const char *name)
{
    const char *text = getenv(name);
    char *end;
    long number;

    if (text == NULL)
        return -1;
    errno = 0;
    number = strtol(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' ? number : -1;
}

int breaker__held_take_given(breaker__held_list_t *list)
{
    long num = number_of("LISTEN_PID") == (long)getpid() ? number_of("LISTEN_FDS") : 0;
    int err = 0;

    for (long i = 0; i < num && err == 0; ++i)
        err = take_given(list, FIRST_GIVEN_FD + (int)i);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return err;
}

/* ---- the end ---- */

static void dispose(breaker__held_t *held, bool removes_file)
{
    size_t prefix_len = sizeof(unix_prefix) - 1;

    for (size_t i = 0; i != held->num_fds; ++i)
        close(held->fds[i]);
    if (removes_file && !held->is_given && strncmp(held->name, unix_prefix, prefix_len) == 0)
        unlink(held->name + prefix_len);
    free(held->fds);
    free(held->name);
}

/* what was given stays: the service manager would not give it again */
static void drop_unused(breaker__held_list_t *list)
{
    size_t num_kept = 0;

    for (size_t i = 0; i != list->num; ++i) {
        if (list->entries[i].num_used != 0 || list->entries[i].is_given)
            list->entries[num_kept++] = list->entries[i];
        else
            dispose(list->entries + i, true);
    }
    list->num = num_kept;
}

void breaker__held_take_over(breaker__held_list_t *list)
{
    for (size_t i = 0; i != list->num; ++i) {
        breaker__held_t *held = list->entries + i;
        held->num_used = held->is_wanted ? held->num_fds : 0;
        held->is_wanted = false;
    }
    drop_unused(list);
}

void breaker__held_give_up(breaker__held_list_t *list)
{
    for (size_t i = 0; i != list->num; ++i) {
        breaker__held_t *held = list->entries + i;
        /* nobody accepts from them */
        while (!held->is_given && held->num_fds > held->num_used)
            close(held->fds[--held->num_fds]);
        held->is_wanted = false;
    }
    drop_unused(list);
}

static void close_all(breaker__held_list_t *list, bool removes_files)
{
    for (size_t i = 0; i != list->num; ++i)
        dispose(list->entries + i, removes_files);
    free(list->entries);
    *list = (breaker__held_list_t){NULL, 0};
}

void breaker__held_close(breaker__held_list_t *list)
{
    close_all(list, true);
}

void breaker__held_let_go(breaker__held_list_t *list)
{
    close_all(list, false);
}

/* ---- to another program ---- */

void breaker__held_write(const breaker__held_list_t *list, FILE *file)
{
    for (size_t i = 0; i != list->num; ++i) {
        const breaker__held_t *held = list->entries + i;
        fprintf(file, "held %d %zu %zu", held->is_given, held->num_used, held->num_fds);
        for (size_t j = 0; j != held->num_fds; ++j)
            fprintf(file, " %d", held->fds[j]);
        fprintf(file, " %s\n", held->name);
    }
}

int breaker__held_read(breaker__held_list_t *list, const char *line)
{
    int is_given, used = 0;
    size_t num_used, num_fds;
    breaker__held_t *held;
    int *fds;

    if (sscanf(line, "held %d %zu %zu%n", &is_given, &num_used, &num_fds, &used) != 3 ||
        num_fds > INT16_MAX || num_used > num_fds)
        return -1;
    line += used;
    fds = h2o_mem_alloc((num_fds + 1) * sizeof(fds[0]));
    for (size_t i = 0; i != num_fds; ++i, line += used) {
        if (sscanf(line, " %d%n", fds + i, &used) != 1) {
            free(fds);
            return -1;
        }
    }
    held = breaker__held_add(list, line + 1, fds, num_fds, is_given != 0);
    held->num_used = num_used;
    held->is_wanted = false;
    free(fds);
    return 0;
}

void breaker__held_set_inherited(const breaker__held_list_t *list, bool is_inherited)
{
    for (size_t i = 0; i != list->num; ++i)
        for (size_t j = 0; j != list->entries[i].num_fds; ++j)
            fcntl(list->entries[i].fds[j], F_SETFD, is_inherited ? 0 : FD_CLOEXEC);
}
