/*
 * What handlers that write pages by themselves say of assets: URLs and integrity, by the snapshot
 * that is the newest at the moment of the call, in memory of the request's pool.
 */
#include <breaker/h2o.h>

/* an owned reference, or NULL while nothing is published */
static breaker_snapshot_t *take_newest(breaker_node_t *node)
{
    breaker_snapshot_t *current = NULL;

    breaker_publisher_refresh(breaker_node_publisher(node), &current);
    return current;
}

int breaker_h2o_static_url(h2o_mem_pool_t *pool, breaker_node_t *node, const breaker_view_t *view,
                           const breaker_url_parts_t *parts, h2o_iovec_t *ret_url)
{
    size_t size = breaker_static_url_size(parts);
    breaker_snapshot_t *current = take_newest(node);
    h2o_iovec_t url = {h2o_mem_alloc_pool(pool, size), 0};
    int err = breaker_static_url(current, view, parts, url.base, size, &url.len);

    breaker_snapshot_unref(current);
    if (err == 0)
        *ret_url = url;
    return err;
}

int breaker_h2o_static_integrity(h2o_mem_pool_t *pool, breaker_node_t *node,
                                 const breaker_view_t *view, const char *path, size_t path_len,
                                 h2o_iovec_t *ret_text)
{
    breaker_snapshot_t *current = take_newest(node);
    h2o_iovec_t text = {h2o_mem_alloc_pool(pool, BREAKER_INTEGRITY_LEN + 1), BREAKER_INTEGRITY_LEN};
    int err = breaker_static_integrity(current, view, path, path_len, text.base);

    breaker_snapshot_unref(current);
    if (err == 0)
        *ret_text = text;
    return err;
}
