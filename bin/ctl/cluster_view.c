/*
 * The script's layout, seen from an operator who is no node: asked with an empty node id, so that
 * nobody is noted as alive, and never with entries of our own. An answer comes from the network and
 * is printed on terminals: what is not printable ASCII does not get past this file.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "cluster/script.h"
#include "ctl/cluster_view.h"
#include "cluster/agree.h"

enum {
    /* exact in a double; longer numbers are none of ours */
    DIGITS_MAX = 16,
    /* what the script appends to minted tokens is no longer */
    SUFFIX_MAX = 16,
};

/* ---- asking ---- */

static const char *mode_of(breaker__ctl_act_t act)
{
    switch (act) {
    case BREAKER__CTL_READ:
        return "";
    case BREAKER__CTL_PROMOTE:
        return "promote";
    case BREAKER__CTL_ENTER:
        return "mint";
    }
    assert(!"an act outside its enum");
    return "";
}

static void write_clock(breaker__ctl_question_t *question)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(question->clock, sizeof(question->clock), "%" PRIu64,
             (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
    /* we cannot know the cluster's: with the longest one no node is forgotten because of us */
    snprintf(question->dead_after, sizeof(question->dead_after), "%d", BREAKER_DEAD_AFTER_MAX_MS);
}

void breaker__ctl_ask(breaker__ctl_question_t *question, const char *app, breaker__ctl_act_t act,
                      const breaker_release_id_t *release, const breaker__ctl_naming_t *naming)
{
    static const breaker_release_id_t nothing;
    static const breaker__ctl_naming_t plain;

    assert(act == BREAKER__CTL_READ || release != NULL);
    assert(strlen(app) <= BREAKER_APP_MAX);
    snprintf(question->ledger_key, sizeof(question->ledger_key), "{%s}:breaker", app);
    snprintf(question->nodes_key, sizeof(question->nodes_key), "{%s}:breaker:nodes", app);
    question->release = act != BREAKER__CTL_READ ? *release : nothing;
    question->naming = naming != NULL ? *naming : plain;
    write_clock(question);

    const char *const words[BREAKER__CTL_WORDS] = {"EVAL",
                                                   breaker__agree_lua,
                                                   "2",
                                                   question->ledger_key,
                                                   question->nodes_key,
                                                   question->release.text,
                                                   "-",
                                                   "",
                                                   mode_of(act),
                                                   question->naming.fixed,
                                                   question->naming.suffix,
                                                   question->clock,
                                                   question->dead_after,
                                                   "",
                                                   "nodes"};
    for (size_t i = 0; i != BREAKER__CTL_WORDS; ++i) {
        question->argv[i] = words[i];
        question->argv_len[i] = strlen(words[i]);
    }
}

/* ---- how a release's tokens are made ---- */

breaker__ctl_naming_t breaker__ctl_naming_of(const breaker_ledger_entry_t *entry)
{
    breaker__ctl_naming_t naming = {.fixed = ""};
    char digits[24];
    size_t len, text_len = entry->token.len;
    const char *text = entry->token.text;

    /* minted: the order, and perhaps a suffix */
    len = (size_t)snprintf(digits, sizeof(digits), "%012" PRIu64, entry->order);
    if (strncmp(text, digits, len) == 0 && (text[len] == '\0' || text[len] == '-') &&
        text_len - len <= SUFFIX_MAX) {
        strcpy(naming.suffix, text + len);
        return naming;
    }
    /* the operator's, and perhaps the order of a later entry of the same token */
    strcpy(naming.fixed, text);
    len = (size_t)snprintf(digits, sizeof(digits), ".%" PRIu64, entry->order);
    if (text_len > len && strcmp(text + text_len - len, digits) == 0)
        naming.fixed[text_len - len] = '\0';
    return naming;
}

/* ---- the answer ---- */

/* Takes the words of a line one after the other; only the last may end with it. */
static bool take_word(const char **at, const char *end, bool is_last, char *dst, size_t size)
{
    const char *space = memchr(*at, ' ', (size_t)(end - *at));
    size_t len;

    if ((space == NULL) != is_last)
        return false;
    len = (size_t)((is_last ? end : space) - *at);
    if (len == 0 || len >= size)
        return false;
    for (size_t i = 0; i != len; ++i)
        if ((*at)[i] <= ' ' || (*at)[i] > '~')
            return false;
    memcpy(dst, *at, len);
    dst[len] = '\0';
    *at = is_last ? end : space + 1;
    return true;
}

static bool read_number(const char *text, uint64_t *ret_number)
{
    size_t len = strlen(text);
    uint64_t number = 0;

    if (len > DIGITS_MAX || !breaker_token_is_decimal(text, len))
        return false;
    for (; *text != '\0'; ++text)
        number = number * 10 + (uint64_t)(*text - '0');
    *ret_number = number;
    return true;
}

static bool read_node(const breaker_reply_t *reply, breaker__ctl_node_t *node)
{
    char number[DIGITS_MAX + 1], release[BREAKER_RELEASE_ID_MAX + 1];
    const char *at, *end;

    if (reply->type != BREAKER_REPLY_STRING)
        return false;
    at = reply->base;
    end = reply->base + reply->len;
    return take_word(&at, end, false, number, sizeof(number)) &&
           read_number(number, &node->seen_ms) &&
           take_word(&at, end, false, release, sizeof(release)) &&
           breaker_release_id_parse(release, strlen(release), &node->release) == 0 &&
           take_word(&at, end, false, node->address, sizeof(node->address)) &&
           take_word(&at, end, true, node->id, sizeof(node->id));
}

bool breaker__ctl_read(const breaker_reply_t *reply, breaker__ctl_cluster_t *ret_cluster)
{
    static const breaker_agreement_config_t nothing;
    static const breaker__poller_t nobody = {.agreement = &nothing};
    const breaker_reply_t *nodes;
    breaker_answer_t answer;
    breaker__alive_t alive;

    if (!breaker__poll_parse(reply, &nobody, &answer, &alive) || answer.unchanged)
        return false;
    nodes = reply->elements[3];
    if (nodes->type != BREAKER_REPLY_ARRAY || nodes->num_elements > BREAKER__CTL_NODES_MAX ||
        breaker_ledger_init(&ret_cluster->ledger, answer.entries, answer.num_entries) != 0)
        return false;
    ret_cluster->now_ms = (uint64_t)reply->elements[1]->integer;
    ret_cluster->num_nodes = 0;
    for (size_t i = 0; i != nodes->num_elements; ++i)
        if (read_node(nodes->elements[i], ret_cluster->nodes + ret_cluster->num_nodes))
            ++ret_cluster->num_nodes;
    return true;
}
