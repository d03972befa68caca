/*
 * An outside consumer in C++: it includes every header that is installed, in the flavour of libh2o
 * that it is linked to, and writes a page, no server around it. It makes a node, loads it,
 * publishes a token as a coordinator does, and asks for URLs.
 *
 *   page DIRECTORY TOKEN PATH…
 *
 * Prints a URL and its integrity a line.
 */
#include "every_header.h"

#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

namespace
{

using Node = std::unique_ptr<breaker_node_t, decltype(&breaker_node_free)>;
using Snapshot = std::unique_ptr<breaker_snapshot_t, decltype(&breaker_snapshot_unref)>;

int fail(int err, const char *what)
{
    std::fprintf(stderr, "%s: %s (%s)\n", what, breaker_err_message(err), breaker_err_name(err));
    return 1;
}

Snapshot take_snapshot(breaker_node_t *node)
{
    breaker_snapshot_t *current = nullptr;

    breaker_publisher_refresh(breaker_node_publisher(node), &current);
    return Snapshot(current, breaker_snapshot_unref);
}

int publish(breaker_node_t *node, const char *text)
{
    breaker_token_t token;
    breaker_release_t *release = breaker_node_release(node);
    int err = breaker_token_parse(text, std::strlen(text), &token);

    if (err == 0)
        err = breaker_node_publish(node, release, &token, nullptr, false);
    breaker_release_unref(release);
    return err;
}

int print_url(breaker_node_t *node, const breaker_view_t *view, const std::string &path)
{
    h2o_mem_pool_t pool;
    h2o_iovec_t url = {}, integrity = {};
    breaker_url_parts_t parts = {};

    parts.base_url = "https://cdn.example/";
    parts.path = path.data();
    parts.path_len = path.size();
    h2o_mem_init_pool(&pool);
    int err = breaker_h2o_static_url(&pool, node, view, &parts, &url);
    if (err == 0)
        err =
            breaker_h2o_static_integrity(&pool, node, view, parts.path, parts.path_len, &integrity);
    if (err == 0)
        std::printf("%s %s\n", url.base, integrity.base);
    h2o_mem_clear_pool(&pool);
    return err;
}

/* a request, judged and negotiated as a server of one's own does it */
bool is_served(const breaker_snapshot_t *snapshot, const breaker_view_t *view,
               const std::string &path)
{
    breaker_views_t *views;
    breaker_acceptable_t acceptable;
    const breaker_variant_t *variant = nullptr;

    if (breaker_views_create(&view, 1, &views) != 0)
        return false;
    breaker_encoding_negotiate("gzip", 4, &acceptable);
    const breaker_verdict_t verdict =
        breaker_classify(snapshot, views, path.data(), path.size(), false);
    if (verdict.kind == BREAKER_VERDICT_SERVE)
        variant = breaker_asset_choose(verdict.asset, &acceptable);
    breaker_views_free(views);
    return variant != nullptr && variant->base != nullptr &&
           breaker_asset_variant(verdict.asset, BREAKER_ENCODING_IDENTITY) != nullptr;
}

} // namespace

int main(int argc, char **argv)
{
    h2o_globalconf_t globalconf;
    breaker_node_config_t node_config;
    breaker_view_config_t view_config;
    const breaker_view_t *view;
    breaker_node_t *made;
    breaker_error_t error;
    int err;

    if (argc < 4)
        return 2;
    if (std::string(breaker_version()) != BREAKER_VERSION)
        return fail(BREAKER_ERR_STATE, breaker_version());
    h2o_config_init(&globalconf);
    breaker_h2o_node_config_init(&node_config, &globalconf);
    breaker_view_config_init(&view_config);
    view_config.name = "static/{breaker}";
    view_config.directory = argv[1];
    if ((err = breaker_node_create(&node_config, &made)) != 0)
        return fail(err, "create");
    const Node node(made, breaker_node_free);
    if ((err = breaker_node_add_view(made, &view_config, &view)) != 0 ||
        (err = breaker_node_join(made)) != 0)
        return fail(err, argv[1]);
    if (breaker_node_load(made, &error) != 0)
        return fail(error.code, error.message);
    if ((err = publish(made, argv[2])) != 0)
        return fail(err, argv[2]);

    const Snapshot snapshot = take_snapshot(made);
    for (int i = 3; i != argc; ++i)
        if ((err = print_url(made, view, argv[i])) != 0)
            return fail(err, argv[i]);
        else if (!is_served(snapshot.get(), view,
                            std::string("/static/") + argv[2] + "/" + argv[i]))
            return fail(BREAKER_ERR_NOT_FOUND, argv[i]);
    return 0;
}
