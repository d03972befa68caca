/*
 * What the fields of a request make of an asset: which encoding, whether it changed, which ranges.
 * The order is RFC 9110's: negotiation first, because tags belong to a representation, then
 * preconditions (§13.2.2), then Range. Pure but for the memory of the last Accept-Encoding, so that
 * every way of sending an answer decides alike.
 */
#include <assert.h>
#include <string.h>
#include "answer/judge.h"

/* browsers send one Accept-Encoding, so a thread nearly always finds the answer of last time */
static const breaker_acceptable_t *negotiate(breaker__negotiated_t *last, breaker_field_t field)
{
    static const breaker_acceptable_t identity = {1, {BREAKER_ENCODING_IDENTITY}};

    if (field.base == NULL)
        return &identity;
    if (last->valid && last->len == field.len && memcmp(last->text, field.base, field.len) == 0)
        return &last->acceptable;
    breaker_encoding_negotiate(field.base, field.len, &last->acceptable);
    last->valid = field.len <= sizeof(last->text);
    if (last->valid) {
        memcpy(last->text, field.base, field.len);
        last->len = field.len;
    }
    return &last->acceptable;
}

static const breaker_variant_t *choose(const breaker_asset_t *asset,
                                       breaker__negotiated_t *negotiated, breaker_field_t field)
{
    if (negotiated == NULL)
        return breaker_asset_variant(asset, BREAKER_ENCODING_IDENTITY);
    return breaker_asset_choose(asset, negotiate(negotiated, field));
}

static bool has_condition(const breaker_conditions_t *conditions)
{
    return conditions->if_none_match.base != NULL || conditions->if_modified_since.base != NULL ||
           conditions->if_match.base != NULL || conditions->if_unmodified_since.base != NULL;
}

static breaker__judged_t judge_conditions(const breaker_asset_t *asset,
                                          const breaker_variant_t *variant,
                                          const breaker__request_t *request)
{
    switch (breaker_precondition(&request->fields.conditions, variant->etag, BREAKER_ETAG_LEN,
                                 asset->last_modified_s, request->now_s)) {
    case BREAKER_PRECONDITION_PROCEED:
        return BREAKER__JUDGED_WHOLE;
    case BREAKER_PRECONDITION_NOT_MODIFIED:
        return BREAKER__JUDGED_NOT_MODIFIED;
    case BREAKER_PRECONDITION_FAILED:
        return BREAKER__JUDGED_PRECONDITION_FAILED;
    }
    assert(!"a precondition outside its enum");
    return BREAKER__JUDGED_WHOLE;
}

static breaker__judged_t judge_range(breaker__judgement_t *judgement, const breaker_asset_t *asset,
                                     const breaker__request_t *request)
{
    const breaker__fields_t *fields = &request->fields;
    const breaker_variant_t *variant = judgement->variant;

    if (!breaker_if_range(fields->if_range, variant->etag, BREAKER_ETAG_LEN, asset->last_modified_s,
                          request->now_s))
        return BREAKER__JUDGED_WHOLE;
    switch (breaker_range_parse(fields->range.base, fields->range.len, variant->len,
                                judgement->ranges, &judgement->num_ranges)) {
    case BREAKER_RANGE_IGNORE:
        return BREAKER__JUDGED_WHOLE;
    case BREAKER_RANGE_UNSATISFIABLE:
        return BREAKER__JUDGED_UNSATISFIABLE;
    case BREAKER_RANGE_PARTIAL:
        return BREAKER__JUDGED_PARTIAL;
    }
    assert(!"a range outside its enum");
    return BREAKER__JUDGED_WHOLE;
}

void breaker__judge(breaker__judgement_t *judgement, const breaker_asset_t *asset,
                    breaker__negotiated_t *negotiated, const breaker__request_t *request)
{
    const breaker__fields_t *fields = &request->fields;

    judgement->variant = choose(asset, negotiated, fields->accept_encoding);
    judgement->kind = BREAKER__JUDGED_WHOLE;
    if (judgement->variant == NULL) {
        judgement->kind = BREAKER__JUDGED_NOT_ACCEPTABLE;
        if (asset->coding == BREAKER_ENCODING_IDENTITY)
            return;
        /* what is in a coding by its name is what the URL names */
        judgement->variant = breaker_asset_variant(asset, BREAKER_ENCODING_IDENTITY);
        judgement->kind = BREAKER__JUDGED_WHOLE;
    }
    if (has_condition(&fields->conditions))
        judgement->kind = judge_conditions(asset, judgement->variant, request);
    /* Range is defined for GET alone (RFC 9110 §14.2) */
    if (judgement->kind == BREAKER__JUDGED_WHOLE && fields->range.base != NULL && !request->is_head)
        judgement->kind = judge_range(judgement, asset, request);
    assert(judgement->kind != BREAKER__JUDGED_PARTIAL || judgement->num_ranges != 0);
}
