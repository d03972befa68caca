/*
 * What loading costs: 10,000 files of 4 KiB that the page cache holds already. Seconds, median of
 * several loads, and what the process keeps for a release beyond the bytes of its files, by the
 * store's own account and by the allocator's.
 */
#include <malloc.h>
#include <breaker/release.h>
#include "measure.h"
#include "release/release.h"
#include "release/store.h"
#include "scratch.h"
#include "view/view.h"

#define FILES 10000
#define FILE_LEN 4096
#define LOADS 5

static void write_files(const scratch_t *scratch)
{
    char body[FILE_LEN], path[64];

    for (size_t i = 0; i != FILES; ++i) {
        memset(body, (int)('a' + i % 26), sizeof(body));
        snprintf(body, sizeof(body), "%zu", i);
        snprintf(path, sizeof(path), "js/%02zu/chunk-%06zu.js", i % 100, i);
        scratch_write(scratch, path, body, sizeof(body));
    }
}

static size_t allocated(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

/* Loads and drops the release; returns nanoseconds. */
static double load(const breaker_view_t *view, size_t *ret_kept, size_t *ret_allocated)
{
    breaker__release_config_t config = {.views = &view, .num_views = 1};
    breaker_error_t error = {0};
    breaker_release_t *release;
    size_t before = allocated();
    uint64_t start_ns = measure_now_ns(CLOCK_MONOTONIC);
    double took_ns;

    measure_check(breaker__release_load(&config, NULL, &release, &error) == 0, error.message);
    took_ns = (double)(measure_now_ns(CLOCK_MONOTONIC) - start_ns);
    *ret_allocated = allocated() - before;
    *ret_kept = breaker__store_memory(breaker_release_store(release, 0));
    measure_check(breaker_store_size(breaker_release_store(release, 0)) == FILES, "files");
    breaker_release_unref(release);
    return took_ns;
}

int main(void)
{
    size_t kept, taken, bytes = (size_t)FILES * FILE_LEN;
    breaker_view_config_t config;
    double took_ns[LOADS];
    breaker_view_t *view;
    scratch_t scratch;

    scratch_create(&scratch);
    write_files(&scratch);
    breaker_view_config_init(&config);
    config.name = "static/{breaker}";
    config.directory = scratch.path;
    measure_check(breaker__view_create(&config, 0, &view) == 0, "view");
    /* the first one is not counted: it fills the caches */
    load(view, &kept, &taken);
    for (size_t i = 0; i != LOADS; ++i)
        took_ns[i] = load(view, &kept, &taken);
    qsort(took_ns, LOADS, sizeof(took_ns[0]), measure_compare);
    printf("{\"case\": \"load/%d/%d\", \"s\": %.4f, \"lowest_s\": %.4f, \"bytes\": %zu, "
           "\"store_memory\": %zu, \"allocated\": %zu}\n",
           FILES, FILE_LEN, took_ns[LOADS / 2] / 1e9, took_ns[0] / 1e9, bytes, kept, taken);
    breaker__view_free(view);
    scratch_remove(&scratch);
    return 0;
}
