/*
 * The order in which blobs are read and fetched. Small ones first: a page needs many of them, and
 * most of them are there before the first large one comes.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <breaker/error.h>
#include "holding/blob_list.h"
#include "release/release.h"

static int compare(const void *a, const void *b)
{
    const breaker__blob_t *x = *(breaker__blob_t *const *)a, *y = *(breaker__blob_t *const *)b;
    uint64_t x_len = breaker__blob_len(x), y_len = breaker__blob_len(y);

    if (x_len != y_len)
        return x_len < y_len ? -1 : 1;
    return x == y ? 0 : (uintptr_t)x < (uintptr_t)y ? -1 : 1;
}

static bool is_here(const breaker__blob_t *blob)
{
    return breaker__blob_state(blob) == BREAKER__BLOB_HERE;
}

static void count(void *data, breaker__blob_t *blob)
{
    size_t *num = data;
    (void)blob;

    ++*num;
}

typedef struct st_collection_t {
    breaker__blob_list_t *list;
    size_t num_max;
    bool only_missing;
} collection_t;

/* a blob that comes meanwhile makes the second walk shorter than the first */
static void collect(void *data, breaker__blob_t *blob)
{
    collection_t *collection = data;
    breaker__blob_list_t *list = collection->list;

    if (collection->only_missing && is_here(blob))
        return;
    assert(list->num < collection->num_max);
    list->blobs[list->num++] = blob;
}

static void remove_doubles(breaker__blob_list_t *list)
{
    size_t num = 0;

    for (size_t i = 0; i != list->num; ++i)
        if (num == 0 || list->blobs[num - 1] != list->blobs[i])
            list->blobs[num++] = list->blobs[i];
    assert(num <= list->num);
    list->num = num;
}

/* those of one blob stand one after the other */
static int gather(breaker__blob_list_t *list, const breaker_release_t *release, bool only_missing)
{
    collection_t collection = {.list = list, .only_missing = only_missing};

    breaker__blob_list_dispose(list);
    breaker__release_each_blob(release, count, &collection.num_max);
    if ((list->blobs = calloc(collection.num_max + 1, sizeof(*list->blobs))) == NULL)
        return BREAKER_ERR_NO_MEMORY;
    breaker__release_each_blob(release, collect, &collection);
    if (list->num != 0)
        qsort(list->blobs, list->num, sizeof(*list->blobs), compare);
    return 0;
}

int breaker__blob_list_init(breaker__blob_list_t *list, const breaker_release_t *release,
                            bool only_missing)
{
    int err = gather(list, release, only_missing);

    if (err == 0)
        remove_doubles(list);
    return err;
}

int breaker__blob_list_init_names(breaker__blob_list_t *list, const breaker_release_t *release)
{
    return gather(list, release, false);
}

void breaker__blob_list_dispose(breaker__blob_list_t *list)
{
    free(list->blobs);
    *list = (breaker__blob_list_t){.blobs = NULL};
}

breaker__blob_t *breaker__blob_list_next(breaker__blob_list_t *list)
{
    assert(list->at <= list->num);
    return list->at != list->num ? list->blobs[list->at++] : NULL;
}

size_t breaker__blob_list_rewind(breaker__blob_list_t *list)
{
    size_t num = 0;

    for (size_t i = 0; i != list->num; ++i)
        if (!is_here(list->blobs[i]))
            list->blobs[num++] = list->blobs[i];
    list->num = num;
    list->at = 0;
    return num;
}

bool breaker__blob_list_has(const breaker__blob_list_t *list, const breaker__blob_t *blob)
{
    return list->num != 0 &&
           bsearch(&blob, list->blobs, list->num, sizeof(*list->blobs), compare) != NULL;
}
