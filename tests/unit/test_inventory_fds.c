/*
 * What a master takes of what a worker says that it has loaded: what it says first, and no more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "master/inventory.h"

/* a message with so many descriptors */
static void write_message(breaker__message_t *message, size_t num)
{
    memset(message, 0, sizeof(*message));
    message->say = BREAKER__SAY_INVENTORY;
    for (; message->num_fds != num; ++message->num_fds)
        assert_true((message->fds[message->num_fds] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >=
                    0);
}

static void close_all(const int *fds, size_t num)
{
    for (size_t i = 0; i != num; ++i)
        assert_int_equal(close(fds[i]), 0);
}

static void the_first_one_is_taken_and_the_second_one_left(void **state)
{
    breaker__inventory_fds_t inventory = {.num = 0};
    breaker__message_t message;
    int first;

    (void)state;
    write_message(&message, 2);
    first = message.fds[0];
    breaker__inventory_fds_take(&inventory, &message);
    assert_int_equal(message.num_fds, 0);
    write_message(&message, 3);
    breaker__inventory_fds_take(&inventory, &message);
    assert_int_equal(message.num_fds, 3);
    close_all(message.fds, message.num_fds);
    assert_int_equal(inventory.num, 2);
    assert_int_equal(inventory.fds[0], first);
    breaker__inventory_fds_close(&inventory);
    assert_int_equal(fcntl(first, F_GETFD), -1);
}

static void after_one_of_nothing_nothing_is_taken(void **state)
{
    breaker__inventory_fds_t inventory = {.num = 0};
    breaker__message_t message;

    (void)state;
    write_message(&message, 0);
    breaker__inventory_fds_take(&inventory, &message);
    write_message(&message, 2);
    breaker__inventory_fds_take(&inventory, &message);
    assert_int_equal(message.num_fds, 2);
    assert_int_equal(inventory.num, 0);
    close_all(message.fds, message.num_fds);
}

static void more_than_an_inventory_has_are_left(void **state)
{
    breaker__inventory_fds_t inventory = {.num = 0};
    breaker__message_t message;

    (void)state;
    write_message(&message, BREAKER_INVENTORY_MAX + 1);
    breaker__inventory_fds_take(&inventory, &message);
    assert_int_equal(message.num_fds, BREAKER_INVENTORY_MAX + 1);
    assert_int_equal(inventory.num, 0);
    close_all(message.fds, message.num_fds);
}

static void what_is_moved_takes_the_place_of_what_there_was(void **state)
{
    breaker__inventory_fds_t kept = {.num = 0}, next = {.num = 0};
    breaker__message_t message;
    int before;

    (void)state;
    write_message(&message, 1);
    before = message.fds[0];
    breaker__inventory_fds_take(&kept, &message);
    write_message(&message, 2);
    breaker__inventory_fds_take(&next, &message);
    breaker__inventory_fds_move(&kept, &next);
    assert_int_equal(fcntl(before, F_GETFD), -1);
    assert_int_equal(kept.num, 2);
    assert_int_equal(next.num, 0);
    breaker__inventory_fds_close(&kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_one_is_taken_and_the_second_one_left),
        cmocka_unit_test(after_one_of_nothing_nothing_is_taken),
        cmocka_unit_test(more_than_an_inventory_has_are_left),
        cmocka_unit_test(what_is_moved_takes_the_place_of_what_there_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
