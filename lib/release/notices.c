/*
 * A tree with a thousand stale siblings must not write a thousand lines into a log, nor hide the
 * one dangling link among them: every kind of notice is told BREAKER_NOTICES_MAX times and then
 * counted. A line is made where an error's line is made, so that a file name cannot break it.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "release/notices.h"
#include "view/view.h"

static const char *text_of(size_t kind)
{
    static const char *const texts[] = {
#define X(name, text) text,
        BREAKER__NOTICES(X)
#undef X
    };

    assert(kind < BREAKER__NOTICE_KINDS);
    return texts[kind];
}

void breaker__notices_init(breaker__notices_t *notices, const breaker_release_hooks_t *hooks,
                           const breaker_view_t *view, const char *directory)
{
    memset(notices, 0, sizeof(*notices));
    notices->hooks = hooks;
    notices->view = view;
    notices->directory = directory;
}

void breaker__notices_add(breaker__notices_t *notices, breaker__notice_t kind, const char *path)
{
    assert(kind < BREAKER__NOTICE_KINDS);
    if (notices->counts[kind]++ < BREAKER_NOTICES_MAX)
        breaker__notice_tell(notices->hooks, notices->view, notices->directory, path,
                             text_of(kind));
}

void breaker__notice_tell(const breaker_release_hooks_t *hooks, const breaker_view_t *view,
                          const char *directory, const char *path, const char *text)
{
    char place[BREAKER_PLACE_MAX], shown[BREAKER__VIEW_SHOWN_SIZE];
    breaker_error_t line;

    assert(directory != NULL);
    if (hooks->on_notice == NULL)
        return;
    breaker__place_format(directory, path, place);
    breaker_error_set(&line, BREAKER_ERR_STATE, "view %s: %s: %s", breaker__view_show(view, shown),
                      place, text);
    hooks->on_notice(hooks->notice_data, line.message);
}

void breaker__notices_finish(breaker__notices_t *notices)
{
    char shown[BREAKER__VIEW_SHOWN_SIZE];
    breaker_error_t line;

    if (notices->hooks->on_notice == NULL)
        return;
    for (size_t kind = 0; kind != BREAKER__NOTICE_KINDS; ++kind) {
        if (notices->counts[kind] <= BREAKER_NOTICES_MAX)
            continue;
        breaker_error_set(&line, BREAKER_ERR_STATE, "view %s: %zu more: %s",
                          breaker__view_show(notices->view, shown),
                          notices->counts[kind] - BREAKER_NOTICES_MAX, text_of(kind));
        notices->hooks->on_notice(notices->hooks->notice_data, line.message);
    }
}

void breaker__place_format(const char *directory, const char *path, char *dst)
{
    size_t directory_len = strlen(directory), path_len = strlen(path);
    bool closed = directory_len != 0 && directory[directory_len - 1] == '/';
    const char *slash = path_len == 0 || closed ? "" : "/";
    size_t need = directory_len + strlen(slash) + path_len;

    if (need < BREAKER_PLACE_MAX)
        snprintf(dst, BREAKER_PLACE_MAX, "%s%s%s", directory, slash, path);
    else if (path_len + 4 < BREAKER_PLACE_MAX)
        snprintf(dst, BREAKER_PLACE_MAX, "...%s%s", slash, path);
    else
        snprintf(dst, BREAKER_PLACE_MAX, "...%s", path + path_len - (BREAKER_PLACE_MAX - 4));
}
