/*
 * A link may try dozens of servers for one answer, more than a line holds. Whoever reads the line
 * wants to know how it ended, so room is made at its beginning.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "redis/story.h"

#define BETWEEN "; "
#define LEFT_OUT "..." BETWEEN

void breaker__story_begin(breaker__story_t *story)
{
    story->text[0] = '\0';
}

/* What is left of the story once its oldest parts, "; " inside a part is an end too, are gone. */
static const char *drop_oldest(const char *rest, size_t room)
{
    while (strlen(rest) > room) {
        const char *end = strstr(rest, BETWEEN);
        rest = end != NULL ? end + strlen(BETWEEN) : rest + strlen(rest);
    }
    return rest;
}

void breaker__story_add(breaker__story_t *story, const char *who, const char *why)
{
    char part[BREAKER__ENDPOINT_TEXT_MAX + BREAKER__REASON_MAX + 1], told[sizeof(story->text)];
    const char *rest = story->text, *mark = "";
    char *end;
    size_t part_len, room;

    snprintf(part, sizeof(part), "%.*s: %.*s", (int)BREAKER__ENDPOINT_TEXT_MAX - 1, who,
             BREAKER__REASON_MAX - 1, why);
    part_len = strlen(part);
    room = sizeof(told) - 1 - part_len;
    assert(room >= strlen(LEFT_OUT) + strlen(BETWEEN));
    if (*rest != '\0' && strlen(rest) + strlen(BETWEEN) > room) {
        mark = LEFT_OUT;
        /* an earlier mark must go first, or it would stand there twice */
        if (strncmp(rest, LEFT_OUT, strlen(LEFT_OUT)) == 0)
            rest += strlen(LEFT_OUT);
        rest = drop_oldest(rest, room - strlen(LEFT_OUT) - strlen(BETWEEN));
    }
    end = stpcpy(stpcpy(stpcpy(told, mark), rest), *rest != '\0' ? BETWEEN : "");
    assert((size_t)(end - told) <= room);
    memcpy(end, part, part_len + 1);
    memcpy(story->text, told, sizeof(told));
}
