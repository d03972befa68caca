/*
 * What a cluster says. A server that is down for a night must not fill a disk: a warning that was
 * said is not said again for a minute, however often its cause comes back. Different lines do not
 * hold each other back, so nothing new is lost.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "cluster/agreement.h"
#include "cluster/ledger.h"
#include "cluster/log.h"

/* of what Redis says is wrong */
#define REFUSAL_SHOWN_MAX 199

_Static_assert(BREAKER_REDIS_REASON_MAX > REFUSAL_SHOWN_MAX, "a refusal fits where a reason does");

/* ---- how often ---- */

static uint64_t hash_of(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *text != '\0'; ++text)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    /* 0 is no line */
    return hash | 1;
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

bool breaker__log(breaker__log_t *log, uint64_t now_ms, breaker_log_level_t level,
                  const char *format, ...)
{
    char line[BREAKER__LOG_LINE_MAX];
    va_list args;

    if (log->on_log == NULL)
        return false;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    for (char *at = line; *at != '\0'; ++at)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    /* one line, whatever was said */
    assert(strcspn(line, "\r\n") == strlen(line));
    if (level == BREAKER_LOG_WARNING && !may_say(log, now_ms, hash_of(line)))
        return false;
    log->on_log(log->data, level, line);
    return true;
}

/* ---- what ---- */

void breaker__log_trouble(breaker__log_t *log, uint64_t now_ms, const char *what, const char *peer,
                          const char *reason)
{
    assert(strchr(what, ' ') == NULL);
    breaker__log(log, now_ms, BREAKER_LOG_WARNING,
                 "breaker: cluster app=%s trouble=%s redis=%s reason=\"%s\"", log->app, what, peer,
                 reason);
}

void breaker__log_refusal(breaker__log_t *log, uint64_t now_ms, const char *peer,
                          const breaker_reply_t *reply)
{
    char text[REFUSAL_SHOWN_MAX + 1];

    if (reply->type != BREAKER_REPLY_ERROR) {
        breaker__log_trouble(log, now_ms, "answer", peer, "not what the script answers");
        return;
    }
    breaker_redis_refusal(reply, text, sizeof(text));
    breaker__log_trouble(log, now_ms, "refused", peer, text);
}

void breaker__log_file(breaker__log_t *log, uint64_t now_ms, const breaker_error_t *error)
{
    assert(error->code != 0);
    breaker__log(log, now_ms, BREAKER_LOG_WARNING,
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

void breaker__log_transition(breaker__log_t *log, uint64_t now_ms, const char *peer,
                             const breaker__agreement_t *agreement)
{
    breaker__agreement_state_t state = breaker__agreement_state(agreement);
    const breaker_ledger_entry_t *own = breaker__agreement_own(agreement);
    bool said;

    /* it has a token in every state but the first */
    assert((own == NULL) == (state == BREAKER__AGREEMENT_START));
    if (own == NULL || may_be_answered(log, now_ms, state))
        return;
    if (state == log->said_state && breaker_token_equal(&own->token, &log->said_token))
        return;
    said = breaker__log(log, now_ms,
                        state == BREAKER__AGREEMENT_SYNCED ? BREAKER_LOG_INFO : BREAKER_LOG_WARNING,
                        "breaker: cluster app=%s state=%s token=%s release=%s redis=%s", log->app,
                        name_of(state), own->token.text, own->release.text, peer);
    if (!said)
        return;
    assert(own->token.len != 0);
    log->said_state = state;
    log->said_token = own->token;
}

void breaker__log_conflict(breaker__log_t *log, uint64_t now_ms,
                           const breaker__agreement_t *agreement, const breaker_token_t *token)
{
    const breaker_release_id_t *release = &breaker__agreement_config(agreement)->release;
    const breaker_ledger_entry_t *own = breaker__agreement_own(agreement);
    const breaker_ledger_entry_t *there =
        breaker__ledger_find(breaker__agreement_ledger(agreement), token->text, token->len);

    if (there == NULL || breaker_release_id_equal(&there->release, release))
        return;
    breaker__log(log, now_ms, BREAKER_LOG_WARNING,
                 "breaker: cluster app=%s trouble=token-conflict token=%s other-release=%s "
                 "release=%s moved-on-to=%s",
                 log->app, token->text, there->release.text, release->text,
                 own != NULL ? own->token.text : "-");
}

void breaker__log_clash(breaker__log_t *log, uint64_t now_ms, const breaker__agreement_t *agreement)
{
    const breaker_release_id_t *release = &breaker__agreement_config(agreement)->release;
    const breaker_ledger_entry_t *other =
        breaker__ledger_find_clash(breaker__agreement_ledger(agreement), release);

    if (other == NULL || breaker_release_id_equal(&other->release, &log->said_clash))
        return;
    if (breaker__log(log, now_ms, BREAKER_LOG_WARNING,
                     "breaker: cluster app=%s trouble=label-reused release=%s other-release=%s "
                     "other-token=%s hint=\"the same label, other files or headers: is the build "
                     "reproducible?\"",
                     log->app, release->text, other->release.text, other->token.text))
        log->said_clash = other->release;
}
