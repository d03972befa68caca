/*
 * An outside consumer whose nodes agree through something else than Redis: etcd, Consul, a table of
 * a database, here the lines of its input, as a watch would bring them. No h2o in it, and no
 * server: it prints what a server would hand out.
 *
 *   coordinator DIRECTORY        reads lines "ORDER TOKEN RELEASE"; "-" is this node's release
 *
 * What stands between the "coordinating" marks is what README shows to embedders.
 */
#include <stdio.h>
#include <string.h>

/* coordinating: begin */
#include <breaker/breaker.h>

/* What all nodes have registered: orders, tokens, releases. On one thread, at every change. */
static int publish_agreed(breaker_node_t *node, const breaker_ledger_entry_t *entries, size_t num)
{
    breaker_release_t *release = breaker_node_release(node);
    const breaker_ledger_entry_t *newest;
    breaker_ledger_t ledger;
    int err;

    if ((err = breaker_ledger_init(&ledger, entries, num)) == 0) {
        if ((newest = breaker_ledger_newest(&ledger, breaker_release_id(release))) != NULL)
            err = breaker_node_publish(node, release, &newest->token, &ledger, false);
        else
            err = BREAKER_ERR_NOT_READY; /* nobody has: register breaker_token_mint's, atomically */
    }
    breaker_release_unref(release);
    return err;
}
/* coordinating: end */

static void on_change(void *data, const breaker_snapshot_t *snapshot)
{
    (void)data;
    printf("%.*s\n", (int)snapshot->views[0].prefix_len, snapshot->views[0].prefix);
}

static int make_node(const char *directory, breaker_node_t **ret_node, breaker_error_t *error)
{
    breaker_node_config_t config;
    breaker_view_config_t view_config;
    const breaker_view_t *view;
    int err;

    breaker_node_config_init(&config);
    config.on_change = on_change;
    breaker_view_config_init(&view_config);
    view_config.name = "static/{breaker}";
    view_config.directory = directory;
    if ((err = breaker_node_create(&config, ret_node)) != 0 ||
        (err = breaker_node_add_view(*ret_node, &view_config, &view)) != 0 ||
        (err = breaker_node_join(*ret_node)) != 0)
        return breaker_error_set(error, err, "%s", breaker_err_message(err));
    return breaker_node_load(*ret_node, error);
}

static void read_own(breaker_node_t *node, breaker_release_id_t *ret_id)
{
    breaker_release_t *release = breaker_node_release(node);

    *ret_id = *breaker_release_id(release);
    breaker_release_unref(release);
}

static int read_entry(const char *line, breaker_node_t *node, breaker_ledger_entry_t *entry)
{
    char token[80], release[256];
    unsigned long long order;

    if (sscanf(line, "%llu %79s %255s", &order, token, release) != 3)
        return BREAKER_ERR_RANGE;
    entry->order = order;
    if (strcmp(release, "-") == 0)
        read_own(node, &entry->release);
    else if (breaker_release_id_parse(release, strlen(release), &entry->release) != 0)
        return BREAKER_ERR_RELEASE_SYNTAX;
    return breaker_token_parse(token, strlen(token), &entry->token);
}

int main(int argc, char **argv)
{
    breaker_ledger_entry_t entries[BREAKER_LEDGER_MAX];
    size_t num = 0;
    breaker_node_t *node;
    breaker_error_t error;
    char line[512];

    if (argc != 2)
        return 2;
    if (make_node(argv[1], &node, &error) != 0) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    while (num != BREAKER_LEDGER_MAX && fgets(line, sizeof(line), stdin) != NULL) {
        int err = read_entry(line, node, entries + num);
        if (err == 0)
            err = publish_agreed(node, entries, ++num);
        if (err != 0)
            printf("%s\n", breaker_err_name(err));
    }
    breaker_node_free(node);
    return 0;
}
