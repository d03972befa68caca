/*
 * What finding an asset costs in stores of 10 to 100,000, and what reading an Accept-Encoding
 * costs. Stores are made of paths alone, as in tests/unit/test_store.c. Paths are asked for in an
 * order without a pattern, so that the caches of a large store do what they do in a server.
 * Cases: "store/ASSETS/hit", "store/ASSETS/miss", "encoding/HEADER".
 */
#include "measure.h"
#include "stores.h"
#include "view/view.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PATH_LEN 48
/* a power of two, more than the largest store has assets */
#define ASKED (1u << 17)

static const size_t sizes[] = {10, 1000, 100000};

static const struct {
    const char *name, *value;
} accepted[] = {
    {"absent", NULL},
    {"browser", "gzip, deflate, br, zstd"},
    {"weights", "br;q=0.8, zstd;q=0.9, gzip;q=0.5, *;q=0.1"},
    {"curl", "deflate, gzip, br, zstd"},
    {"star", "*"},
    {"nothing", "identity;q=0, *;q=0"},
};

typedef struct st_asked_t {
    const breaker_store_t *store;
    char (*paths)[PATH_LEN];
    size_t len, at;
} asked_t;

/* `kind` tells paths of assets from their neighbours' that are missing; both have one length */
static void write_path(char *dst, const char *kind, size_t number)
{
    snprintf(dst, PATH_LEN, "js/chunk-%06zu.%s.js", number, kind);
}

static breaker_store_t *make_store(const breaker_view_t *view, breaker__blobs_t *blobs, size_t num)
{
    char(*texts)[PATH_LEN] = calloc(num, PATH_LEN);
    const char **paths = calloc(num, sizeof(*paths));
    breaker_store_t *store;

    measure_check(texts != NULL && paths != NULL, "memory");
    for (size_t i = 0; i != num; ++i) {
        write_path(texts[i], "min", i);
        paths[i] = texts[i];
    }
    measure_check((store = stores_create(view, blobs, paths, num)) != NULL, "store");
    free(paths);
    free(texts);
    return store;
}

static void find(void *data, size_t num)
{
    asked_t *asked = data;

    for (size_t i = 0; i != num; ++i) {
        const char *path = asked->paths[asked->at++ % ASKED];
        const breaker_asset_t *asset = breaker_store_find(asked->store, path, asked->len);
        measure_keep(asset);
    }
}

static void measure_lookups(const breaker_store_t *store, size_t size, bool there)
{
    asked_t asked = {.store = store};
    uint32_t seed = 1;
    char name[64];

    measure_check((asked.paths = calloc(ASKED, sizeof(*asked.paths))) != NULL, "memory");
    for (size_t i = 0; i != ASKED; ++i) {
        seed = seed * 1664525 + 1013904223;
        write_path(asked.paths[i], there ? "min" : "map", (seed >> 8) % size);
    }
    asked.len = strlen(asked.paths[0]);
    for (size_t i = 0; i != 64; ++i)
        measure_check((breaker_store_find(store, asked.paths[i], asked.len) != NULL) == there,
                      asked.paths[i]);
    snprintf(name, sizeof(name), "store/%zu/%s", size, there ? "hit" : "miss");
    measure(name, find, &asked);
    free(asked.paths);
}

typedef struct st_header_t {
    const char *base;
    size_t len;
} header_t;

static void negotiate(void *data, size_t num)
{
    const header_t *header = data;

    for (size_t i = 0; i != num; ++i) {
        breaker_acceptable_t acceptable;
        breaker_encoding_negotiate(header->base, header->len, &acceptable);
        measure_keep(&acceptable);
    }
}

static void measure_negotiation(void)
{
    for (size_t i = 0; i != COUNT(accepted); ++i) {
        const char *value = accepted[i].value;
        header_t header = {value, value != NULL ? strlen(value) : 0};
        char name[64];
        snprintf(name, sizeof(name), "encoding/%s", accepted[i].name);
        measure(name, negotiate, &header);
    }
}

int main(int argc, char **argv)
{
    breaker_view_config_t config;
    breaker_view_t *view;
    breaker__blobs_t *blobs;

    measure_init(argc, argv);
    breaker_view_config_init(&config);
    config.name = "static/{breaker}";
    config.directory = "/nonexistent";
    measure_check(breaker__view_create(&config, 0, &view) == 0, "view");
    measure_check(breaker__blobs_create(&blobs) == 0, "blobs");
    for (size_t i = 0; i != COUNT(sizes); ++i) {
        breaker_store_t *store = make_store(view, blobs, sizes[i]);
        measure_lookups(store, sizes[i], true);
        measure_lookups(store, sizes[i], false);
        breaker__store_free(store);
    }
    breaker__blobs_unref(blobs);
    breaker__view_free(view);
    measure_negotiation();
    return 0;
}
