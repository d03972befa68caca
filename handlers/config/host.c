/*
 * What a server on libh2o 2.2.5 sets before it faces the internet: limits, media types that its map
 * is too old to know, and the allocator.
 */
#include <malloc.h>
#include <string.h>
#include <breaker/h2o.h>

void breaker_h2o_set_limits(h2o_globalconf_t *globalconf)
{
    globalconf->max_request_entity_size = 4096;
    globalconf->max_delegations = 3;
    globalconf->handshake_timeout = 5 * 1000;
    globalconf->http1.req_timeout = 5 * 1000;
    globalconf->http2.idle_timeout = 10 * 1000;
    globalconf->http2.graceful_shutdown_timeout = 5 * 1000;
    globalconf->http2.max_concurrent_requests_per_connection = 100;
    globalconf->http2.max_streams_for_priority = 16;
}

void breaker_h2o_tune_allocator(void)
{
    mallopt(M_TRIM_THRESHOLD, 256 << 20);
    mallopt(M_MMAP_THRESHOLD, 4 << 20);
}

void breaker_h2o_add_types(h2o_mimemap_t *mimemap)
{
    /* RFC 9239, the WebAssembly and manifest specifications, RFC 8081, and IANA's registry */
    static const struct {
        const char *ext, *type;
        char is_compressible;
    } types[] = {
        {"mjs", "text/javascript", 1},
        {"wasm", "application/wasm", 1},
        {"webmanifest", "application/manifest+json", 1},
        {"map", "application/json", 1},
        {"jsonld", "application/ld+json", 1},
        {"geojson", "application/geo+json", 1},
        {"woff", "font/woff", 0},
        {"woff2", "font/woff2", 0},
        {"ttf", "font/ttf", 1},
        {"otf", "font/otf", 1},
        {"ttc", "font/collection", 1},
        {"webp", "image/webp", 0},
        {"avif", "image/avif", 0},
        {"jxl", "image/jxl", 0},
        {"svg", "image/svg+xml", 1},
        {"svgz", "image/svg+xml", 0},
        {"webm", "video/webm", 0},
        {"opus", "audio/ogg", 0},
        {"weba", "audio/webm", 0},
        {"flac", "audio/flac", 0},
        {"vtt", "text/vtt", 1},
        {"gltf", "model/gltf+json", 1},
        {"glb", "model/gltf-binary", 1},
    };
    h2o_mimemap_type_t *unknown = h2o_mimemap_get_default_type(mimemap);

    for (size_t i = 0; i != sizeof(types) / sizeof(types[0]); ++i) {
        h2o_iovec_t ext = h2o_iovec_init(types[i].ext, strlen(types[i].ext));
        h2o_mime_attributes_t attr;
        /* libh2o compares attributes byte by byte, the holes between them included */
        memset(&attr, 0, sizeof(attr));
        attr.is_compressible = types[i].is_compressible;
        if (h2o_mimemap_get_type_by_extension(mimemap, ext) != unknown)
            continue;
        if (strcmp(types[i].ext, "mjs") == 0)
            attr.priority = H2O_MIME_ATTRIBUTE_PRIORITY_HIGHEST;
        h2o_mimemap_define_mimetype(mimemap, types[i].ext, types[i].type, &attr);
    }
}
