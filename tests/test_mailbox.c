/* test_mailbox.c: the ring between a worker and the loop: order, fullness, and a stress test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/atomics.h"
#include "base/os.h"
#include "net/mailbox.h"

static void items_come_in_order_until_it_is_full(void **state)
{
    static int items[LEAT_I_MAILBOX_ROOM + 1];
    leat_i_mailbox *box = leat_i_mailbox_new();
    (void)state;
    assert_non_null(box);
    assert_true(leat_i_mailbox_is_empty(box));
    assert_null(leat_i_mailbox_take_loop(box));
    for (int round = 0; round < 3; round++) {
        for (unsigned i = 0; i < LEAT_I_MAILBOX_ROOM; i++)
            assert_true(leat_i_mailbox_put_owner(box, &items[i]));
        assert_false(leat_i_mailbox_put_owner(box, &items[LEAT_I_MAILBOX_ROOM]));
        assert_false(leat_i_mailbox_is_empty(box));
        for (unsigned i = 0; i < LEAT_I_MAILBOX_ROOM; i++)
            assert_ptr_equal(leat_i_mailbox_take_loop(box), &items[i]);
        assert_null(leat_i_mailbox_take_loop(box));
        assert_true(leat_i_mailbox_is_empty(box));
    }
    leat_i_mailbox_free(box);
}

typedef struct parcel { /* plain memory: only the hand-over orders it */
    uint64_t number, twice;
} parcel;

typedef struct line {
    leat_i_mailbox *box;
    parcel *parcel;
    size_t count;
} line;

static void *produce(void *arg)
{
    line *l = arg;
    for (size_t i = 0; i < l->count; i++) {
        l->parcel[i] = (parcel){ i, 2 * i };
        while (!leat_i_mailbox_put_owner(l->box, &l->parcel[i]))
            leat_i_os_relax();
    }
    return NULL;
}

static void nothing_is_lost_or_seen_half(void **state)
{
    enum { COUNT = 100000 };
    line l = { .box = leat_i_mailbox_new(), .count = COUNT, .parcel = calloc(COUNT, sizeof(parcel)) };
    pthread_t thread;
    (void)state;
    assert_true(l.box && l.parcel);
    assert_int_equal(leat_i_os_thread_start(&thread, "producer", produce, &l), 0);
    for (size_t i = 0; i < COUNT;) {
        parcel *p = leat_i_mailbox_take_loop(l.box);
        if (!p) {
            leat_i_os_relax();
            continue;
        }
        if (p->number != i || p->twice != 2 * i) fail_msg("parcel %zu came as %lu", i, (unsigned long)p->number);
        p->twice = 0; /* A write of ours: the producer must not race with it. */
        i++;
    }
    pthread_join(thread, NULL);
    assert_null(leat_i_mailbox_take_loop(l.box));
    free(l.parcel);
    leat_i_mailbox_free(l.box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_in_order_until_it_is_full),
        cmocka_unit_test(nothing_is_lost_or_seen_half),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
