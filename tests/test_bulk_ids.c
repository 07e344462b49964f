/* test_bulk_ids.c: the set of ids: flags, memory per row, and what happens when memory is short. */
#include "bulk_support.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "bulk/ids.h"

static uint32_t mark(leat_i_ids *ids, unsigned n, uint32_t flags)
{
    char key[32];
    uint32_t before = 99;
    snprintf(key, sizeof key, "doc-%u", n);
    assert_true(leat_i_ids_mark(ids, key, strlen(key), flags, &before));
    return before;
}

static void flags_add_up(void **state)
{
    (void)state;
    leat_i_ids ids = { 0 };
    assert_int_equal(leat_i_ids_flags(&ids, "a", 1), 0);
    assert_int_equal(mark(&ids, 1, LEAT_I_ID_DONE), 0);
    assert_int_equal(mark(&ids, 1, LEAT_I_ID_SEEN), LEAT_I_ID_DONE);
    assert_int_equal(mark(&ids, 1, LEAT_I_ID_SEEN), LEAT_I_ID_DONE | LEAT_I_ID_SEEN);
    assert_int_equal(mark(&ids, 2, LEAT_I_ID_SEEN), 0);
    assert_int_equal(leat_i_ids_count(&ids), 2);
    leat_i_ids_fini(&ids);
    assert_int_equal(leat_i_ids_count(&ids), 0);
}

static void every_key_is_found_again_at_every_size(void **state)
{
    (void)state;
    leat_i_ids ids = { 0 };
    enum { KEYS = 20000 };
    for (unsigned i = 0; i < KEYS; i++) {
        char own[32];
        snprintf(own, sizeof own, "doc-%u", i);
        leat_i_ids_set_check(&ids, own, strlen(own), 1); /* of a key that is not there: nothing */
        assert_int_equal(mark(&ids, i, i % 7 + 1), 0);
        if (i % 2 == 0) leat_i_ids_set_check(&ids, own, strlen(own), UINT32_MAX - i);
        if (i % 997 == 0)
            for (unsigned k = 0; k <= i; k += 61) {
                char key[32];
                snprintf(key, sizeof key, "doc-%u", k);
                assert_int_equal(leat_i_ids_flags(&ids, key, strlen(key)), k % 7 + 1);
                assert_int_equal(leat_i_ids_check(&ids, key, strlen(key)), k % 2 ? 0 : UINT32_MAX - k);
            }
    }
    assert_int_equal(leat_i_ids_count(&ids), KEYS);
    leat_i_ids_fini(&ids);
}

/* The promise is 32 bytes a row at the peak, growth included: that of one shard while it is copied. */
static void a_million_keys_take_at_most_32_bytes_each(void **state)
{
    (void)state;
    leat_i_ids ids = { 0 };
    double worst = 0;
    for (unsigned i = 0; i < 1000000; i++) {
        mark(&ids, i, LEAT_I_ID_SEEN);
        if (i < 10000 || i % 1000) continue;
        double bytes = (double)leat_i_ids_bytes(&ids) * (1 + 1.0 / LEAT_I_ID_SHARD_COUNT) / (i + 1);
        if (bytes > worst) worst = bytes;
    }
    assert_true(worst <= 32);
    assert_int_equal(leat_i_ids_count(&ids), 1000000);
    leat_i_ids_fini(&ids);
}

static void short_memory_changes_nothing(void **state)
{
    (void)state;
    leat_i_ids ids = { 0 };
    uint32_t before;
    for (unsigned i = 0; i < 3000; i++) {
        char key[32];
        snprintf(key, sizeof key, "doc-%u", i);
        uint64_t count = leat_i_ids_count(&ids);
        leat_i_mem_fail_after(1, false);
        bool ok = leat_i_ids_mark(&ids, key, strlen(key), LEAT_I_ID_SEEN, &before);
        leat_i_mem_fail_after(0, false);
        if (ok) continue;
        assert_int_equal(leat_i_ids_count(&ids), count);
        assert_int_equal(leat_i_ids_flags(&ids, key, strlen(key)), 0);
        assert_int_equal(mark(&ids, i, LEAT_I_ID_SEEN), 0);
    }
    assert_int_equal(leat_i_ids_count(&ids), 3000);
    leat_i_ids_fini(&ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_add_up),
        cmocka_unit_test(every_key_is_found_again_at_every_size),
        cmocka_unit_test(a_million_keys_take_at_most_32_bytes_each),
        cmocka_unit_test(short_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
