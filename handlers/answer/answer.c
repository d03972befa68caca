/*
 * What a request gets: which status, which headers, which bytes. Every rule about answers stands
 * here or in what is called from here (judge.c for the fields of a request, prepared.c and fixed.c
 * for the headers), once for both pens. A pen writes what it is given.
 */
#include <assert.h>
#include "answer/answer.h"
#include "answer/cross_origin.h"
#include "answer/location.h"
#include "answer/multipart.h"
#include "answer/static.h"

typedef breaker__static_context_t context_t;

static void begin(breaker__answer_t *answer, breaker__status_t status, const breaker__head_t *head)
{
    assert(head != NULL);
    answer->status = status;
    answer->head = head;
    answer->has_shared_only = false;
    answer->ends_connection = false;
    answer->num_lines = 0;
    answer->length = head->body_len;
    answer->variant = NULL;
    answer->body_at = answer->body_len = 0;
    answer->is_in_parts = false;
    answer->kept = NULL;
}

static breaker__line_t *add_line(breaker__answer_t *answer, breaker__line_kind_t kind,
                                 const h2o_iovec_t *name)
{
    breaker__line_t *line = answer->lines + answer->num_lines++;

    assert(answer->num_lines <= BREAKER__LINES_MAX);
    line->kind = kind;
    line->name = name;
    return line;
}

void breaker__answer_fixed(breaker__answer_t *answer, const breaker__fixed_t *fixed,
                           breaker__status_t status, bool is_head)
{
    begin(answer, status, fixed->heads[status]);
    if (!is_head)
        answer->body_len = answer->head->body.len;
}

static void add_text(breaker__answer_t *answer, const h2o_iovec_t *name, h2o_iovec_t text)
{
    add_line(answer, BREAKER__LINE_TEXT, name)->text = text;
}

/* ---- with an asset ---- */

static void begin_asset(breaker__answer_t *answer, breaker__status_t status, const context_t *ctx)
{
    const breaker_variant_t *variant = answer->judgement.variant;

    begin(answer, status, variant->prepared);
    answer->kept = ctx->lease.shared;
    assert(answer->kept != NULL);
}

static void answer_whole(breaker__answer_t *answer, const context_t *ctx, bool is_head)
{
    begin_asset(answer, BREAKER__STATUS_200, ctx);
    answer->variant = answer->judgement.variant;
    if (!is_head)
        answer->body_len = answer->variant->len;
}

static void answer_parts(breaker__answer_t *answer, const breaker_asset_t *asset)
{
    breaker__line_t *type =
        add_line(answer, BREAKER__LINE_MULTIPART_TYPE, &H2O_TOKEN_CONTENT_TYPE->buf);

    answer->is_in_parts = true;
    answer->part_type = asset->type;
    type->text = breaker__multipart_boundary(answer->variant);
    answer->length = breaker__multipart_len(answer);
}

static void answer_partial(breaker__answer_t *answer, const context_t *ctx,
                           const breaker_asset_t *asset)
{
    breaker_range_t range = answer->judgement.ranges[0];
    breaker__line_t *line;

    begin_asset(answer, BREAKER__STATUS_206, ctx);
    answer->variant = answer->judgement.variant;
    if (answer->judgement.num_ranges != 1) {
        answer_parts(answer, asset);
        return;
    }
    assert(range.last < answer->variant->len);
    answer->body_at = range.first;
    answer->body_len = answer->length = range.last - range.first + 1;
    line = add_line(answer, BREAKER__LINE_CONTENT_RANGE, &H2O_TOKEN_CONTENT_RANGE->buf);
    line->range = range;
    line->size = answer->variant->len;
}

static void answer_not_modified(breaker__answer_t *answer, const context_t *ctx)
{
    begin_asset(answer, BREAKER__STATUS_304, ctx);
    answer->has_shared_only = true;
    answer->length = BREAKER__NO_LENGTH;
}

static void answer_unsatisfiable(breaker__answer_t *answer, const breaker__fixed_t *fixed,
                                 bool is_head)
{
    breaker__answer_fixed(answer, fixed, BREAKER__STATUS_416, is_head);
    add_line(answer, BREAKER__LINE_UNSATISFIED_RANGE, &H2O_TOKEN_CONTENT_RANGE->buf)->size =
        answer->judgement.variant->len;
}

static void answer_asset(breaker__answer_t *answer, context_t *ctx,
                         const breaker_verdict_t *verdict, const breaker__request_t *request,
                         const breaker__fixed_t *fixed)
{
    breaker__judge(&answer->judgement, verdict->asset,
                   fixed->has_encodings ? &ctx->negotiated : NULL, request);
    /* the variant is known here, and nothing is said of it yet */
    switch (answer->judgement.kind) {
    case BREAKER__JUDGED_WHOLE:
        answer_whole(answer, ctx, request->is_head);
        return;
    case BREAKER__JUDGED_PARTIAL:
        answer_partial(answer, ctx, verdict->asset);
        return;
    case BREAKER__JUDGED_NOT_MODIFIED:
        answer_not_modified(answer, ctx);
        return;
    case BREAKER__JUDGED_NOT_ACCEPTABLE:
        breaker__answer_fixed(answer, fixed, BREAKER__STATUS_406, request->is_head);
        return;
    case BREAKER__JUDGED_PRECONDITION_FAILED:
        breaker__answer_fixed(answer, fixed, BREAKER__STATUS_412, request->is_head);
        return;
    case BREAKER__JUDGED_UNSATISFIABLE:
        answer_unsatisfiable(answer, fixed, request->is_head);
        return;
    }
    assert(!"a judgement outside its enum");
}

static bool has_no_body(const breaker__answer_t *answer)
{
    return answer->body_len == 0 && !answer->is_in_parts;
}

/* how many bytes of body go out, if the client takes all of them */
static inline uint64_t body_bytes(const breaker__answer_t *answer)
{
    return answer->is_in_parts ? answer->length : answer->body_len;
}

/* A body of which the beginning is here is sent while the rest comes in. */
static bool take_spool(breaker__answer_t *answer, const context_t *ctx,
                       const breaker_asset_t *asset)
{
    if (!ctx->may_wait)
        return false;
    answer->spool = breaker_asset_take_spool(asset);
    return answer->spool != NULL;
}

/*
 * Something may have happened to a file on disk since it was loaded, and the bytes of a held
 * release may be elsewhere yet. What is not known to have its bytes is answered before the head: a
 * year of caching and a length, and then nothing, would be the worst of all. Returns false where
 * the bytes may still come.
 */
static bool answer_by_file(breaker__answer_t *answer, const context_t *ctx,
                           const breaker_verdict_t *verdict, const breaker__fixed_t *fixed,
                           const breaker__request_t *request)
{
    breaker_file_state_t state = has_no_body(answer)
                                     ? breaker_variant_probe(answer->variant)
                                     : breaker_variant_pin(answer->variant, &answer->pin);

    answer->spool = NULL;
    answer->look_timeout = ctx->may_wait ? ctx->lot.timeout : NULL;
    answer->look_for_ms = breaker_node_fetch_timeout_ms(ctx->handler->node);
    switch (state) {
    case BREAKER_FILE_SOUND:
        return true;
    case BREAKER_FILE_ABSENT:
        return has_no_body(answer) || take_spool(answer, ctx, verdict->asset);
    case BREAKER_FILE_ELSEWHERE:
        if (has_no_body(answer))
            return true;
        breaker__answer_fixed(answer, fixed, BREAKER__STATUS_503, request->is_head);
        break;
    case BREAKER_FILE_SUSPECT:
        breaker__answer_fixed(answer, fixed, BREAKER__STATUS_503, request->is_head);
        break;
    case BREAKER_FILE_CHANGED:
    case BREAKER_FILE_LOST:
        breaker__answer_fixed(answer, fixed, BREAKER__STATUS_404, request->is_head);
        break;
    }
    answer->ends_connection = request->has_body;
    return true;
}

/* ---- without one ---- */

/* the same path under the current token, query included */
static void answer_redirect(breaker__answer_t *answer, const context_t *ctx,
                            const breaker_verdict_t *verdict, const breaker__request_t *request,
                            const breaker__fixed_t *fixed)
{
    breaker__line_t *line;

    breaker__answer_fixed(answer, fixed, BREAKER__STATUS_301, request->is_head);
    line = add_line(answer, BREAKER__LINE_LOCATION, &H2O_TOKEN_LOCATION->buf);
    breaker__location_under(line, verdict->view, &verdict->match, request);
    line = add_line(answer, BREAKER__LINE_TEXT, &H2O_TOKEN_CACHE_CONTROL->buf);
    line->text = fixed->redirect_cache_control;
    /* an old node may still hand out the older URL: a cached redirect would outlive that */
    if (ctx->lease.current->older_alive)
        line->text = h2o_iovec_init(H2O_STRLIT("no-store"));
}

/* a directory without its slash: relative names in its page would be looked for beside it */
static void answer_directory(breaker__answer_t *answer, const breaker__request_t *request,
                             const breaker__fixed_t *fixed)
{
    breaker__answer_fixed(answer, fixed, BREAKER__STATUS_301, request->is_head);
    breaker__location_of_directory(
        add_line(answer, BREAKER__LINE_DIRECTORY, &H2O_TOKEN_LOCATION->buf), request);
    add_text(answer, &H2O_TOKEN_CACHE_CONTROL->buf, fixed->redirect_cache_control);
}

/* nobody replaced the placeholder: the next token is another one, so nobody may keep the way */
static void answer_unreplaced(breaker__answer_t *answer, const breaker_verdict_t *verdict,
                              const breaker__request_t *request, const breaker__fixed_t *fixed)
{
    breaker__answer_fixed(answer, fixed, BREAKER__STATUS_302, request->is_head);
    breaker__location_under(add_line(answer, BREAKER__LINE_LOCATION, &H2O_TOKEN_LOCATION->buf),
                            verdict->view, &verdict->match, request);
}

/* ---- for pages of other origins ---- */

static void add_origin(breaker__answer_t *answer, h2o_iovec_t allow_origin,
                       const breaker__request_t *request)
{
    h2o_iovec_t origin = breaker__allowed_origin(allow_origin, breaker__request_origin(request));

    if (origin.base != NULL)
        add_text(answer, &H2O_TOKEN_ACCESS_CONTROL_ALLOW_ORIGIN->buf, origin);
}

/* what the asset says that is asked for, or its view */
static h2o_iovec_t allow_origin_of(const breaker_verdict_t *verdict, const breaker__fixed_t *fixed)
{
    const breaker__head_t *head = fixed->heads[BREAKER__STATUS_404];

    if (verdict->kind == BREAKER_VERDICT_SERVE)
        head = breaker_asset_variant(verdict->asset, BREAKER_ENCODING_IDENTITY)->prepared;
    assert(head != NULL);
    return head->allow_origin;
}

/* a browser has the answer to its question before it asks for anything */
static void answer_preflight(breaker__answer_t *answer, const breaker_verdict_t *verdict,
                             const breaker__request_t *request, const breaker__fixed_t *fixed)
{
    h2o_iovec_t names = breaker__request_asked_headers(request);

    breaker__answer_fixed(answer, fixed, BREAKER__STATUS_204, true);
    answer->length = BREAKER__NO_LENGTH;
    add_origin(answer, allow_origin_of(verdict, fixed), request);
    if (breaker__is_names(names))
        add_text(answer, &breaker__allow_headers_name, names);
}

static void refuse(breaker__answer_t *answer, const breaker_verdict_t *verdict,
                   const breaker__request_t *request, const breaker__fixed_t *fixed,
                   breaker__status_t status)
{
    if (status == BREAKER__STATUS_405 && request->is_preflight &&
        allow_origin_of(verdict, fixed).base != NULL)
        answer_preflight(answer, verdict, request, fixed);
    else
        breaker__answer_fixed(answer, fixed, status, request->is_head);
}

/* ---- the answer ---- */

/* whether a request is unanswerable whatever its path; BREAKER__STATUS_200 when it is not */
static breaker__status_t refusal_of(const breaker__request_t *request)
{
    if (request->is_ambiguous)
        return BREAKER__STATUS_400;
    if (request->target_len > BREAKER__TARGET_MAX)
        return BREAKER__STATUS_414;
    if (request->is_of_other_method)
        return BREAKER__STATUS_405;
    return BREAKER__STATUS_200;
}

/* returns false when there is no answer now */
static bool answer_verdict(breaker__answer_t *answer, context_t *ctx,
                           const breaker_verdict_t *verdict, const breaker__request_t *request,
                           const breaker__fixed_t *fixed)
{
    switch (verdict->kind) {
    case BREAKER_VERDICT_DECLINE:
    case BREAKER_VERDICT_REFRESH:
    case BREAKER_VERDICT_RELAY:
        return false;
    case BREAKER_VERDICT_SERVE:
        answer_asset(answer, ctx, verdict, request, fixed);
        return true;
    case BREAKER_VERDICT_REDIRECT:
        answer_redirect(answer, ctx, verdict, request, fixed);
        return true;
    case BREAKER_VERDICT_DIRECTORY:
        answer_directory(answer, request, fixed);
        return true;
    case BREAKER_VERDICT_UNREPLACED:
        answer_unreplaced(answer, verdict, request, fixed);
        return true;
    case BREAKER_VERDICT_RETRY:
        breaker__answer_fixed(answer, fixed, BREAKER__STATUS_503, request->is_head);
        return true;
    case BREAKER_VERDICT_NOT_FOUND:
        breaker__answer_fixed(answer, fixed, BREAKER__STATUS_404, request->is_head);
        return true;
    }
    assert(!"a verdict outside its enum");
    return false;
}

bool breaker__answer(context_t *ctx, const breaker_verdict_t *verdict,
                     const breaker__request_t *request, breaker__pen_t pen,
                     breaker__answer_t *answer)
{
    breaker__status_t refusal = refusal_of(request);
    const breaker__fixed_t *fixed;
    size_t view;

    if (verdict->kind == BREAKER_VERDICT_DECLINE)
        return false;
    view = breaker_view_index(verdict->match.view);
    fixed = ctx->fixed + view;
    if (refusal != BREAKER__STATUS_200)
        refuse(answer, verdict, request, fixed, refusal);
    else if (!answer_verdict(answer, ctx, verdict, request, fixed))
        return false;
    answer->ends_connection = request->has_body;
    if (!breaker__can_write(pen, answer) ||
        (verdict->kind == BREAKER_VERDICT_UNREPLACED && pen != BREAKER__PEN_H2O))
        return false;
    if (answer->variant != NULL && answer->variant->base == NULL &&
        !answer_by_file(answer, ctx, verdict, fixed, request))
        return false;
    if (answer->head->has_origins)
        add_origin(answer, answer->head->allow_origin, request);
    breaker__counters_add(ctx->counters, view, answer->status, body_bytes(answer));
    return true;
}
