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
static int compare_facts(const void *a_data, const void *b_data)
{
    const breaker_ledger_entry_t *a = a_data, *b = b_data;
    char a_member[200], b_member[200];

    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    snprintf(a_member, sizeof(a_member), "%s %s", a->token.text, a->release.text);
    snprintf(b_member, sizeof(b_member), "%s %s", b->token.text, b->release.text);
    return strcmp(a_member, b_member);
}

static void sort_facts(meeting_t *meeting)
{
    qsort(meeting->facts, meeting->num_facts, sizeof(meeting->facts[0]), compare_facts);
}

static void add_fact(meeting_t *meeting, const breaker_ledger_entry_t *fact)
{
    assert(meeting->num_facts != FACTS_MAX);
    meeting->facts[meeting->num_facts++] = *fact;
    sort_facts(meeting);
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

/* the largest order at which the caller's release and another one claim the same token, or -1 */
static int64_t merge(meeting_t *meeting, const caller_t *caller, const breaker__poll_t *poll)
{
    const breaker_release_id_t *mine = &caller->config->release;
    int64_t conflict = -1;

    for (size_t i = 0; i != poll->num_entries; ++i) {
        const breaker_ledger_entry_t *told = poll->entries + i;
        breaker_ledger_entry_t *known = fact_of(meeting, &told->token);
        if (known == NULL) {
            add_fact(meeting, told);
        } else if (same_release(&known->release, &told->release)) {
            if (told->order < known->order)
                known->order = told->order;
            sort_facts(meeting);
        } else if (same_release(&told->release, mine) || same_release(&known->release, mine)) {
            if ((int64_t)told->order > conflict)
                conflict = (int64_t)told->order;
        }
    }
    return conflict;
}

static void attend(meeting_t *meeting, uint64_t now_ms, const caller_t *caller, uint64_t dead_ms)
{
    uint64_t keep_ms = dead_ms > 600000 ? dead_ms : 600000;
    size_t num = 0;

    if (!meeting->is_born || meeting->birth_ms > now_ms) {
        meeting->is_born = true;
        meeting->birth_ms = now_ms - 1;
    }
    for (size_t i = 0; i != meeting->num_attendants; ++i) {
        const attendant_t *other = meeting->attendants + i;
        bool is_self = other->id == caller->id && other->release == caller->release;
        if (!is_self && other->seen_ms + keep_ms >= now_ms && other->seen_ms <= now_ms + keep_ms)
            meeting->attendants[num++] = *other;
    }
    assert(num != ATTENDANTS_MAX);
    if (caller->id != 0)
        meeting->attendants[num++] = (attendant_t){caller->release, caller->id, now_ms};
    meeting->num_attendants = num;
}

static bool is_alive(const meeting_t *meeting, uint64_t now_ms, unsigned release, uint64_t dead_ms)
{
    for (size_t i = 0; i != meeting->num_attendants; ++i) {
        const attendant_t *other = meeting->attendants + i;
        if (other->release == release && other->seen_ms + dead_ms >= now_ms &&
            other->seen_ms <= now_ms + dead_ms)
            return true;
    }
    return false;
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

static bool must_mint(meeting_t *meeting, uint64_t now_ms, const caller_t *caller,
                      const breaker__poll_t *poll, int64_t conflict)
{
    const breaker_agreement_config_t *config = caller->config;
    const breaker_ledger_entry_t *mine = meeting_newest(meeting, &config->release);
    const breaker_ledger_entry_t *top = meeting->facts + meeting->num_facts - 1;
    uint64_t dead_ms = config->dead_after_ms;

    if (mine == NULL)
        return poll->act != BREAKER__ACT_SETTLE || meeting->num_facts != 0;
    if (conflict >= 0 && (int64_t)mine->order <= conflict)
        return true;
    if (is_fixed_new(meeting, config))
        return true;
    if (same_release(&top->release, &config->release) || dead_ms == 0)
        return false;
    return now_ms - meeting->birth_ms > dead_ms &&
           !is_alive(meeting, now_ms, number_of(&top->release), dead_ms);
}

static breaker_ledger_entry_t mint(meeting_t *meeting, uint64_t now_ms, const caller_t *caller,
                                   const breaker__poll_t *poll)
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
        add_fact(meeting, &made);
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
    add_fact(meeting, &made);
    return made;
}

static bool has_nodes(const meeting_t *meeting, const breaker_release_id_t *release)
{
    for (size_t i = 0; i != meeting->num_attendants; ++i)
        if (meeting->attendants[i].release == number_of(release))
            return true;
    return false;
}

/* the oldest goes, but the newest of a release with nodes only when all that are left are such */
static void trim(meeting_t *meeting, const caller_t *caller)
{
    while (meeting->num_facts > BREAKER_LEDGER_HISTORY) {
        size_t at = 0;
        while (at != meeting->num_facts && has_nodes(meeting, &meeting->facts[at].release) &&
               meeting_newest(meeting, &meeting->facts[at].release) == meeting->facts + at)
            ++at;
        if (at == meeting->num_facts)
            at = same_release(&meeting->facts[0].release, &caller->config->release) ? 1 : 0;
        --meeting->num_facts;
        memmove(meeting->facts + at, meeting->facts + at + 1,
                (meeting->num_facts - at) * sizeof(meeting->facts[0]));
    }
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

minute_t meeting_poll(meeting_t *meeting, uint64_t now_ms, const caller_t *caller,
                      const breaker__poll_t *poll, breaker_answer_t *ret_answer)
{
    minute_t minute = {.minted = {.order = 0}};
    int64_t conflict = merge(meeting, caller, poll);

    attend(meeting, now_ms, caller, caller->config->dead_after_ms);
    if (must_mint(meeting, now_ms, caller, poll, conflict))
        minute.minted = mint(meeting, now_ms, caller, poll);
    trim(meeting, caller);
    memset(ret_answer, 0, sizeof(*ret_answer));
    digest_facts(meeting, ret_answer->digest);
    ret_answer->unchanged = strcmp(ret_answer->digest, poll->digest) == 0;
    if (!ret_answer->unchanged) {
        ret_answer->num_entries = meeting->num_facts;
        memcpy(ret_answer->entries, meeting->facts, meeting->num_facts * sizeof(meeting->facts[0]));
    }
    return minute;
}
