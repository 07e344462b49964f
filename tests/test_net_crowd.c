/*
 * test_net_crowd.c: thousands in flight at once over one loop: all held, none lost, connections used again; and one look-up of a
 * name for all who wait for it. LEAT_LONG=1 makes it ten thousand.
 */
#include <sys/resource.h>

#include "leat/llm.h"
#include "support/crowd_server.h"
#include "support_http.h"

static uint32_t crowd_size(void)
{
    struct rlimit limit;
    uint32_t want = getenv("LEAT_LONG") ? 10000 : LEAT_ASAN || LEAT_TSAN ? 500 : 2000;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    /* Both ends of each connection are ours, and each pool of connections has two descriptors of its own. */
    uint32_t room = ((uint32_t)limit.rlim_cur - 100) / 62 * 30;
    return room < want ? room : want;
}

typedef struct crowd {
    leat_llm *llm;
    uint32_t size, rounds;
    LEAT_ATOMIC(uint32_t) good;
} crowd;

static const char body[] = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}";

static leat_err crowd_one(leat_task *t, void *arg, const void **result)
{
    crowd *c = arg;
    leat_llm_reply r;
    (void)result;
    for (uint32_t i = 0; i < c->rounds; i++) {
        leat_i_arena_mark mark = leat_i_arena_save(&t->arena);
        LEAT_TRY(leat_llm_call(t, c->llm, "/v1/chat/completions", body, sizeof body - 1, &r));
        if (r.cls == LEAT_CLASS_OK && strcmp(r.text, "fine") == 0 && r.attempts == 1)
            leat_add_relaxed(&c->good, 1u);
        else
            fprintf(stderr, "%s: %s\n", leat_class_name(r.cls), r.message);
        leat_i_arena_rewind(&t->arena, mark);
    }
    return LEAT_OK;
}

static leat_err crowd_task(leat_task *t, void *arg, const void **result)
{
    crowd *c = arg;
    leat_future **f = malloc(c->size * sizeof(leat_future *));
    (void)result;
    for (uint32_t i = 0; i < c->size; i++)
        f[i] = leat_task_start(t, crowd_one, c);
    leat_err err = leat_await_all(t, f, c->size);
    free(f);
    return err;
}

static void thousands_are_held_at_once(void **state)
{
    leat_runtime *rt = runtime_with(2, false);
    crowd c = { .size = crowd_size(), .rounds = 3 };
    crowd_server *s = crowd_server_new(20, c.size); /* No answer before all of them are there. */
    (void)state;
    assert_int_equal(leat_llm_new(&c.llm, rt, &(leat_llm_opts){ .base_url = crowd_server_url(s) }, NULL), LEAT_OK);
    assert_int_equal(leat_task_run(rt, crowd_task, &c, NULL), LEAT_OK);
    crowd_counts counts = crowd_server_counts(s);
    assert_int_equal(leat_load_relaxed(&c.good), c.size * c.rounds);
    assert_int_equal(counts.requests, c.size * c.rounds);
    assert_true(counts.waiting_peak >= c.size);
    /* Kept connections are used again: a few more are opened when one falls idle for 4 s on a busy machine. */
    assert_true(counts.connections < c.size * 3 / 2);
    leat_llm_free(c.llm);
    leat_runtime_free(rt);
    crowd_server_free(s);
}

static void a_low_soft_limit_is_raised(void **state)
{
    struct rlimit before, low;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = 64;
    if (before.rlim_max < 600) skip();
    leat_runtime *rt = runtime_with(1, false);
    crowd c = { .size = 200, .rounds = 1 };
    crowd_server *s = crowd_server_new(1, c.size);
    assert_int_equal(leat_llm_new(&c.llm, rt, &(leat_llm_opts){ .base_url = crowd_server_url(s) }, NULL), LEAT_OK);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_int_equal(leat_task_run(rt, crowd_task, &c, NULL), LEAT_OK);
    assert_int_equal(leat_load_relaxed(&c.good), c.size);
    leat_llm_free(c.llm);
    leat_runtime_free(rt);
    crowd_server_free(s);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

typedef struct names {
    leat_i_http_origin *o;
    LEAT_ATOMIC(uint32_t) ends[LEAT_I_HTTP_CANCELED + 1];
} names;

static leat_err name_one(leat_task *t, void *arg, const void **result)
{
    names *n = arg;
    leat_i_http_request q = { .origin = n->o, .path = "/v1/x", .body = "{}", .body_bytes = 2 };
    leat_i_http_reply reply;
    (void)result;
    LEAT_TRY(leat_i_http_perform(t, &q, &reply));
    leat_add_relaxed(&n->ends[reply.end], 1u);
    return LEAT_OK;
}

static leat_err names_task(leat_task *t, void *arg, const void **result)
{
    leat_future *f[200];
    (void)result;
    for (int i = 0; i < 200; i++)
        f[i] = leat_task_start(t, name_one, arg);
    leat_future_cancel(f[100]); /* One of those who wait is stopped. */
    (void)!leat_await_all(t, f, 200);
    return LEAT_OK;
}

/* 0.0.0.0 leads to this machine, but does not count as its loopback: it goes through the gate that names go through. */
static void one_looks_up_for_all(void **state)
{
    leat_runtime *rt = runtime_with(2, false);
    crowd_server *s = crowd_server_new(1, 0);
    names n = { .o = NULL };
    char url[64];
    (void)state;
    snprintf(url, sizeof url, "http://0.0.0.0%s", strrchr(crowd_server_url(s), ':'));
    n.o = origin_of(rt, url, NULL);
    for (int round = 0; round < 3; round++)
        assert_int_equal(leat_task_run(rt, names_task, &n, NULL), LEAT_OK);
    uint32_t replies = leat_load_relaxed(&n.ends[LEAT_I_HTTP_REPLY]),
             canceled = leat_load_relaxed(&n.ends[LEAT_I_HTTP_CANCELED]);
    assert_true(replies >= 597 && replies + canceled <= 600);
    leat_i_http_origin_free(n.o);
    crowd_server_free(s);
    n = (names){ .o = origin_of(rt, "http://nobody.invalid", NULL) };
    assert_int_equal(leat_task_run(rt, names_task, &n, NULL), LEAT_OK);
    uint32_t unknown = leat_load_relaxed(&n.ends[LEAT_I_HTTP_DNS_UNKNOWN]),
             dns = leat_load_relaxed(&n.ends[LEAT_I_HTTP_DNS]);
    assert_true(unknown >= 1);
    assert_true(unknown + dns >= 199);
    leat_i_http_origin_free(n.o);
    leat_runtime_free(rt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_low_soft_limit_is_raised),
        cmocka_unit_test(thousands_are_held_at_once),
        cmocka_unit_test(one_looks_up_for_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
