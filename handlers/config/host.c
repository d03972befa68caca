/*
 * What a server on libh2o 2.2.5 sets before it faces the internet: limits, media types that its map
 * is too old to know, and the allocator.
 */
#include <malloc.h>
#include <stdbool.h>
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

/*
 * RFC 9239 (one type for all scripts), the WebAssembly and manifest specifications, RFC 8081, RFC
 * 9512, and IANA's registry
 */
static const struct {
    const char *ext, *type;
    bool is_compressible;
    /** in the place of what libh2o's map has, which is outdated or not encoded */
    bool is_better;
} types[] = {
    {"js", "text/javascript", true, true},
    {"mjs", "text/javascript", true, false},
    {"cjs", "text/javascript", true, false},
    {"wasm", "application/wasm", true, false},
    {"webmanifest", "application/manifest+json", true, false},
    {"map", "application/json", true, false},
    {"jsonld", "application/ld+json", true, false},
    {"geojson", "application/geo+json", true, false},
    {"topojson", "application/json", true, false},
    {"ndjson", "application/x-ndjson", true, false},
    {"yaml", "application/yaml", true, false},
    {"yml", "application/yaml", true, false},
    {"toml", "application/toml", true, false},
    {"xsl", "application/xslt+xml", true, false},
    {"xslt", "application/xslt+xml", true, false},
    {"mpd", "application/dash+xml", true, false},
    {"ttml", "application/ttml+xml", true, false},
    {"m3u8", "application/vnd.apple.mpegurl", true, true},
    {"tsv", "text/tab-separated-values", true, false},
    {"ics", "text/calendar", true, false},
    {"vcf", "text/vcard", true, false},
    {"vtt", "text/vtt", true, false},
    {"srt", "application/x-subrip", true, false},
    {"text", "text/plain", true, false},
    {"log", "text/plain", true, false},
    {"wgsl", "text/wgsl", true, false},
    {"glsl", "text/plain", true, false},
    {"woff", "font/woff", false, true},
    {"woff2", "font/woff2", false, false},
    {"ttf", "font/ttf", true, false},
    {"otf", "font/otf", true, false},
    {"ttc", "font/collection", true, false},
    {"eot", "application/vnd.ms-fontobject", true, true},
    {"webp", "image/webp", false, false},
    {"avif", "image/avif", false, false},
    {"jxl", "image/jxl", false, false},
    {"heic", "image/heic", false, false},
    {"heif", "image/heif", false, false},
    {"ico", "image/x-icon", true, true},
    {"cur", "image/x-icon", true, false},
    {"bmp", "image/bmp", true, true},
    {"svg", "image/svg+xml", true, false},
    {"svgz", "image/svg+xml", false, false},
    {"psd", "image/vnd.adobe.photoshop", false, false},
    {"ktx2", "image/ktx2", false, false},
    {"webm", "video/webm", false, false},
    {"mkv", "video/matroska", false, false},
    {"ogv", "video/ogg", false, false},
    {"m4s", "video/iso.segment", false, false},
    {"m4a", "audio/mp4", false, true},
    {"wav", "audio/wav", false, false},
    {"aac", "audio/aac", false, false},
    {"oga", "audio/ogg", false, false},
    {"opus", "audio/ogg", false, false},
    {"weba", "audio/webm", false, false},
    {"flac", "audio/flac", false, false},
    {"gltf", "model/gltf+json", true, false},
    {"glb", "model/gltf-binary", true, false},
    {"usdz", "model/vnd.usdz+zip", false, false},
    {"epub", "application/epub+zip", false, false},
    {"odt", "application/vnd.oasis.opendocument.text", false, false},
    {"ods", "application/vnd.oasis.opendocument.spreadsheet", false, false},
    {"gz", "application/gzip", false, false},
    {"zst", "application/zstd", false, false},
    {"tar", "application/x-tar", false, false},
    {"apk", "application/vnd.android.package-archive", false, false},
};

void breaker_h2o_add_types(h2o_mimemap_t *mimemap)
{
    h2o_mimemap_type_t *unknown = h2o_mimemap_get_default_type(mimemap);

    for (size_t i = 0; i != sizeof(types) / sizeof(types[0]); ++i) {
        h2o_iovec_t ext = h2o_iovec_init(types[i].ext, strlen(types[i].ext));
        h2o_mime_attributes_t attr;
        /* libh2o compares attributes byte by byte, the holes between them included */
        memset(&attr, 0, sizeof(attr));
        attr.is_compressible = types[i].is_compressible;
        if (!types[i].is_better && h2o_mimemap_get_type_by_extension(mimemap, ext) != unknown)
            continue;
        if (strcmp(types[i].type, "text/javascript") == 0)
            attr.priority = H2O_MIME_ATTRIBUTE_PRIORITY_HIGHEST;
        h2o_mimemap_define_mimetype(mimemap, types[i].ext, types[i].type, &attr);
    }
}
