/* test_buf.c: the growable buffer: growth, its maximum and one past it, and what stays after a failure. */
#include "support_base.h"

#include "base/buf.h"
#include "base/mem.h"

static void grows_and_ends_with_nul(void **state)
{
    leat_i_buf b = { 0 };
    size_t size = 0;
    (void)state;
    for (int i = 0; i < 3000; i++) {
        assert_true(leat_i_buf_append(&b, "0123456789", (size_t)i % 11));
        size += (size_t)i % 11;
        assert_int_equal(b.size, size);
        assert_int_equal(b.data[b.size], '\0');
        assert_true(b.room > b.size);
    }
    leat_i_buf_clear(&b);
    assert_int_equal(b.size, 0);
    assert_string_equal(b.data, "");
    assert_true(leat_i_buf_puts(&b, "text "));
    assert_true(leat_i_buf_printf(&b, "%d %s", -3, "more"));
    assert_true(leat_i_buf_puts(&b, " "));
    assert_true(leat_i_buf_put_u64(&b, 0));
    assert_true(leat_i_buf_put_u64(&b, 18446744073709551615u));
    assert_true(leat_i_buf_append(&b, NULL, 0));
    assert_string_equal(b.data, "text -3 more 018446744073709551615");
    leat_i_buf_fini(&b);
    assert_null(b.data);
    leat_i_buf_fini(&b);
    leat_i_buf_clear(&b);
}

static void room_can_be_filled_in_place(void **state)
{
    leat_i_buf b = { 0 };
    (void)state;
    char *at = leat_i_buf_grow(&b, 1000);
    assert_non_null(at);
    memset(at, 'x', 1000);
    b.size += 1000;
    assert_true(leat_i_buf_puts(&b, "y"));
    assert_int_equal(b.size, 1001);
    assert_int_equal(b.data[999], 'x');
    assert_string_equal(b.data + 1000, "y");
    leat_i_buf_fini(&b);
}

static void the_maximum_is_kept(void **state)
{
    char text[2000];
    (void)state;
    memset(text, 'm', sizeof text);
    for (size_t max = 1; max < 1200; max += 97) {
        leat_i_buf b = { .max = max };
        assert_true(leat_i_buf_append(&b, text, max - 1));
        assert_true(leat_i_buf_append(&b, text, 1)); /* at the limit */
        assert_int_equal(b.size, max);
        assert_int_equal(b.room, max + 1 < 256 ? max + 1 : b.room);
        assert_false(leat_i_buf_append(&b, text, 1)); /* one past it */
        assert_true(b.failed);
        assert_int_equal(b.size, max);
        assert_false(leat_i_buf_append(&b, text, 0)); /* sticky */
        assert_null(leat_i_buf_grow(&b, 0));
        assert_false(leat_i_buf_printf(&b, "x"));
        leat_i_buf_clear(&b);
        assert_true(leat_i_buf_append(&b, text, max));
        assert_false(leat_i_buf_printf(&b, "%s", "x"));
        assert_int_equal(b.size, max);
        leat_i_buf_fini(&b);
        assert_int_equal(b.max, max);
    }
    leat_i_buf huge = { .max = SIZE_MAX };
    assert_true(leat_i_buf_puts(&huge, "no wrap"));
    assert_false(leat_i_buf_append(&huge, text, SIZE_MAX - 3));
    assert_string_equal(huge.data, "no wrap");
    leat_i_buf_fini(&huge);
}

static void short_memory_keeps_what_was_there(void **state)
{
    leat_i_buf b = { 0 };
    char text[5000];
    (void)state;
    memset(text, 't', sizeof text);
    assert_true(leat_i_buf_puts(&b, "before"));
    leat_i_mem_fail_after(1, false);
    assert_false(leat_i_buf_append(&b, text, sizeof text));
    assert_true(b.failed);
    assert_string_equal(b.data, "before");
    assert_false(leat_i_buf_puts(&b, "x"));
    leat_i_buf_clear(&b);
    assert_true(leat_i_buf_append(&b, text, sizeof text));
    leat_i_buf_fini(&b);
    leat_i_mem_fail_after(1, false);
    assert_false(leat_i_buf_printf(&b, "x"));
    assert_null(b.data);
    leat_i_mem_fail_after(0, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_ends_with_nul),
        cmocka_unit_test(room_can_be_filled_in_place),
        cmocka_unit_test(the_maximum_is_kept),
        cmocka_unit_test(short_memory_keeps_what_was_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
