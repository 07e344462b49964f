/* test_http_cancel.c: a task that is stopped in each phase of an exchange: it comes back at once, and nothing stays behind. */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support_http.h"
#include "support_runtime.h"

#define SEND(text)                     \
    {                                  \
        .op = FAULT_SEND, .data = text \
    }
#define DO(what)           \
    {                      \
        .op = FAULT_##what \
    }

/* ---- a listener whose queue is full: connecting to it hangs ---- */

typedef struct hole {
    int listener, filler[8];
    char url[64];
} hole;

static void hole_open(hole *h)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t size = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    h->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(h->listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(h->listener, 0), 0);
    assert_int_equal(getsockname(h->listener, (struct sockaddr *)&at, &size), 0);
    snprintf(h->url, sizeof h->url, "http://127.0.0.1:%u", ntohs(at.sin_port));
    for (size_t i = 0; i < 8; i++) {
        h->filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(h->filler[i], (struct sockaddr *)&at, sizeof at);
    }
}

static void hole_close(hole *h)
{
    for (size_t i = 0; i < 8; i++)
        close(h->filler[i]);
    close(h->listener);
}

static void expect_canceled(const char *url, fault_server *s)
{
    leat_i_http_origin *o = origin_of(rt, url, NULL);
    leat_i_http_request q = { .origin = o, .path = "/x", .body = "{}", .body_bytes = 2 };
    exchange_result x = exchange_run(rt, &q, 100);
    assert_int_equal(x.reply.end, LEAT_I_HTTP_CANCELED);
    if (s) assert_true(fault_server_wait_open(s, 0));
    free(x.body);
    leat_i_http_origin_free(o);
}

static void while_connecting(void **state)
{
    hole h;
    (void)state;
    hole_open(&h);
    expect_canceled(h.url, NULL);
    hole_close(&h);
}

static void while_it_waits_and_while_it_reads(void **state)
{
    static const fault_step hang[] = { DO(HANG) };
    static const fault_step head[] = { SEND("HTTP/1.1 200 OK\r\nContent-Le"), DO(HANG) };
    static const fault_step body[] = { SEND("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), DO(HANG) };
    static const fault_step *const phases[] = { hang, head, body };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        fault_script script = { .step = phases[i] };
        fault_server *s = fault_server_new(&(fault_opts){ .script = &script, .script_count = 1 });
        expect_canceled(fault_server_url(s), s);
        assert_int_equal(fault_server_counts(s).requests, 1);
        fault_server_free(s);
    }
}

static leat_err stopped_body(leat_task *t, void *arg, const void **result)
{
    exchange_arg *a = arg;
    (void)result;
    while (!leat_task_is_canceled(t)) /* Comes to an end by the deadline of 1 ms around it. */
        leat_i_os_relax();
    a->result->err = leat_i_http_perform(t, a->request, &a->result->reply);
    return LEAT_OK;
}

static leat_err stopped_task(leat_task *t, void *arg, const void **result)
{
    (void)!leat_task_within(t, 1, stopped_body, arg, result);
    return LEAT_OK;
}

static void before_it_began(void **state)
{
    fault_server *s = fault_server_new(&(fault_opts){ .script_count = 0 });
    leat_i_http_origin *o = origin_of(rt, fault_server_url(s), NULL);
    leat_i_http_request q = { .origin = o, .path = "/x", .body = "{}", .body_bytes = 2 };
    exchange_result x = { 0 };
    exchange_arg a = { &q, &x, 0 };
    (void)state;
    assert_int_equal(leat_task_run(rt, stopped_task, &a, NULL), LEAT_OK);
    assert_int_equal(x.err, LEAT_OK);
    assert_int_equal(x.reply.end, LEAT_I_HTTP_CANCELED);
    assert_false(x.reply.sent);
    assert_int_equal(fault_server_counts(s).connections, 0);
    leat_i_http_origin_free(o);
    fault_server_free(s);
}

/* ---- many, stopped at random times ---- */

typedef struct storm {
    leat_i_http_origin *o;
    uint64_t seed;
    LEAT_ATOMIC(uint32_t) done, canceled;
} storm;

static leat_err storm_one(leat_task *t, void *arg, const void **result)
{
    storm *m = arg;
    leat_i_http_request q = { .origin = m->o, .path = "/x", .body = "{}", .body_bytes = 2 };
    leat_i_http_reply reply;
    (void)result;
    LEAT_TRY(leat_i_http_perform(t, &q, &reply));
    CHECK(reply.end == LEAT_I_HTTP_REPLY || reply.end == LEAT_I_HTTP_CANCELED || reply.end == LEAT_I_HTTP_RESET_REUSED);
    leat_add_relaxed(reply.end == LEAT_I_HTTP_CANCELED ? &m->canceled : &m->done, 1u);
    return LEAT_OK;
}

static leat_err storm_task(leat_task *t, void *arg, const void **result)
{
    storm *m = arg;
    leat_future *f[20];
    uint64_t random = m->seed;
    (void)result;
    for (int round = 0; round < ROUNDS(100); round++) {
        leat_future *mark = t->children;
        for (int i = 0; i < 20; i++)
            f[i] = leat_task_start(t, storm_one, m);
        LEAT_TRY(leat_sleep_ms(t, (int64_t)(leat_i_rand_next(&random) % 4)));
        for (int i = 0; i < 20; i++)
            if (leat_i_rand_next(&random) % 2) leat_future_cancel(f[i]);
        for (int i = 0; i < 20; i++)
            (void)!leat_await(t, f[i], NULL);
        leat_i_task_end_children(t, mark);
    }
    return LEAT_OK;
}

static void at_any_time(void **state)
{
    fault_server *s = fault_server_new(&(fault_opts){ .script_count = 0 });
    storm m = { .o = origin_of(rt, fault_server_url(s), NULL), .seed = 42 };
    (void)state;
    assert_int_equal(leat_task_run(rt, storm_task, &m, NULL), LEAT_OK);
    assert_true(leat_load_relaxed(&m.done) > 0);
    leat_i_http_origin_free(m.o);
    assert_true(fault_server_wait_open(s, 0));
    fault_server_free(s);
}

/* Ends a runtime while an exchange is under way: the task is canceled, and all is joined. */
static void at_the_end_of_the_runtime(void **state)
{
    static const fault_step hang[] = { DO(HANG) };
    fault_script script = { .step = hang };
    fault_server *s = fault_server_new(&(fault_opts){ .script = &script, .script_count = 1 });
    leat_runtime *own = runtime_with(1, false);
    leat_i_http_origin *o = origin_of(own, fault_server_url(s), NULL);
    leat_i_http_request q = { .origin = o, .path = "/x", .body = "{}", .body_bytes = 2 };
    exchange_result x = { 0 };
    exchange_arg a = { &q, &x, 0 };
    leat_handle *h = NULL;
    (void)state;
    assert_int_equal(leat_task_submit(own, exchange_task, &a, &h), LEAT_OK);
    assert_true(fault_server_wait_requests(s, 1));
    leat_handle_free(h);
    assert_int_equal(x.reply.end, LEAT_I_HTTP_CANCELED);
    assert_true(x.reply.sent);
    free(x.body);
    leat_i_http_origin_free(o);
    leat_runtime_free(own);
    fault_server_free(s);
}

/* By the count of the heap blocks in use. */
static void runtimes_leave_nothing_behind(void **state)
{
    fault_server *s = fault_server_new(&(fault_opts){ .script_count = 0 });
    int64_t live = 0;
    (void)state;
    for (int i = 0; i < 20; i++) {
        leat_runtime *own = runtime_with(2, false);
        leat_i_http_origin *o = origin_of(own, fault_server_url(s), NULL);
        leat_i_http_request q = { .origin = o, .path = "/x", .body = "{}", .body_bytes = 2 };
        exchange_result x = exchange_run(own, &q, 0);
        assert_int_equal(x.reply.end, LEAT_I_HTTP_REPLY);
        free(x.body);
        leat_i_http_origin_free(o);
        leat_runtime_free(own);
        if (i == 0) live = leat_i_mem_live_count();
        assert_int_equal(leat_i_mem_live_count(), live);
    }
    fault_server_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_it_began),
        cmocka_unit_test(while_connecting),
        cmocka_unit_test(while_it_waits_and_while_it_reads),
        cmocka_unit_test(at_any_time),
        cmocka_unit_test(at_the_end_of_the_runtime),
        cmocka_unit_test(runtimes_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, runtime_start, runtime_stop);
}
