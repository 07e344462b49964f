/*
 * test_llm_noise.c: what must hold for any bytes: readers of streams, errors and answers neither crash nor keep memory, and
 * splitting the input differently changes nothing. And calls under short memory: each allocation fails in turn.
 */
#include "leat/llm.h"

#include "llm/answer.h"
#include "llm/fold.h"
#include "llm/retry_after.h"
#include "support_http.h"

static const char *const seeds[] = {
    "data: "
    "{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"a\\u00e9\"},\"finish_reason\":"
    "null}]}\n\n"
    "data: "
    "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]"
    "},"
    "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}\r\n\r\n: x\ndata: [DONE]\n\n",
    "event: error\rdata: {\"error\":{\"code\":429,\"message\":\"try again in "
    "1.5s\",\"details\":[{\"retryDelay\":\"3s\"}]}}\r\r",
    "{\"choices\":[{\"index\":0,\"message\":{\"content\":[{\"text\":\"a\"},{\"text\":\"b\"}]},\"finish_reason\":\"stop\"}],"
    "\"usage\":{\"input_tokens\":1,\"output_tokens\":2}}",
    "[{\"error\":{\"message\":\"{\\\"error\\\":\\\"x\\\"}\",\"metadata\":{\"raw\":\"y\"},\"innererror\":{\"code\":\"z\"}}}]",
    "<html><title>Bad Gateway</title></html>",
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "1m30.5s",
};

/* Flips, cuts, doubles and inserts bytes that mean something. */
static size_t mutate(char *text, size_t size, size_t room, uint64_t *random)
{
    static const char bytes[] = "{}[]\",:\\\n\r \x00\xff\xc3"
                                "0-.edtfn";
    for (uint64_t n = leat_i_rand_next(random) % 6; n > 0 && size > 0; n--) {
        size_t at = leat_i_rand_next(random) % size;
        switch (leat_i_rand_next(random) % 4) {
        case 0:
            text[at] = (char)leat_i_rand_next(random);
            break;
        case 1:
            text[at] = bytes[leat_i_rand_next(random) % (sizeof bytes - 1)];
            break;
        case 2:
            size = at;
            break;
        default:
            if (size * 2 > room) break;
            memmove(text + at + 1, text + at, size - at);
            size++;
        }
    }
    return size;
}

typedef struct folded {
    bool complete, broken, failed, done, error;
    leat_i_buf out;
} folded;

static folded fold_in(const char *text, size_t size, size_t piece)
{
    leat_i_fold f;
    folded r = { 0 };
    bool go_on = true;
    leat_i_http_piece content;
    leat_i_fold_init(&f, &leat_i_fold_chat, 4096);
    for (size_t at = 0; go_on && at < size; at += piece)
        go_on = leat_i_fold_push(&f, text + at, size - at < piece ? size - at : piece, &content);
    leat_i_fold_end(&f);
    r = (folded){ leat_i_fold_is_complete(&f), f.broken, f.failed, f.done, f.error.size > 0, { 0 } };
    if (f.form == LEAT_I_FOLD_STREAM && !f.failed) {
        assert_true(leat_i_fold_put(&f, &r.out));
        assert_true(leat_i_json_parse(r.out.data, r.out.size, NULL).type == LEAT_I_JSON_OBJECT);
    }
    leat_i_fold_fini(&f);
    return r;
}

static void check_fold(const char *text, size_t size, uint64_t *random)
{
    folded whole = fold_in(text, size, size ? size : 1), split = fold_in(text, size, 1 + leat_i_rand_next(random) % 9);
    assert_int_equal(whole.complete, split.complete);
    assert_int_equal(whole.broken, split.broken);
    assert_int_equal(whole.done, split.done);
    assert_int_equal(whole.error, split.error);
    if (whole.out.data && split.out.data) assert_string_equal(whole.out.data, split.out.data);
    leat_i_buf_fini(&whole.out), leat_i_buf_fini(&split.out);
}

static void check_answer(char *text, size_t size, leat_i_arena *arena)
{
    leat_i_answer a;
    leat_i_fault f;
    size_t text_size = 0;
    leat_i_answer_read(&a, &(leat_i_answer_to){ .path = "/v1/chat/completions" }, text, size, arena);
    assert_non_null(leat_i_answer_text(a.text, arena, &text_size));
    leat_i_fault_read(&f, text, size, arena);
    assert_true(leat_i_utf8_valid(f.message, strlen(f.message)));
    assert_true(f.retry_after_ms == -1 || (f.retry_after_ms > 0 && f.retry_after_ms <= LEAT_I_RETRY_MS_MAX));
    if (leat_i_json_parse(text, size, NULL).type) { /* Squeezed JSON is JSON, and cannot be squeezed further. */
        size_t squeezed = leat_i_json_squeeze(text, size);
        assert_true(squeezed <= size && leat_i_json_parse(text, squeezed, NULL).type);
        assert_int_equal(leat_i_json_squeeze(text, squeezed), squeezed);
    }
}

static void any_bytes_are_survived(void **state)
{
    static char text[4096];
    leat_i_arena arena = { 0 };
    uint64_t random = 20260101;
    long rounds = getenv("LEAT_LONG") ? 2000000 : ROUNDS(60000);
    (void)state;
    int64_t live = leat_i_mem_live_count();
    for (long i = 0; i < rounds; i++) {
        const char *seed = seeds[leat_i_rand_next(&random) % (sizeof seeds / sizeof *seeds)];
        size_t size = strlen(seed);
        memcpy(text, seed, size + 1);
        size = mutate(text, size, sizeof text - 1, &random);
        text[size] = '\0';
        (void)leat_i_retry_after_ms(text, text, text, 0);
        (void)leat_i_retry_duration_ms(text, size);
        check_fold(text, size, &random);
        check_answer(text, size, &arena);
        leat_i_arena_fini(&arena);
    }
    assert_int_equal(leat_i_mem_live_count(), live);
}

/* ---- short memory ---- */

typedef struct short_call {
    leat_llm *llm;
    uint64_t fail_after;
    leat_class cls;
    leat_err err;
    uint64_t allocations; /* of a call that met no failure */
} short_call;

static leat_err short_task(leat_task *t, void *arg, const void **result)
{
    static const char body[] =
        "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":\"[[hello]]\"}]}";
    short_call *c = arg;
    leat_llm_reply r;
    (void)result;
    uint64_t before = leat_i_mem_alloc_count();
    leat_i_mem_fail_after(c->fail_after, false);
    c->err = leat_llm_call(t, c->llm, "/v1/chat/completions", body, sizeof body - 1, &r);
    leat_i_mem_fail_after(0, false);
    c->allocations = leat_i_mem_alloc_count() - before;
    c->cls = r.cls;
    if (c->err == LEAT_OK && r.cls == LEAT_CLASS_OK) CHECK(strcmp(r.text, "[[hello]]") == 0);
    return LEAT_OK;
}

static void each_allocation_of_a_call_may_fail(void **state)
{
    static const fault_step busy[] = {
        { .op = FAULT_SEND, .data = "HTTP/1.1 429 X\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\n{}" }, { .op = FAULT_KEEP }
    };
    leat_runtime *rt = runtime_with(1, true);
    (void)state;
    for (uint64_t n = 1, all = 1; n <= all + 2; n++) {
        fault_script script = { .step = busy, .times = 1 };
        fault_server *s = fault_server_new(&(fault_opts){ .script = &script, .script_count = 1 });
        leat_limiter *l = NULL;
        short_call c = { .fail_after = n };
        assert_int_equal(leat_limiter_new(&l, &(leat_limiter_opts){ .tokens_per_min = 1e6 }), LEAT_OK);
        assert_int_equal(leat_llm_new(&c.llm, rt, &(leat_llm_opts){ .base_url = fault_server_url(s), .limiter = l }, NULL),
                         LEAT_OK);
        leat_err err = leat_task_run(rt, short_task, &c, NULL);
        assert_true(err == LEAT_OK || err == LEAT_NOMEM); /* A visit in which memory was short ends so. */
        assert_true(c.err == LEAT_OK || c.err == LEAT_NOMEM);
        if (c.err == LEAT_OK) assert_true(c.cls == LEAT_CLASS_OK || c.cls == LEAT_CLASS_LOCAL);
        if (c.allocations > all) all = c.allocations;
        leat_limiter_stats stats;
        leat_limiter_read(l, &stats);
        assert_int_equal(stats.in_flight, 0);
        leat_llm_free(c.llm);
        leat_limiter_free(l);
        fault_server_free(s);
        assert_true(n < 500);
    }
    leat_runtime_free(rt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_bytes_are_survived),
        cmocka_unit_test(each_allocation_of_a_call_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
