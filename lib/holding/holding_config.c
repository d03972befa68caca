/*
 * How a node holds, as it was configured: checked when it is set, copied with its texts, and never
 * changed once the node is loaded.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "holding/holding.h"
#include "node/node.h"
#include "peers/address.h"
#include "peers/client.h"

_Static_assert(BREAKER_FETCH_CONNECTIONS_MAX == BREAKER__PEERS_CONNECTIONS_MAX,
               "a node may have as many connections as its client");
_Static_assert(BREAKER_PEER_NETWORKS_MAX == BREAKER__CIDRS_MAX,
               "a node may name as many networks as its client knows");

#define DAY_MS UINT64_C(86400000)

void breaker_holding_config_init(breaker_holding_config_t *config)
{
    *config = (breaker_holding_config_t){
        .keep_releases = 5,
        .keep_age_ms = 7 * DAY_MS,
        .keep_memory = UINT64_C(256) << 20,
        .keep_disk = UINT64_C(4) << 30,
        .fetch_timeout_ms = 1000,
        .fetch_connections = BREAKER__PEERS_CONNECTIONS,
        .fetch_file_limit = UINT64_C(64) << 20,
        .ready_timeout_ms = 10000,
    };
}

/* ---- checks ---- */

static int refuse(breaker_error_t *error, const char *name, uint64_t min, uint64_t max)
{
    assert(min <= max);
    return breaker_error_set(error, BREAKER_ERR_RANGE, "%s: accepted: %llu to %llu", name,
                             (unsigned long long)min, (unsigned long long)max);
}

static int check_networks(const breaker_holding_config_t *config, breaker_error_t *error)
{
    breaker_network_t cidr;

    if (config->num_networks > BREAKER_PEER_NETWORKS_MAX)
        return refuse(error, "the number of networks", 0, BREAKER_PEER_NETWORKS_MAX);
    for (size_t i = 0; i != config->num_networks; ++i) {
        const char *network = config->networks[i];
        if (breaker_network_parse(network, strlen(network), &cidr) != 0)
            return breaker_error_set(error, BREAKER_ERR_RANGE,
                                     "network %s: accepted: 10.0.0.0/8, fd00::/8, an address",
                                     network);
    }
    return 0;
}

static int check(const breaker_holding_config_t *config, breaker_error_t *error)
{
    const struct {
        const char *name;
        uint64_t value, min, max;
    } numbers[] = {
        {"releases to keep", config->keep_releases, 0, BREAKER_KEEP_RELEASES_MAX},
        {"age to keep in ms", config->keep_age_ms, 0, BREAKER_KEEP_AGE_MAX_MS},
        {"disk to keep in bytes", config->keep_disk, BREAKER_KEEP_DISK_MIN, UINT64_MAX},
        {"timeout of fetching in ms", config->fetch_timeout_ms, BREAKER_FETCH_TIMEOUT_MIN_MS,
         BREAKER_FETCH_TIMEOUT_MAX_MS},
        {"connections to fetch", config->fetch_connections, 1, BREAKER_FETCH_CONNECTIONS_MAX},
        {"limit of a fetched file in bytes", config->fetch_file_limit, 1, BREAKER_FETCH_FILE_MAX},
        {"timeout of readiness in ms", config->ready_timeout_ms, 0, BREAKER_READY_TIMEOUT_MAX_MS},
    };

    for (size_t i = 0; i != sizeof(numbers) / sizeof(numbers[0]); ++i)
        if (numbers[i].value < numbers[i].min || numbers[i].value > numbers[i].max)
            return refuse(error, numbers[i].name, numbers[i].min, numbers[i].max);
    if (config->fetch_rate != 0 && config->fetch_rate < BREAKER_FETCH_RATE_MIN)
        return refuse(error, "rate of fetching in bytes a second", BREAKER_FETCH_RATE_MIN,
                      UINT64_MAX);
    if (config->archive != NULL && config->archive[0] == '\0')
        return breaker_error_set(error, BREAKER_ERR_RANGE, "archive: accepted: a directory");
    return check_networks(config, error);
}

/* ---- copies ---- */

static bool copy_text(const char *text, const char **ret_copy)
{
    *ret_copy = text != NULL ? strdup(text) : NULL;
    return (*ret_copy != NULL) == (text != NULL);
}

static bool copy_networks(const breaker_holding_config_t *src, breaker_holding_config_t *dst)
{
    const char **copies = calloc(src->num_networks + 1, sizeof(*copies));

    dst->networks = copies;
    dst->num_networks = 0;
    if (copies == NULL)
        return false;
    for (size_t i = 0; i != src->num_networks; ++i, ++dst->num_networks)
        if (!copy_text(src->networks[i], copies + i))
            return false;
    return true;
}

int breaker__holding_config_copy(breaker_holding_config_t *dst, const breaker_holding_config_t *src)
{
    breaker_holding_config_t copy = *src;
    bool is_whole = copy_text(src->archive, &copy.archive);

    is_whole &= copy_text(src->peers_ca_file, &copy.peers_ca_file);
    is_whole &= copy_networks(src, &copy);
    if (!is_whole) {
        breaker__holding_config_dispose(&copy);
        return BREAKER_ERR_NO_MEMORY;
    }
    assert(copy.num_networks == src->num_networks);
    breaker__holding_config_dispose(dst);
    *dst = copy;
    return 0;
}

static void drop_text(const char *text)
{
    free((void *)(uintptr_t)text);
}

void breaker__holding_config_dispose(breaker_holding_config_t *config)
{
    drop_text(config->archive);
    drop_text(config->peers_ca_file);
    assert(config->networks != NULL || config->num_networks == 0);
    for (size_t i = 0; i != config->num_networks; ++i)
        drop_text(config->networks[i]);
    free((void *)(uintptr_t)config->networks);
    *config = (breaker_holding_config_t){.archive = NULL};
}

/* ---- the node's ---- */

int breaker_node_set_holding(breaker_node_t *node, const breaker_holding_config_t *config,
                             breaker_error_t *error)
{
    int err;

    if (node->is_loaded)
        return breaker_error_set(error, BREAKER_ERR_STATE, "%s",
                                 breaker_err_message(BREAKER_ERR_STATE));
    if ((err = check(config, error)) != 0)
        return err;
    if ((err = breaker__holding_config_copy(&node->holding_config, config)) != 0)
        return breaker_error_set(error, err, "%s", breaker_err_message(err));
    assert(node->holding == NULL);
    return 0;
}

const breaker_holding_config_t *breaker_node_holding(const breaker_node_t *node)
{
    assert(node->holding_config.fetch_timeout_ms != 0);
    return &node->holding_config;
}
