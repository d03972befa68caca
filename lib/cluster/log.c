/*
 * What a cluster says. A server that is down for a night must not fill a disk: a warning that was
 * said is not said again for a minute, however often its cause comes back. Different lines do not
 * hold each other back, so nothing new is lost.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "cluster/agreement.h"
#include "cluster/ledger.h"
#include "cluster/log.h"

/* of what Redis says is wrong */
#define REFUSAL_SHOWN_MAX 199

_Static_assert(BREAKER_REDIS_REASON_MAX > REFUSAL_SHOWN_MAX, "a refusal fits where a reason does");

/* "2026-11-26T13:24:43.123Z", with a year of up to six digits */
#define TIME_SIZE 32
/* what begins the times of a line */
#define SINCE " since="

static const uint64_t HASH_OF_NOTHING = UINT64_C(0xcbf29ce484222325);

/* ---- time ---- */

static const char *print_time(uint64_t wall_ms, char dst[TIME_SIZE])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;
    size_t len = 0;

    if (gmtime_r(&seconds, &parts) != NULL)
        len = strftime(dst, TIME_SIZE - 8, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(dst + len, TIME_SIZE - len, ".%03uZ", (unsigned)(wall_ms % 1000));
    return dst;
}

/* what the wall showed so long ago */
static uint64_t wall_at(breaker__moment_t now, uint64_t mono_ms)
{
    uint64_t ago_ms = now.mono_ms > mono_ms ? now.mono_ms - mono_ms : 0;

    return now.wall_ms > ago_ms ? now.wall_ms - ago_ms : 0;
}

/* ---- how often ---- */

static uint64_t hash_more(uint64_t hash, const char *text, size_t len)
{
    for (size_t i = 0; i != len; ++i)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* of a line without its times; 0 is no line */
static uint64_t hash_of(const char *line)
{
    const char *since = strstr(line, SINCE);

    return hash_more(HASH_OF_NOTHING, line, since != NULL ? (size_t)(since - line) : strlen(line)) |
           1;
}

/*
 * Within one event a line may be said with the time at which the event came after another one with
 * the time at which it was said, so time must not run backwards here.
 */
static uint64_t newest(breaker__log_t *log, uint64_t now_ms)
{
    if (log->newest_ms < now_ms)
        log->newest_ms = now_ms;
    return log->newest_ms;
}

static bool may_say(breaker__log_t *log, uint64_t now_ms, uint64_t hash)
{
    size_t oldest = 0;

    assert(hash != 0);
    for (size_t i = 0; i != BREAKER__LOG_LINES; ++i) {
        assert(log->lines[i].said_ms <= now_ms);
        if (log->lines[i].hash == hash) {
            if (now_ms - log->lines[i].said_ms < BREAKER__LOG_EVERY_MS)
                return false;
            log->lines[i].said_ms = now_ms;
            return true;
        }
        if (log->lines[i].said_ms < log->lines[oldest].said_ms)
            oldest = i;
    }
    log->lines[oldest].hash = hash;
    log->lines[oldest].said_ms = now_ms;
    return true;
}

bool breaker__log(breaker__log_t *log, breaker__moment_t now, breaker_log_level_t level,
                  const char *format, ...)
{
    char line[BREAKER__LOG_LINE_MAX], *text;
    va_list args;

    if (log->on_log == NULL)
        return false;
    print_time(now.wall_ms, line);
    text = line + strlen(line);
    *text++ = ' ';
    va_start(args, format);
    vsnprintf(text, sizeof(line) - (size_t)(text - line), format, args);
    va_end(args);
    for (char *at = text; *at != '\0'; ++at)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    /* one line, whatever was said */
    assert(strcspn(line, "\r\n") == strlen(line));
    if (level == BREAKER_LOG_WARNING && !may_say(log, newest(log, now.mono_ms), hash_of(text)))
        return false;
    log->on_log(log->data, level, line);
    return true;
}

/* ---- what ---- */

void breaker__log_trouble(breaker__log_t *log, breaker__moment_t now, const char *what,
                          const char *peer, const char *reason)
{
    assert(strchr(what, ' ') == NULL);
    breaker__log(log, now, BREAKER_LOG_WARNING,
                 "breaker: cluster app=%s trouble=%s redis=%s reason=\"%s\"", log->app, what, peer,
                 reason);
}

void breaker__log_refusal(breaker__log_t *log, breaker__moment_t now, const char *peer,
                          const breaker_reply_t *reply)
{
    char text[REFUSAL_SHOWN_MAX + 1];

    if (reply->type != BREAKER_REPLY_ERROR) {
        breaker__log_trouble(log, now, "answer", peer, "not what the script answers");
        return;
    }
    breaker_redis_refusal(reply, text, sizeof(text));
    breaker__log_trouble(log, now, "refused", peer, text);
}

void breaker__log_file(breaker__log_t *log, breaker__moment_t now, const breaker_error_t *error)
{
    assert(error->code != 0);
    breaker__log(log, now, BREAKER_LOG_WARNING,
                 "breaker: cluster app=%s trouble=state-file reason=\"%s\"", log->app,
                 error->message);
}

static const char *name_of(breaker__agreement_state_t state)
{
    switch (state) {
    case BREAKER__AGREEMENT_START:
        return "start";
    case BREAKER__AGREEMENT_LOCAL:
        return "local";
    case BREAKER__AGREEMENT_SYNCED:
        return "synced";
    case BREAKER__AGREEMENT_STALE:
        return "stale";
    }
    assert(!"a state outside its enum");
    return "";
}

/* every start that remembers its token begins stale, and nearly all are answered at once */
static bool may_be_answered(const breaker__log_t *log, uint64_t now_ms,
                            breaker__agreement_state_t state)
{
    return state == BREAKER__AGREEMENT_STALE && log->said_state == BREAKER__AGREEMENT_START &&
           now_ms < log->late_ms;
}

/* "", or for how long it was not in touch */
static const char *print_away(const breaker__log_t *log, const breaker__agreement_t *agreement,
                              char dst[TIME_SIZE])
{
    bool was_away =
        log->said_state != BREAKER__AGREEMENT_START && log->said_state != BREAKER__AGREEMENT_SYNCED;

    dst[0] = '\0';
    if (was_away && breaker__agreement_state(agreement) == BREAKER__AGREEMENT_SYNCED)
        snprintf(dst, TIME_SIZE, " away=%.1fs",
                 (double)breaker__agreement_away_ms(agreement) / 1000);
    return dst;
}

static bool say_state(breaker__log_t *log, breaker__moment_t now, const char *peer,
                      const breaker__agreement_t *agreement)
{
    breaker__agreement_state_t state = breaker__agreement_state(agreement);
    const breaker_ledger_entry_t *own = breaker__agreement_own(agreement);
    bool is_synced = state == BREAKER__AGREEMENT_SYNCED;
    char since[TIME_SIZE], away[TIME_SIZE];

    assert(own->token.len != 0);
    print_time(wall_at(now, breaker__agreement_since_ms(agreement)), since);
    return breaker__log(log, now, is_synced ? BREAKER_LOG_INFO : BREAKER_LOG_WARNING,
                        "breaker: cluster app=%s state=%s token=%s release=%s redis=%s" SINCE
                        "%s%s",
                        log->app, name_of(state), own->token.text, own->release.text, peer, since,
                        print_away(log, agreement, away));
}

void breaker__log_transition(breaker__log_t *log, breaker__moment_t now, const char *peer,
                             const breaker__agreement_t *agreement)
{
    breaker__agreement_state_t state = breaker__agreement_state(agreement);

    /* it has a token in every state but the first */
    assert((breaker__agreement_own(agreement) == NULL) == (state == BREAKER__AGREEMENT_START));
    if (state == BREAKER__AGREEMENT_START || state == log->said_state ||
        may_be_answered(log, now.mono_ms, state))
        return;
    if (say_state(log, now, peer, agreement))
        log->said_state = state;
}

/* ---- news ---- */

static const breaker_ledger_entry_t *find(const breaker_ledger_t *ledger,
                                          const breaker_token_t *token)
{
    return breaker__ledger_find(ledger, token->text, token->len);
}

/* whence an entry is, as far as the last answer tells */
static breaker_origin_t origin_of(const breaker__news_t *news, const breaker_token_t *token)
{
    assert(token->len != 0);
    for (size_t i = 0; i != news->num_entries; ++i)
        if (breaker_token_equal(&news->entries[i].token, token))
            return news->origins[i];
    return (breaker_origin_t){.why = BREAKER_WHY_UNKNOWN};
}

/* the release's entry before this one, or NULL */
static const breaker_ledger_entry_t *find_before(const breaker_ledger_t *ledger,
                                                 const breaker_ledger_entry_t *entry)
{
    for (size_t at = breaker_ledger_size(ledger); at-- != 0;) {
        const breaker_ledger_entry_t *other = breaker_ledger_at(ledger, at);
        if (other->order < entry->order &&
            breaker_release_id_equal(&other->release, &entry->release))
            return other;
    }
    return NULL;
}

/* what becomes of a release: `before` is its token until now, or NULL */
static void say_move(breaker__log_t *log, breaker__moment_t now,
                     const breaker_ledger_entry_t *entry, const breaker_token_t *before,
                     const breaker_origin_t *origin, bool is_own)
{
    char minted[TIME_SIZE] = "-";

    if (origin->when_ms != 0)
        print_time(origin->when_ms, minted);
    breaker__log(log, now, BREAKER_LOG_INFO,
                 "breaker: cluster app=%s event=%s token=%s before=%s release=%s own=%s why=%s "
                 "other-release=%s minted=%s",
                 log->app, before != NULL ? "moved" : "appeared", entry->token.text,
                 before != NULL ? before->text : "-", entry->release.text, is_own ? "yes" : "no",
                 breaker_script_why(origin->why), origin->what.len != 0 ? origin->what.text : "-",
                 minted);
}

/* another release has the token: the operator gave both the same, or they minted alike */
static const breaker_ledger_entry_t *find_loss(const breaker__agreement_t *agreement,
                                               const breaker_token_t *token)
{
    const breaker_release_id_t *release = &breaker__agreement_config(agreement)->release;
    const breaker_ledger_entry_t *there = find(breaker__agreement_ledger(agreement), token);

    assert(release->len != 0);
    return there != NULL && !breaker_release_id_equal(&there->release, release) ? there : NULL;
}

static void say_lost(breaker__log_t *log, breaker__moment_t now,
                     const breaker__agreement_t *agreement, const breaker_ledger_entry_t *there)
{
    const breaker_ledger_entry_t *own = breaker__agreement_own(agreement);

    breaker__log(log, now, BREAKER_LOG_WARNING,
                 "breaker: cluster app=%s trouble=token-conflict token=%s other-release=%s "
                 "release=%s moved-on-to=%s",
                 log->app, there->token.text, there->release.text,
                 breaker__agreement_config(agreement)->release.text,
                 own != NULL ? own->token.text : "-");
}

static void say_kept(breaker__log_t *log, breaker__moment_t now,
                     const breaker__agreement_t *agreement, const breaker_ledger_entry_t *other)
{
    const breaker_ledger_entry_t *own = breaker__agreement_own(agreement);

    breaker__log(log, now, BREAKER_LOG_WARNING,
                 "breaker: cluster app=%s trouble=token-conflict token=%s other-release=%s "
                 "release=%s other-moved-on-to=%s",
                 log->app, own != NULL ? own->token.text : "-", other->release.text,
                 breaker__agreement_config(agreement)->release.text, other->token.text);
}

/* the token that was the release's before the answer, or the operator's, is another one's */
static const breaker_ledger_entry_t *find_conflict(const breaker__agreement_t *agreement,
                                                   const breaker_ledger_entry_t *before)
{
    const breaker_agreement_config_t *config = breaker__agreement_config(agreement);
    const breaker_ledger_entry_t *there = NULL;

    assert(before->token.len == 0 || before->release.len != 0);
    if (before->token.len != 0 && breaker_release_id_equal(&before->release, &config->release))
        there = find_loss(agreement, &before->token);
    if (there == NULL && config->fixed.len != 0)
        there = find_loss(agreement, &config->fixed);
    return there;
}

void breaker__log_own(breaker__log_t *log, breaker__moment_t now,
                      const breaker__agreement_t *agreement, const breaker_ledger_entry_t *before)
{
    const breaker_ledger_entry_t *own = breaker__agreement_own(agreement);
    breaker_origin_t origin;

    /* once it has a token it is never without one again */
    assert(before->token.len == 0 || own != NULL);
    if (before->token.len == 0 || breaker_token_equal(&own->token, &before->token))
        return;
    origin = origin_of(breaker__agreement_news(agreement), &own->token);
    say_move(log, now, own, &before->token, &origin, true);
}

static void log_other(breaker__log_t *log, breaker__moment_t now,
                      const breaker__agreement_t *agreement, const breaker_ledger_entry_t *entry,
                      const breaker_origin_t *origin)
{
    const breaker_release_id_t *release = &breaker__agreement_config(agreement)->release;
    const breaker_ledger_entry_t *before = find_before(breaker__agreement_ledger(agreement), entry);

    assert(!breaker_release_id_equal(&entry->release, release));
    if (origin->why == BREAKER_WHY_CONFLICT && breaker_release_id_equal(&origin->what, release))
        say_kept(log, now, agreement, entry);
    else
        say_move(log, now, entry, before != NULL ? &before->token : NULL, origin, false);
}

/* of each other release what is its newest now */
static void log_others(breaker__log_t *log, breaker__moment_t now,
                       const breaker__agreement_t *agreement)
{
    const breaker_release_id_t *release = &breaker__agreement_config(agreement)->release;
    const breaker_ledger_t *ledger = breaker__agreement_ledger(agreement);
    const breaker__news_t *news = breaker__agreement_news(agreement);
    size_t num = 0;

    for (size_t i = 0; i != news->num_entries; ++i) {
        const breaker_ledger_entry_t *entry = news->entries + i;
        if (breaker_release_id_equal(&entry->release, release) ||
            breaker_ledger_newest(ledger, &entry->release) != find(ledger, &entry->token))
            continue;
        if (num++ < BREAKER__LOG_NEWS_MAX)
            log_other(log, now, agreement, entry, news->origins + i);
    }
    if (num > BREAKER__LOG_NEWS_MAX)
        breaker__log(log, now, BREAKER_LOG_INFO, "breaker: cluster app=%s event=appeared more=%zu",
                     log->app, num - BREAKER__LOG_NEWS_MAX);
}

void breaker__log_news(breaker__log_t *log, breaker__moment_t now,
                       const breaker__agreement_t *agreement, const breaker_ledger_entry_t *before)
{
    const breaker_ledger_entry_t *conflict = find_conflict(agreement, before);

    assert(before != breaker__agreement_own(agreement));
    if (conflict != NULL)
        say_lost(log, now, agreement, conflict);
    breaker__log_own(log, now, agreement, before);
    if (!breaker__agreement_news(agreement)->is_first)
        log_others(log, now, agreement);
}

/* ---- what others have otherwise ---- */

void breaker__log_clash(breaker__log_t *log, breaker__moment_t now,
                        const breaker__agreement_t *agreement)
{
    const breaker_release_id_t *release = &breaker__agreement_config(agreement)->release;
    const breaker_ledger_entry_t *other =
        breaker__ledger_find_clash(breaker__agreement_ledger(agreement), release);

    if (other == NULL || breaker_release_id_equal(&other->release, &log->said_clash))
        return;
    if (breaker__log(log, now, BREAKER_LOG_WARNING,
                     "breaker: cluster app=%s trouble=label-reused release=%s other-release=%s "
                     "other-token=%s hint=\"the same label, other files or headers: is the build "
                     "reproducible?\"",
                     log->app, release->text, other->release.text, other->token.text))
        log->said_clash = other->release;
}

void breaker__log_dead_after(breaker__log_t *log, breaker__moment_t now,
                             const breaker__agreement_t *agreement,
                             const breaker_script_answer_t *answer)
{
    uint64_t own_ms = breaker__agreement_config(agreement)->dead_after_ms, hash = HASH_OF_NOTHING;
    const breaker_script_release_t *first = NULL;
    size_t num = 0;

    assert(answer->has_releases);
    for (size_t i = 0; i != answer->num_releases; ++i) {
        const breaker_script_release_t *other = answer->releases + i;
        if (other->dead_after_ms == own_ms)
            continue;
        hash = hash_more(hash, other->id.text, other->id.len) ^ other->dead_after_ms;
        first = first != NULL ? first : other;
        ++num;
    }
    if (num != 0 && hash != log->said_dead_after)
        breaker__log(log, now, BREAKER_LOG_WARNING,
                     "breaker: cluster app=%s trouble=dead-after own=%.1fs others=%.1fs "
                     "other-release=%s releases=%zu hint=\"the longer one decides\"",
                     log->app, (double)own_ms / 1000, (double)first->dead_after_ms / 1000,
                     first->id.text, num);
    log->said_dead_after = num != 0 ? hash : 0;
}

/* ---- the end ---- */

void breaker__log_leave(breaker__log_t *log, breaker__moment_t now, const char *peer,
                        const breaker__agreement_t *agreement, bool is_told)
{
    const breaker_ledger_entry_t *own = breaker__agreement_own(agreement);

    assert(log->app != NULL);
    breaker__log(log, now, BREAKER_LOG_INFO,
                 "breaker: cluster app=%s event=leaving token=%s release=%s redis=%s told=%s",
                 log->app, own != NULL ? own->token.text : "-",
                 breaker__agreement_config(agreement)->release.text, peer, is_told ? "yes" : "no");
}
