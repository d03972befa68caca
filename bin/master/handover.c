/*
 * From one program to the next. The text is in memory, so that nothing is left on a disk by
 * programs that are killed in the middle of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "logs/error_log.h"
#include "master/handover.h"

static const char variable[] = "H2O_BREAKER_HANDOVER";
static const char first_line[] = "h2o-breaker handover 1";

FILE *breaker__handover_begin(void)
{
    int fd = memfd_create("h2o-breaker-handover", MFD_CLOEXEC);
    FILE *file;

    if (fd == -1)
        return NULL;
    if ((file = fdopen(fd, "w+")) == NULL) {
        close(fd);
        return NULL;
    }
    fprintf(file, "%s\n", first_line);
    return file;
}

int breaker__handover_end(FILE *file)
{
    char number[16];
    int fd = -1, err = fflush(file);

    /* without close-on-exec */
    if (err == 0 && (fd = fcntl(fileno(file), F_DUPFD, 0)) == -1)
        err = -1;
    fclose(file);
    if (err != 0)
        return -1;
    lseek(fd, 0, SEEK_SET);
    snprintf(number, sizeof(number), "%d", fd);
    return setenv(variable, number, 1);
}

/* the descriptor that the environment names, or -1; it is named no more */
static int take_named(void)
{
    const char *text = getenv(variable);
    int fd = text != NULL ? atoi(text) : -1;

    unsetenv(variable);
    return fd;
}

void breaker__handover_cancel(void)
{
    int fd = take_named();

    if (fd != -1)
        close(fd);
}

static int read_lines(FILE *file, breaker__handover_cb cb, void *data)
{
    char *line = NULL;
    size_t size = 0, num = 0;
    ssize_t len;
    int err = 0;

    while (err == 0 && (len = getline(&line, &size, file)) > 0) {
        if (line[len - 1] == '\n')
            line[len - 1] = '\0';
        err = num++ == 0 ? -(strcmp(line, first_line) != 0) : cb(data, line);
    }
    if (err != 0)
        breaker__complain(BREAKER_LOG_ERROR, "handover",
                          "the program before left what this one does not know: %s", line);
    free(line);
    return num != 0 ? err : -1;
}

int breaker__handover_read(breaker__handover_cb cb, void *data)
{
    int fd = take_named(), err;
    FILE *file;

    if (fd == -1)
        return 0;
    if ((file = fdopen(fd, "r")) == NULL) {
        breaker__complain(BREAKER_LOG_ERROR, "handover", "%s names no descriptor: %s", variable,
                          strerror(errno));
        return -1;
    }
    err = read_lines(file, cb, data);
    fclose(file);
    return err == 0 ? 1 : -1;
}
