/* Redis and the script as the protocol describes them; see meeting.h. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cluster/agreement.h"
#include "cluster/mint.h"
#include "meeting.h"

static bool same(const breaker_token_t *a, const breaker_token_t *b)
{
    return strcmp(a->text, b->text) == 0;
}

static bool same_release(const breaker_release_id_t *a, const breaker_release_id_t *b)
{
    return strcmp(a->text, b->text) == 0;
}

static breaker_ledger_entry_t *fact_of(meeting_t *meeting, const breaker_token_t *token)
{
    for (size_t i = 0; i != meeting->num_facts; ++i)
        if (same(&meeting->facts[i].token, token))
            return meeting->facts + i;
    return NULL;
}

/* as a sorted set has them: by score, then by the bytes of the member */
static int compare_facts(const breaker_ledger_entry_t *a, const breaker_ledger_entry_t *b)
{
    char a_member[200], b_member[200];

    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    snprintf(a_member, sizeof(a_member), "%s %s", a->token.text, a->release.text);
    snprintf(b_member, sizeof(b_member), "%s %s", b->token.text, b->release.text);
    return strcmp(a_member, b_member);
}

static void sort_facts(meeting_t *meeting)
{
    for (size_t i = 1; i < meeting->num_facts; ++i)
        for (size_t at = i; at != 0; --at) {
            breaker_ledger_entry_t fact = meeting->facts[at];
            breaker_origin_t origin = meeting->origins[at];
            if (compare_facts(&meeting->facts[at - 1], &fact) <= 0)
                break;
            meeting->facts[at] = meeting->facts[at - 1];
            meeting->origins[at] = meeting->origins[at - 1];
            meeting->facts[at - 1] = fact;
            meeting->origins[at - 1] = origin;
        }
}

static void add_fact(meeting_t *meeting, const breaker_ledger_entry_t *fact,
                     breaker_origin_t origin)
{
    assert(meeting->num_facts != FACTS_MAX);
    meeting->origins[meeting->num_facts] = origin;
    meeting->facts[meeting->num_facts++] = *fact;
    sort_facts(meeting);
}

static void remove_fact(meeting_t *meeting, size_t at)
{
    size_t after = --meeting->num_facts - at;

    memmove(meeting->facts + at, meeting->facts + at + 1, after * sizeof(meeting->facts[0]));
    memmove(meeting->origins + at, meeting->origins + at + 1, after * sizeof(meeting->origins[0]));
}

const breaker_ledger_entry_t *meeting_newest(const meeting_t *meeting,
                                             const breaker_release_id_t *release)
{
    const breaker_ledger_entry_t *newest = NULL;

    for (size_t i = 0; i != meeting->num_facts; ++i)
        if (same_release(&meeting->facts[i].release, release))
            newest = meeting->facts + i;
    return newest;
}

/* what the caller's release and another one claim both */
typedef struct st_clash_t {
    bool is_any;
    uint64_t order;
    breaker_release_id_t what;
} clash_t;

static void note_clash(clash_t *clash, uint64_t order, const breaker_release_id_t *what)
{
    if (clash->is_any && order < clash->order)
        return;
    *clash = (clash_t){true, order, *what};
}

/*
 * Who puts an entry back says why it was there, if that is known. A release's own is new else, but
 * for what was proposed for a known one by a node that could not ask: it may have forgotten.
 */
static breaker_origin_t origin_of(const meeting_t *meeting, const breaker__poll_t *poll, size_t at,
                                  const breaker_release_id_t *mine)
{
    breaker_origin_t origin = poll->origins[at];

    if (origin.why == BREAKER_WHY_UNKNOWN && at == 0 &&
        same_release(&poll->entries[0].release, mine))
        origin.why = poll->is_local && meeting_newest(meeting, mine) != NULL ? BREAKER_WHY_RETURN
                                                                             : BREAKER_WHY_JOIN;
    return origin;
}

static clash_t merge(meeting_t *meeting, const caller_t *caller, const breaker__poll_t *poll)
{
    const breaker_release_id_t *mine = &caller->config->release;
    clash_t clash = {.is_any = false};

    for (size_t i = 0; i != poll->num_entries; ++i) {
        const breaker_ledger_entry_t *told = poll->entries + i;
        breaker_ledger_entry_t *known = fact_of(meeting, &told->token);
        if (known == NULL) {
            add_fact(meeting, told, origin_of(meeting, poll, i, mine));
        } else if (same_release(&known->release, &told->release)) {
            if (told->order < known->order)
                known->order = told->order;
            sort_facts(meeting);
        } else if (same_release(&told->release, mine)) {
            note_clash(&clash, told->order, &known->release);
        } else if (same_release(&known->release, mine)) {
            note_clash(&clash, told->order, &told->release);
        }
    }
    return clash;
}

/* ---- time ---- */

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t interval_ms(const meeting_t *meeting, const caller_t *caller)
{
    return larger(caller->config->poll_ms, (meeting->fleet + 1) / 2);
}

/* within this everybody who lives is back */
static uint64_t return_ms(const meeting_t *meeting, const caller_t *caller)
{
    uint64_t cap_ms = smaller(larger(5 * meeting->fleet, 1500), 30000);

    return cap_ms + 2 * interval_ms(meeting, caller) + 2000;
}

/* only time that somebody was heard in counts */
static void pass_time(meeting_t *meeting, uint64_t now_ms, const caller_t *caller)
{
    bool is_back = meeting->is_heard && now_ms < meeting->heard_ms;
    uint64_t gap_ms = meeting->is_heard && !is_back ? now_ms - meeting->heard_ms : 0;

    if (!meeting->is_heard || gap_ms > 2 * interval_ms(meeting, caller))
        meeting->cut_ms = meeting->served_ms + return_ms(meeting, caller);
    else
        meeting->served_ms += gap_ms;
    meeting->is_heard = true;
    meeting->heard_ms = now_ms;
}

static void count_fleet(meeting_t *meeting, uint64_t now_ms, const caller_t *caller)
{
    uint64_t lately_ms = 3 * interval_ms(meeting, caller), num = 0;

    if (meeting->counted_ms != 0 && now_ms >= meeting->counted_ms &&
        now_ms - meeting->counted_ms < 1000)
        return;
    for (size_t i = 0; i != meeting->num_attendants; ++i)
        num += meeting->attendants[i].seen_ms + lately_ms >= now_ms;
    meeting->fleet = larger(larger(num, meeting->fleet - (meeting->fleet + 7) / 8), 1);
    meeting->counted_ms = now_ms;
}

/* ---- who lives ---- */

static kind_t *find_kind(meeting_t *meeting, unsigned release)
{
    for (size_t i = 0; i != meeting->num_kinds; ++i)
        if (meeting->kinds[i].release == release)
            return meeting->kinds + i;
    return NULL;
}

static void note_kind(meeting_t *meeting, const caller_t *caller)
{
    kind_t *kind = find_kind(meeting, caller->release);

    if (kind == NULL) {
        assert(meeting->num_kinds != KINDS_MAX);
        kind = meeting->kinds + meeting->num_kinds++;
    }
    *kind = (kind_t){caller->release, meeting->served_ms, caller->config->dead_after_ms};
}

void meeting_leave(meeting_t *meeting, const caller_t *caller)
{
    size_t num = 0;

    for (size_t i = 0; i != meeting->num_attendants; ++i)
        if (meeting->attendants[i].id != caller->id)
            meeting->attendants[num++] = meeting->attendants[i];
    meeting->num_attendants = num;
}

static void attend(meeting_t *meeting, uint64_t now_ms, const caller_t *caller)
{
    uint64_t keep_ms = larger(caller->config->dead_after_ms, 600000);
    size_t num = 0;

    if (caller->id == 0)
        return;
    meeting_leave(meeting, caller);
    for (size_t i = 0; i != meeting->num_attendants; ++i) {
        const attendant_t *other = meeting->attendants + i;
        if (other->seen_ms + keep_ms >= now_ms && other->seen_ms <= now_ms + keep_ms)
            meeting->attendants[num++] = *other;
    }
    assert(num != ATTENDANTS_MAX);
    meeting->attendants[num++] = (attendant_t){caller->release, caller->id, now_ms};
    meeting->num_attendants = num;
    note_kind(meeting, caller);
}

/* the place at which a release was deployed, or promoted, last */
static size_t rank_of(const meeting_t *meeting, const breaker_release_id_t *release)
{
    size_t rank = 0;

    for (size_t i = meeting->num_facts; i-- != 0;) {
        breaker_why_t why = meeting->origins[i].why;
        if (!same_release(&meeting->facts[i].release, release))
            continue;
        rank = i;
        if (why != BREAKER_WHY_SILENCE && why != BREAKER_WHY_RETURN)
            break;
    }
    return rank;
}

/* what of its silence counts is longer than anybody who lives is silent */
static bool is_dead(meeting_t *meeting, unsigned release, const caller_t *caller)
{
    const kind_t *kind = find_kind(meeting, release);
    uint64_t dead_ms = caller->config->dead_after_ms;
    uint64_t own_ms = kind != NULL ? kind->dead_ms : dead_ms;
    uint64_t seen_ms = kind != NULL ? smaller(kind->seen_ms, meeting->served_ms) : 0;
    uint64_t from_ms = larger(seen_ms, meeting->cut_ms);
    uint64_t least_ms = return_ms(meeting, caller) + 3 * interval_ms(meeting, caller);

    if (dead_ms == 0 || own_ms == 0 || meeting->served_ms < from_ms)
        return false;
    return meeting->served_ms - from_ms > larger(larger(dead_ms, own_ms), least_ms);
}

/* releases are named r0, r1 … */
static unsigned number_of(const breaker_release_id_t *release)
{
    return (unsigned)strtoul(release->text + 1, NULL, 10);
}

/* "v1.1718539201234" is what became of "v1" */
static bool is_moved_on(const breaker_token_t *token, const breaker_token_t *fixed)
{
    return token->len > fixed->len && strncmp(token->text, fixed->text, fixed->len) == 0 &&
           token->text[fixed->len] == '.';
}

static bool is_fixed_new(meeting_t *meeting, const breaker_agreement_config_t *config)
{
    const breaker_ledger_entry_t *mine = meeting_newest(meeting, &config->release);

    return config->fixed.len != 0 && fact_of(meeting, &config->fixed) == NULL &&
           (mine == NULL || !is_moved_on(&mine->token, &config->fixed));
}

/* everybody above is dead, or belongs below */
static void find_reason_to_pass(meeting_t *meeting, const caller_t *caller, minute_t *minute)
{
    const breaker_release_id_t *mine = &caller->config->release;
    size_t rank = rank_of(meeting, mine);

    minute->why = BREAKER_WHY_RETURN;
    for (size_t i = meeting->num_facts; i-- != 0;) {
        const breaker_release_id_t *other = &meeting->facts[i].release;
        if (same_release(other, mine))
            return;
        if (meeting_newest(meeting, other) != meeting->facts + i || rank_of(meeting, other) <= rank)
            continue;
        if (!is_dead(meeting, number_of(other), caller)) {
            minute->why = BREAKER_WHY_UNKNOWN;
            return;
        }
        minute->why = BREAKER_WHY_SILENCE;
        minute->passed[minute->num_passed++] = number_of(other);
    }
}

/* a release that nobody knows is given a token that is another one's */
static void note_fixed(meeting_t *meeting, const breaker_agreement_config_t *config, clash_t *clash)
{
    const breaker_ledger_entry_t *known = fact_of(meeting, &config->fixed);

    if (!clash->is_any && known != NULL && meeting_newest(meeting, &config->release) == NULL)
        note_clash(clash, known->order, &known->release);
}

static void find_reason(meeting_t *meeting, const caller_t *caller, const breaker__poll_t *poll,
                        const clash_t *clash, minute_t *minute)
{
    const breaker_agreement_config_t *config = caller->config;
    const breaker_ledger_entry_t *mine = meeting_newest(meeting, &config->release);
    const breaker_ledger_entry_t *top = meeting->facts + meeting->num_facts - 1;

    if (poll->act == BREAKER__ACT_PROMOTE) {
        if (mine != NULL && !same_release(&top->release, &config->release))
            minute->why = BREAKER_WHY_PROMOTE;
        else if (mine != NULL && rank_of(meeting, &config->release) + 1 < meeting->num_facts) {
            meeting->origins[meeting->num_facts - 1] =
                (breaker_origin_t){.why = BREAKER_WHY_PROMOTE};
            minute->promoted = top->token;
        }
    } else if (mine == NULL) {
        if (poll->act != BREAKER__ACT_SETTLE || meeting->num_facts != 0)
            minute->why = clash->is_any ? BREAKER_WHY_CONFLICT : BREAKER_WHY_JOIN;
    } else if (clash->is_any && mine->order <= clash->order) {
        minute->why = BREAKER_WHY_CONFLICT;
    } else if (is_fixed_new(meeting, config)) {
        minute->why = BREAKER_WHY_OPERATOR;
    } else if (!same_release(&top->release, &config->release)) {
        find_reason_to_pass(meeting, caller, minute);
    }
}

static breaker_ledger_entry_t mint(meeting_t *meeting, uint64_t now_ms, const caller_t *caller,
                                   const breaker__poll_t *poll, breaker_origin_t origin)
{
    const breaker_agreement_config_t *config = caller->config;
    breaker_ledger_entry_t made = {.release = config->release, .order = now_ms + 60000};
    char text[160];

    if (poll->wall_ms < made.order)
        made.order = poll->wall_ms;
    if (meeting->num_facts != 0)
        made.order = breaker__mint_order(made.order, meeting->facts + meeting->num_facts - 1,
                                         &config->release);
    if (is_fixed_new(meeting, config)) {
        made.token = config->fixed;
        add_fact(meeting, &made, origin);
        return made;
    }
    for (;; ++made.order) {
        if (config->fixed.len == 0)
            snprintf(text, sizeof(text), "%012llu%s", (unsigned long long)made.order,
                     config->suffix);
        else
            snprintf(text, sizeof(text), "%s.%llu", config->fixed.text,
                     (unsigned long long)made.order);
        if (breaker_token_parse(text, strlen(text), &made.token) != 0)
            abort();
        if (fact_of(meeting, &made.token) == NULL)
            break;
    }
    add_fact(meeting, &made, origin);
    return made;
}

/* the newest of a release that was there in the last ten minutes, and what gives it its rank */
static bool is_living(meeting_t *meeting, size_t at)
{
    const breaker_ledger_entry_t *fact = meeting->facts + at;
    const kind_t *kind = find_kind(meeting, number_of(&fact->release));

    return kind != NULL &&
           (meeting_newest(meeting, &fact->release) == fact ||
            rank_of(meeting, &fact->release) == at) &&
           meeting->served_ms - smaller(kind->seen_ms, meeting->served_ms) <= 600000;
}

/* drops the oldest that is not among the newest, does not live, and is not the caller's */
static bool drop(meeting_t *meeting, const caller_t *caller, size_t num_newest)
{
    const breaker_ledger_entry_t *mine = meeting_newest(meeting, &caller->config->release);

    for (size_t at = 0; at + num_newest < meeting->num_facts; ++at)
        if (meeting->facts + at != mine && !is_living(meeting, at)) {
            remove_fact(meeting, at);
            return true;
        }
    return false;
}

/* all of them live: the one that was seen longest ago is the first to go */
static void drop_most_silent(meeting_t *meeting, const caller_t *caller)
{
    const breaker_ledger_entry_t *mine = meeting_newest(meeting, &caller->config->release);
    uint64_t least_ms = UINT64_MAX;
    size_t found = 0;

    for (size_t at = 0; at != meeting->num_facts; ++at) {
        const kind_t *kind = find_kind(meeting, number_of(&meeting->facts[at].release));
        uint64_t seen_ms = kind != NULL ? kind->seen_ms : 0;
        if (meeting->facts + at == mine || seen_ms >= least_ms)
            continue;
        least_ms = seen_ms;
        found = at;
    }
    remove_fact(meeting, found);
}

static void trim(meeting_t *meeting, const caller_t *caller)
{
    while (meeting->num_facts > 32 && drop(meeting, caller, 32))
        continue;
    while (meeting->num_facts > 63 && drop(meeting, caller, 0))
        continue;
    while (meeting->num_facts > 63)
        drop_most_silent(meeting, caller);
}

/* any function of the facts will do */
static void digest_facts(const meeting_t *meeting, char *ret_digest)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    char line[220];

    for (size_t i = 0; i != meeting->num_facts; ++i) {
        const breaker_ledger_entry_t *fact = meeting->facts + i;
        snprintf(line, sizeof(line), "%llu %s %s\n", (unsigned long long)fact->order,
                 fact->token.text, fact->release.text);
        for (const char *c = line; *c != '\0'; ++c)
            hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
    }
    snprintf(ret_digest, 41, "%016llx%016llx%08x", (unsigned long long)hash,
             (unsigned long long)(hash * 31), 0u);
}

/* the answer before was to the same digest: nothing is to be merged, and nobody lacks a token */
static bool is_held(const meeting_t *meeting, const breaker__poll_t *poll)
{
    char digest[41];

    digest_facts(meeting, digest);
    return poll->act == BREAKER__ACT_HOLD && strcmp(digest, poll->digest) == 0;
}

static void decide(meeting_t *meeting, uint64_t now_ms, const caller_t *caller,
                   const breaker__poll_t *poll, minute_t *minute)
{
    clash_t clash = {.is_any = false};
    breaker_origin_t origin = {.when_ms = now_ms};

    if (is_held(meeting, poll)) {
        if (!same_release(&meeting->facts[meeting->num_facts - 1].release,
                          &caller->config->release))
            find_reason_to_pass(meeting, caller, minute);
    } else {
        clash = merge(meeting, caller, poll);
        note_fixed(meeting, caller->config, &clash);
        find_reason(meeting, caller, poll, &clash, minute);
    }
    if (minute->why == BREAKER_WHY_UNKNOWN)
        return;
    origin.why = minute->why;
    if (clash.is_any && origin.why == BREAKER_WHY_CONFLICT)
        origin.what = clash.what;
    else if (origin.why != BREAKER_WHY_JOIN && origin.why != BREAKER_WHY_OPERATOR)
        origin.what = meeting->facts[meeting->num_facts - 1].release;
    minute->minted = mint(meeting, now_ms, caller, poll, origin);
}

minute_t meeting_poll(meeting_t *meeting, uint64_t now_ms, const caller_t *caller,
                      const breaker__poll_t *poll, breaker_answer_t *ret_answer)
{
    minute_t minute = {.why = BREAKER_WHY_UNKNOWN};

    if (meeting->fleet == 0)
        meeting->fleet = larger(poll->fleet, 1);
    pass_time(meeting, now_ms, caller);
    attend(meeting, now_ms, caller);
    count_fleet(meeting, now_ms, caller);
    decide(meeting, now_ms, caller, poll, &minute);
    trim(meeting, caller);
    memset(ret_answer, 0, sizeof(*ret_answer));
    ret_answer->now_ms = now_ms;
    ret_answer->fleet = (uint32_t)meeting->fleet;
    ret_answer->interval_ms = (uint32_t)interval_ms(meeting, caller);
    digest_facts(meeting, ret_answer->digest);
    ret_answer->unchanged = strcmp(ret_answer->digest, poll->digest) == 0;
    if (!ret_answer->unchanged) {
        ret_answer->num_entries = meeting->num_facts;
        memcpy(ret_answer->entries, meeting->facts, meeting->num_facts * sizeof(meeting->facts[0]));
        memcpy(ret_answer->origins, meeting->origins,
               meeting->num_facts * sizeof(meeting->origins[0]));
    }
    return minute;
}
