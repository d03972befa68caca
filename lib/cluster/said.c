/*
 * What a cluster says. A state is said when it changes, news when they come, and what others have
 * otherwise once; what was said is remembered here, and nothing of it decides anything.
 */
#include <assert.h>
#include <string.h>
#include "cluster/agreement.h"
#include "cluster/ledger.h"
#include "cluster/said.h"

/* of what Redis says is wrong */
#define REFUSAL_SHOWN_MAX 199

_Static_assert(BREAKER_REDIS_REASON_MAX > REFUSAL_SHOWN_MAX, "a refusal fits where a reason does");

static const uint64_t HASH_OF_NOTHING = UINT64_C(0xcbf29ce484222325);

/* ---- time ---- */

/* what the wall showed so long ago */
static uint64_t wall_at(breaker__moment_t now, uint64_t mono_ms)
{
    uint64_t ago_ms = now.mono_ms > mono_ms ? now.mono_ms - mono_ms : 0;

    return now.wall_ms > ago_ms ? now.wall_ms - ago_ms : 0;
}

/* ---- fields ---- */

/* there is no peer before the first connection */
static breaker_log_field_t redis_field(const char *peer)
{
    return breaker_log_word("redis", peer[0] != '\0' ? peer : NULL);
}

static breaker_log_field_t token_field(const char *key, const breaker_token_t *token)
{
    return breaker_log_word(key, token != NULL && token->len != 0 ? token->text : NULL);
}

static breaker_log_field_t release_field(const char *key, const breaker_release_id_t *release)
{
    return breaker_log_word(key, release->len != 0 ? release->text : NULL);
}

static const breaker_token_t *token_of(const breaker_ledger_entry_t *entry)
{
    return entry != NULL ? &entry->token : NULL;
}

/* the own release, whatever it is called */
static breaker_log_field_t own_release(const breaker__agreement_t *agreement)
{
    return release_field("release", &breaker__agreement_config(agreement)->release);
}

/* ---- what ---- */

void breaker__said_trouble(breaker__said_t *said, breaker__moment_t now, const char *what,
                           const char *peer, const char *reason)
{
    assert(strchr(what, ' ') == NULL);
    breaker__log(&said->log, now, BREAKER_LOG_WARNING, BREAKER_LOG_TROUBLE, what, redis_field(peer),
                 breaker_log_text("reason", reason));
}

void breaker__said_refusal(breaker__said_t *said, breaker__moment_t now, const char *peer,
                           const breaker_reply_t *reply)
{
    char text[REFUSAL_SHOWN_MAX + 1];

    if (reply->type != BREAKER_REPLY_ERROR) {
        breaker__said_trouble(said, now, "answer", peer, "not what the script answers");
        return;
    }
    breaker_redis_refusal(reply, text, sizeof(text));
    breaker__said_trouble(said, now, "refused", peer, text);
}

void breaker__said_file(breaker__said_t *said, breaker__moment_t now, const breaker_error_t *error)
{
    assert(error->code != 0);
    breaker__log(&said->log, now, BREAKER_LOG_WARNING, BREAKER_LOG_TROUBLE, "state-file",
                 breaker_log_text("reason", error->message));
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
static bool may_be_answered(const breaker__said_t *said, uint64_t now_ms,
                            breaker__agreement_state_t state)
{
    return state == BREAKER__AGREEMENT_STALE && said->state == BREAKER__AGREEMENT_START &&
           now_ms < said->late_ms;
}

/* it was not in touch, and is again */
static bool is_back(const breaker__said_t *said, const breaker__agreement_t *agreement)
{
    bool was_away =
        said->state != BREAKER__AGREEMENT_START && said->state != BREAKER__AGREEMENT_SYNCED;

    return was_away && breaker__agreement_state(agreement) == BREAKER__AGREEMENT_SYNCED;
}

static bool say_state(breaker__said_t *said, breaker__moment_t now, const char *peer,
                      const breaker__agreement_t *agreement)
{
    breaker__agreement_state_t state = breaker__agreement_state(agreement);
    const breaker_ledger_entry_t *own = breaker__agreement_own(agreement);
    bool is_synced = state == BREAKER__AGREEMENT_SYNCED;
    const breaker_log_field_t fields[] = {
        token_field("token", token_of(own)),
        release_field("release", &own->release),
        redis_field(peer),
        breaker_log_time("since", wall_at(now, breaker__agreement_since_ms(agreement))),
        breaker_log_span("away", breaker__agreement_away_ms(agreement)),
    };
    const breaker_log_event_t event = {
        .level = is_synced ? BREAKER_LOG_INFO : BREAKER_LOG_WARNING,
        .kind = BREAKER_LOG_STATE,
        .name = name_of(state),
        .fields = fields,
        .num_fields = is_back(said, agreement) ? 5 : 4,
    };

    assert(own->token.len != 0);
    return breaker__log_say(&said->log, now, &event);
}

void breaker__said_transition(breaker__said_t *said, breaker__moment_t now, const char *peer,
                              const breaker__agreement_t *agreement)
{
    breaker__agreement_state_t state = breaker__agreement_state(agreement);

    /* it has a token in every state but the first */
    assert((breaker__agreement_own(agreement) == NULL) == (state == BREAKER__AGREEMENT_START));
    if (state == BREAKER__AGREEMENT_START || state == said->state ||
        may_be_answered(said, now.mono_ms, state))
        return;
    if (say_state(said, now, peer, agreement))
        said->state = state;
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
static void say_move(breaker__said_t *said, breaker__moment_t now,
                     const breaker_ledger_entry_t *entry, const breaker_token_t *before,
                     const breaker_origin_t *origin, bool is_own)
{
    breaker__log(&said->log, now, BREAKER_LOG_INFO, BREAKER_LOG_EVENT,
                 before != NULL ? "moved" : "appeared", token_field("token", &entry->token),
                 token_field("before", before), release_field("release", &entry->release),
                 breaker_log_flag("own", is_own),
                 breaker_log_word("why", breaker_script_why(origin->why)),
                 release_field("other-release", &origin->what),
                 origin->when_ms != 0 ? breaker_log_time("minted", origin->when_ms)
                                      : breaker_log_word("minted", NULL));
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

static void say_lost(breaker__said_t *said, breaker__moment_t now,
                     const breaker__agreement_t *agreement, const breaker_ledger_entry_t *there)
{
    breaker__log(&said->log, now, BREAKER_LOG_WARNING, BREAKER_LOG_TROUBLE, "token-conflict",
                 token_field("token", &there->token),
                 release_field("other-release", &there->release), own_release(agreement),
                 token_field("moved-on-to", token_of(breaker__agreement_own(agreement))));
}

static void say_kept(breaker__said_t *said, breaker__moment_t now,
                     const breaker__agreement_t *agreement, const breaker_ledger_entry_t *other)
{
    breaker__log(&said->log, now, BREAKER_LOG_WARNING, BREAKER_LOG_TROUBLE, "token-conflict",
                 token_field("token", token_of(breaker__agreement_own(agreement))),
                 release_field("other-release", &other->release), own_release(agreement),
                 token_field("other-moved-on-to", &other->token));
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

void breaker__said_own(breaker__said_t *said, breaker__moment_t now,
                       const breaker__agreement_t *agreement, const breaker_ledger_entry_t *before)
{
    const breaker_ledger_entry_t *own = breaker__agreement_own(agreement);
    breaker_origin_t origin;

    /* once it has a token it is never without one again */
    assert(before->token.len == 0 || own != NULL);
    if (before->token.len == 0 || breaker_token_equal(&own->token, &before->token))
        return;
    origin = origin_of(breaker__agreement_news(agreement), &own->token);
    say_move(said, now, own, &before->token, &origin, true);
}

static void say_other(breaker__said_t *said, breaker__moment_t now,
                      const breaker__agreement_t *agreement, const breaker_ledger_entry_t *entry,
                      const breaker_origin_t *origin)
{
    const breaker_release_id_t *release = &breaker__agreement_config(agreement)->release;
    const breaker_ledger_entry_t *before = find_before(breaker__agreement_ledger(agreement), entry);

    assert(!breaker_release_id_equal(&entry->release, release));
    if (origin->why == BREAKER_WHY_CONFLICT && breaker_release_id_equal(&origin->what, release))
        say_kept(said, now, agreement, entry);
    else
        say_move(said, now, entry, before != NULL ? &before->token : NULL, origin, false);
}

/* of each other release what is its newest now */
static void say_others(breaker__said_t *said, breaker__moment_t now,
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
        if (num++ < BREAKER__SAID_NEWS_MAX)
            say_other(said, now, agreement, entry, news->origins + i);
    }
    if (num > BREAKER__SAID_NEWS_MAX)
        breaker__log(&said->log, now, BREAKER_LOG_INFO, BREAKER_LOG_EVENT, "appeared",
                     breaker_log_number("more", num - BREAKER__SAID_NEWS_MAX));
}

void breaker__said_news(breaker__said_t *said, breaker__moment_t now,
                        const breaker__agreement_t *agreement, const breaker_ledger_entry_t *before)
{
    const breaker_ledger_entry_t *conflict = find_conflict(agreement, before);

    assert(before != breaker__agreement_own(agreement));
    if (conflict != NULL)
        say_lost(said, now, agreement, conflict);
    breaker__said_own(said, now, agreement, before);
    if (!breaker__agreement_news(agreement)->is_first)
        say_others(said, now, agreement);
}

/* ---- what Redis lacked ---- */

void breaker__said_restored(breaker__said_t *said, breaker__moment_t now, const char *peer,
                            const breaker__poll_t *poll, const breaker_answer_t *answer)
{
    size_t num = 0;

    /* the first one goes along always */
    for (size_t i = 1; i < poll->num_entries; ++i)
        for (size_t j = 0; j != answer->num_entries; ++j)
            num += breaker__ledger_entry_compare(poll->entries + i, answer->entries + j) == 0;
    if (num != 0)
        breaker__log(&said->log, now, BREAKER_LOG_INFO, BREAKER_LOG_EVENT, "restored",
                     breaker_log_number("entries", num), redis_field(peer));
}

/* ---- what others have otherwise ---- */

static uint64_t hash_more(uint64_t hash, const char *text, size_t len)
{
    for (size_t i = 0; i != len; ++i)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return hash;
}

void breaker__said_clash(breaker__said_t *said, breaker__moment_t now,
                         const breaker__agreement_t *agreement)
{
    const breaker_release_id_t *release = &breaker__agreement_config(agreement)->release;
    const breaker_ledger_entry_t *other =
        breaker__ledger_find_clash(breaker__agreement_ledger(agreement), release);

    if (other == NULL || breaker_release_id_equal(&other->release, &said->clash))
        return;
    if (breaker__log(&said->log, now, BREAKER_LOG_WARNING, BREAKER_LOG_TROUBLE, "label-reused",
                     release_field("release", release),
                     release_field("other-release", &other->release),
                     token_field("other-token", &other->token),
                     breaker_log_text("hint", "the same label, other files or headers: is the "
                                              "build reproducible?")))
        said->clash = other->release;
}

void breaker__said_dead_after(breaker__said_t *said, breaker__moment_t now,
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
    if (num != 0 && hash != said->dead_after)
        breaker__log(
            &said->log, now, BREAKER_LOG_WARNING, BREAKER_LOG_TROUBLE, "dead-after",
            breaker_log_span("own", own_ms), breaker_log_span("others", first->dead_after_ms),
            release_field("other-release", &first->id), breaker_log_number("releases", num),
            breaker_log_text("hint", "the longer one decides"));
    said->dead_after = num != 0 ? hash : 0;
}

/* ---- the end ---- */

void breaker__said_leave(breaker__said_t *said, breaker__moment_t now, const char *peer,
                         const breaker__agreement_t *agreement, bool is_told)
{
    assert(said->log.app != NULL);
    breaker__log(&said->log, now, BREAKER_LOG_INFO, BREAKER_LOG_EVENT, "leaving",
                 token_field("token", token_of(breaker__agreement_own(agreement))),
                 own_release(agreement), redis_field(peer), breaker_log_flag("told", is_told));
}
