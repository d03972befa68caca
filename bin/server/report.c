/*
 * What a process that serves reports, and to whom: to its master over their channel, or, without
 * one, to the service manager. A master that is gone hears nothing, which is noticed where orders
 * are waited for.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "logs/error_log.h"
#include "process/notify.h"
#include "server/report.h"

void breaker__report(const breaker__orders_t *orders, breaker__say_t about, const char *text,
                     const int *fds, size_t num_fds)
{
    if (orders->has_master && orders->fd != -1)
        breaker__channel_send(orders->fd, about, text, fds, num_fds);
}

/* service managers listen to the process that they started */
static void report_state(const breaker__orders_t *orders, breaker__say_t about, const char *state)
{
    if (orders->has_master)
        breaker__report(orders, about, state, NULL, 0);
    else
        breaker__notify(state);
}

void breaker__report_state(const breaker__orders_t *orders, const char *state)
{
    report_state(orders, BREAKER__SAY_NOTIFY, state);
}

void breaker__report_ready(const breaker__orders_t *orders, const char *state)
{
    report_state(orders, BREAKER__SAY_READY, state);
}

static void report_listener(const breaker__orders_t *orders, const breaker__listener_t *listener)
{
    size_t num = breaker__listener_num_sockets(listener);

    if (listener->num_held != 0)
        breaker__report(orders, BREAKER__SAY_USED, listener->name, NULL, 0);
    for (size_t i = listener->num_held; i < num; i += BREAKER__MESSAGE_FDS_MAX) {
        size_t rest = num - i;
        breaker__report(orders, BREAKER__SAY_BOUND, listener->name, listener->fds + i,
                        rest < BREAKER__MESSAGE_FDS_MAX ? rest : BREAKER__MESSAGE_FDS_MAX);
    }
}

void breaker__report_bound(const breaker__orders_t *orders, breaker__listeners_t *listeners)
{
    for (size_t i = 0; i != listeners->size; ++i) {
        report_listener(orders, listeners->entries[i]);
        listeners->entries[i]->has_file = false;
    }
}

void breaker__report_logs(const breaker__orders_t *orders, const breaker__logs_t *logs)
{
    char text[BREAKER__MESSAGE_TEXT_MAX];

    for (size_t i = 0; i != logs->num; ++i) {
        snprintf(text, sizeof(text), "%d %s", logs->entries[i].fd, logs->entries[i].path);
        breaker__report(orders, BREAKER__SAY_LOG, text, NULL, 0);
    }
}

void breaker__report_minted(const breaker__orders_t *orders, const breaker_node_t *node)
{
    breaker_ledger_entry_t entry;
    char text[BREAKER__MESSAGE_TEXT_MAX];

    if (breaker_node_minted(node, &entry) != 0)
        return;
    snprintf(text, sizeof(text), "%" PRIu64 " %s %s", entry.order, entry.token.text,
             entry.release.text);
    breaker__report(orders, BREAKER__SAY_MINTED, text, NULL, 0);
}

void breaker__take_minted(breaker_node_t *node, const char *text)
{
    breaker_ledger_entry_t entry = {0};
    int token = 0, token_end = 0, release = 0;

    if (text == NULL ||
        sscanf(text, "%" SCNu64 " %n%*s%n %n", &entry.order, &token, &token_end, &release) != 1 ||
        release == 0 ||
        breaker_token_parse(text + token, (size_t)(token_end - token), &entry.token) != 0 ||
        breaker_release_id_parse(text + release, strlen(text + release), &entry.release) != 0)
        return;
    breaker_node_set_minted(node, &entry);
}

void breaker__report_inventory(const breaker__orders_t *orders, breaker_node_t *node)
{
    breaker__inventory_fds_t inventory = {.num = 0};

    inventory.num = breaker_node_take_inventory(node, inventory.fds);
    breaker__report(orders, BREAKER__SAY_INVENTORY, "", inventory.fds, inventory.num);
    breaker__inventory_fds_close(&inventory);
}

/* without a master there is no next worker */
void breaker__take_inventory(const breaker__orders_t *orders, breaker_node_t *node,
                             breaker__inventory_fds_t *inventory)
{
    if (orders->has_master && breaker_node_set_inventory(node, inventory->fds, inventory->num) == 0)
        inventory->num = 0;
    breaker__inventory_fds_close(inventory);
}

void breaker__report_failure(const breaker__legacy_t *legacy)
{
    if (legacy->channel != -1 && breaker__error_log_last()[0] != '\0' &&
        breaker__channel_send(legacy->channel, BREAKER__SAY_FAILED, breaker__error_log_last(), NULL,
                              0) != 0)
        breaker__error_log_hold_last(false);
}
