/*
 * test_flow_trace.c: what a run tells of itself: the callback's visits and waits, the timeline as a file that a reader of trace
 * events takes, and the table per node.
 */
#include "support/flow.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/os.h"

/* ---- the callback ---- */

static void tell(void *arg, const leat_trace *call)
{
    trace_add(arg, "%s", leat_phase_name(call->phase));
    if (call->is_item) trace_add(arg, "[%zu]", call->item);
    if (call->phase == LEAT_PHASE_EXEC) trace_add(arg, "#%u", call->attempt);
    if (call->code != LEAT_OK) trace_add(arg, "%s", leat_err_name(call->code));
    trace_add(arg, "%d/%dms", (int)(call->waited_ns / 1000000), (int)((call->end_ns - call->begin_ns) / 1000000));
}

static void a_visit_tells_its_phases_attempts_and_waits(void **state)
{
    struct trace trace = { "" };
    struct script s = { .name = "a", .fails = 1, .exec_ms = 7 };
    leat_flow *flow = flow_of(&script_fallback_class, &s, (leat_node_opts){ .max_attempts = 2, .retry_wait_ms = 3 });
    leat_run_opts opts = { .trace = tell, .trace_arg = &trace };
    assert_int_equal(leat_flow_run(*state, flow, NULL, &opts), LEAT_OK);
    assert_string_equal(trace.text, "prep 0/0ms exec #0 USER 7/7ms retry wait 3/3ms exec #1 7/7ms post 0/0ms visit 17/17ms");
    leat_flow_free(flow);
}

static leat_err limited_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    leat_grant grant;
    (void)prep_res, (void)exec_res;
    LEAT_TRY(leat_limiter_acquire(t, leat_task_self(t), (leat_cost){ 0 }, &grant));
    LEAT_TRY(leat_sleep_ms(t, 10));
    leat_limiter_settle(leat_task_self(t), grant, (leat_cost){ 0 });
    return LEAT_OK;
}

static leat_err two_prep(leat_task *t, void *shared, const void **prep_res)
{
    (void)shared;
    leat_items_add(t, prep_res, "x");
    leat_items_add(t, prep_res, "y");
    return LEAT_OK;
}

static const leat_node_class limited_class = { .name = "Limited", .prep = two_prep, .exec = limited_exec };

static void waits_for_the_limiter_and_the_budget_are_told(void **state)
{
    leat_limiter *limiter = NULL;
    assert_int_equal(leat_limiter_new(&limiter, &(leat_limiter_opts){ .in_flight_max = 1 }), LEAT_OK);
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &limited_class, &(leat_node_opts){ .batch = true, .in_flight_max = 2, .self = limiter });
    for (int budget = 0; budget < 2; budget++) {
        struct trace trace = { "" };
        leat_run_opts opts = { .trace = tell, .trace_arg = &trace, .in_flight_max = (uint32_t)budget };
        assert_int_equal(leat_flow_run(*state, flow, NULL, &opts), LEAT_OK);
        assert_non_null(strstr(trace.text, budget ? "semaphore wait [1] 10/10ms" : "limiter wait [1] 10/10ms"));
        assert_null(strstr(trace.text, budget ? "limiter wait" : "semaphore wait")); /* only what there was to wait for */
        assert_non_null(strstr(trace.text, budget ? "exec [1] #0 10/10ms" : "exec [1] #0 20/20ms"));
    }
    leat_flow_free(flow);
    leat_limiter_free(limiter);
}

/* Gives the processor away while it holds the gate, so that others come and want it. */
static leat_err slow_each(leat_task *t, void *shared, size_t index, const void *item, const void *value,
                          const leat_error *error)
{
    (void)t, (void)shared, (void)index, (void)item, (void)value, (void)error;
    for (int i = 0; i < 5; i++)
        sched_yield();
    return LEAT_OK;
}

static void gate_wait_count(void *arg, const leat_trace *call)
{
    if (call->phase != LEAT_PHASE_GATE_WAIT) return;
    assert_true(call->end_ns > call->begin_ns);
    leat_add_relaxed((LEAT_ATOMIC(uint32_t) *)arg, 1);
}

/* Whether two meet is up to the machine; in some run they do. */
static void waits_for_the_gate_are_told(void **state)
{
    static const leat_node_class cls = { .name = "Gated", .prep = two_prep };
    static LEAT_ATOMIC(uint32_t) count;
    (void)state;
    leat_runtime *rt = runtime_make(2, false);
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &cls, &(leat_node_opts){ .batch = true, .in_flight_max = 2, .each = slow_each });
    while (leat_load_relaxed(&count) == 0)
        assert_int_equal(leat_flow_run(rt, flow, NULL, &(leat_run_opts){ .trace = gate_wait_count, .trace_arg = &count }),
                         LEAT_OK);
    leat_flow_free(flow);
    leat_runtime_free(rt);
}

static void every_phase_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(leat_phase_name(LEAT_PHASE_PREP), "prep");
    assert_string_equal(leat_phase_name(LEAT_PHASE_SEMAPHORE_WAIT), "semaphore wait");
    assert_string_equal(leat_phase_name((leat_phase)99), "unknown");
}

/* ---- the timeline ---- */

struct file {
    int fd;
    char *text;
    size_t size;
};

static void file_open(struct file *f)
{
    char path[] = "/tmp/leat-timeline-XXXXXX";
    f->fd = mkstemp(path);
    assert_true(f->fd >= 0);
    unlink(path);
    f->text = NULL;
}

static void file_read(struct file *f)
{
    f->size = (size_t)lseek(f->fd, 0, SEEK_END);
    free(f->text);
    f->text = malloc(f->size + 1);
    assert_int_equal(pread(f->fd, f->text, f->size, 0), (ssize_t)f->size);
    f->text[f->size] = '\0';
}

static void file_close(struct file *f)
{
    free(f->text);
    close(f->fd);
}

struct event {
    char ph;
    int tid;
    double begin_us, end_us;
    char name[64];
    char id[32];
};

/* The events of the array; the test fails when it is no valid JSON. */
static size_t events_of(const char *text, size_t size, struct event *event, size_t max)
{
    static const char *const keys[] = { "ph", "tid", "ts", "dur", "name", "id" };
    size_t error_at = 0, at = 0, count = 0;
    leat_i_json array = leat_i_json_parse(text, size, &error_at), e, v[6];
    if (array.type != LEAT_I_JSON_ARRAY) fail_msg("no JSON at %zu: %.80s", error_at, text + error_at);
    leat_i_arena arena = { 0 };
    while (leat_i_json_next_element(array, &at, &e) && count < max) {
        size_t n;
        uint64_t tid = 0;
        double dur = 0;
        leat_i_json_get_many(e, keys, v, 6);
        struct event *to = &event[count++];
        *to = (struct event){ .ph = leat_i_json_text(v[0], &arena, &n)[0] };
        assert_true(leat_i_json_u64(v[1], &tid));
        assert_true(leat_i_json_double(v[2], &to->begin_us));
        (void)leat_i_json_double(v[3], &dur);
        to->tid = (int)tid;
        to->end_us = to->begin_us + dur;
        snprintf(to->name, sizeof to->name, "%s", leat_i_json_text(v[4], &arena, &n));
        const char *id = v[5].type ? leat_i_json_text(v[5], &arena, &n) : "";
        snprintf(to->id, sizeof to->id, "%s", id);
    }
    leat_i_arena_fini(&arena);
    return count;
}

/* As a reader sees it: on a lane each piece lies beside or in another; under an id each end meets the begin of the same name. */
static void check_nesting(const struct event *event, size_t count)
{
    const double slack_us = 0.0015; /* of doubles at some 10^10 us */
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < count; k++) {
            const struct event *a = &event[i], *b = &event[k];
            if (a->ph != 'X' || b->ph != 'X' || a->tid != b->tid || i == k) continue;
            bool crosses = a->begin_us + slack_us < b->begin_us && b->begin_us + slack_us < a->end_us &&
                           a->end_us + slack_us < b->end_us;
            if (crosses)
                fail_msg("%s %f-%f crosses %s %f-%f", a->name, a->begin_us, a->end_us, b->name, b->begin_us, b->end_us);
        }
    }
    size_t open[64], depth = 0;
    for (size_t i = 0; i < count; i++) {
        if (event[i].ph == 'b') {
            assert_true(depth < 64);
            open[depth++] = i;
        } else if (event[i].ph == 'e') {
            size_t at = depth; /* the innermost open one under that id */
            while (at > 0 && strcmp(event[open[at - 1]].id, event[i].id) != 0)
                at--;
            assert_true(at > 0);
            assert_string_equal(event[open[at - 1]].name, event[i].name);
            assert_true(event[open[at - 1]].begin_us <= event[i].begin_us);
            memmove(&open[at - 1], &open[at], (--depth - (at - 1)) * sizeof open[0]);
        }
    }
    assert_int_equal(depth, 0);
}

static size_t count_of(const struct event *event, size_t count, char ph, const char *name)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += event[i].ph == ph && (!name || strcmp(event[i].name, name) == 0);
    return n;
}

static leat_err ten_prep(leat_task *t, void *shared, const void **prep_res)
{
    (void)shared;
    for (int i = 0; i < 10; i++)
        leat_items_add(t, prep_res, "item");
    return LEAT_OK;
}

/* A batch whose items call a flow of a node that yields: phases in phases, cut by suspensions, on several workers. */
static void a_timeline_holds_what_ran_where_and_who_waited(void **state)
{
    static const leat_node_class batch = { .name = "Ba\"tch", .prep = ten_prep, .exec = inner_exec },
                                 spin = { .name = "Spin", .exec = spin_exec };
    static struct event event[2048];
    struct file f;
    (void)state;
    leat_runtime *rt = runtime_make(3, false);
    leat_timeline *timeline = NULL;
    file_open(&f);
    assert_int_equal(leat_timeline_new(&timeline, f.fd, 0), LEAT_OK);
    leat_flow *outer = leat_flow_new(&(leat_flow_opts){ .name = "outer" }), *inner = leat_flow_new(NULL);
    leat_flow_add(inner, &spin, NULL);
    leat_flow_add(outer, &batch, &(leat_node_opts){ .batch = true, .in_flight_max = 4, .self = inner });
    assert_int_equal(leat_flow_run(rt, outer, NULL, &(leat_run_opts){ .timeline = timeline }), LEAT_OK);
    assert_int_equal(leat_timeline_flush(timeline), LEAT_OK);
    file_read(&f);
    size_t flushed = events_of(f.text, f.size, event, 2048); /* whole after each piece */
    check_nesting(event, flushed);
    leat_timeline_free(timeline);
    file_read(&f);
    size_t count = events_of(f.text, f.size, event, 2048);
    assert_int_equal(count, flushed);
    assert_int_equal(count_of(event, count, 'X', "Ba\"tch prep"), 1);
    assert_true(count_of(event, count, 'X', "Spin exec") >= 30); /* a piece between any two suspensions */
    assert_int_equal(count_of(event, count, 'b', "Spin exec"), 10);
    assert_int_equal(count_of(event, count, 'b', "Spin"), 10);
    assert_true(count_of(event, count, 'M', "thread_name") >= 1);
    leat_flow_free(outer);
    leat_flow_free(inner);
    leat_runtime_free(rt);
    file_close(&f);
}

static void waits_have_their_place_in_the_timeline(void **state)
{
    static struct event event[64];
    struct file f;
    struct script s = { .name = "a", .fails = 1 };
    leat_timeline *timeline = NULL;
    file_open(&f);
    assert_int_equal(leat_timeline_new(&timeline, f.fd, 0), LEAT_OK);
    leat_flow *flow = flow_of(&script_class, &s, (leat_node_opts){ .max_attempts = 2, .retry_wait_ms = 1500 });
    assert_int_equal(run_free(*state, flow, NULL, NULL), LEAT_OK);
    s.calls = 0;
    flow = flow_of(&script_class, &s, (leat_node_opts){ .max_attempts = 2, .retry_wait_ms = 1500 });
    assert_int_equal(leat_flow_run(*state, flow, NULL, &(leat_run_opts){ .timeline = timeline }), LEAT_OK);
    leat_timeline_free(timeline);
    file_read(&f);
    size_t count = events_of(f.text, f.size, event, 64), b = 0;
    check_nesting(event, count);
    while (event[b].ph != 'b' || strcmp(event[b].name, "retry wait") != 0)
        assert_true(++b < count);
    assert_int_equal((int)(event[b + 1].begin_us - event[b].begin_us + 0.5), 1500000);
    assert_non_null(strstr(f.text, "\"attempt\":0,\"code\":\"USER\",\"error\":\"failure 0 of a\""));
    leat_flow_free(flow);
    file_close(&f);
}

static void a_run_that_is_cut_leaves_whole_json(void **state)
{
    static struct event event[64];
    struct file f;
    struct script s = { .name = "a", .exec_ms = 1000 };
    leat_timeline *timeline = NULL;
    file_open(&f);
    assert_int_equal(leat_timeline_new(&timeline, f.fd, 0), LEAT_OK);
    leat_flow *flow = flow_of(&script_class, &s, (leat_node_opts){ 0 });
    leat_run_opts opts = { .timeline = timeline, .deadline_ms = 10 };
    assert_int_equal(leat_flow_run(*state, flow, NULL, &opts), LEAT_TIMEOUT);
    leat_timeline_free(timeline);
    file_read(&f);
    check_nesting(event, events_of(f.text, f.size, event, 64));
    assert_non_null(strstr(f.text, "\"code\":\"CANCELED\""));
    leat_flow_free(flow);
    file_close(&f);
}

/* Through a pipe, which is read while the run goes on; and into a file that is appended to. */
static void a_timeline_goes_through_a_pipe(void **state)
{
    static struct event event[64];
    static char text[16384];
    struct script s = { .name = "a" };
    leat_timeline *timeline = NULL;
    int fd[2];
    assert_int_equal(pipe(fd), 0);
    assert_int_equal(leat_timeline_new(&timeline, fd[1], 0), LEAT_OK);
    leat_flow *flow = flow_of(&script_class, &s, (leat_node_opts){ 0 });
    assert_int_equal(leat_flow_run(*state, flow, NULL, &(leat_run_opts){ .timeline = timeline }), LEAT_OK);
    assert_int_equal(leat_timeline_flush(timeline), LEAT_OK);
    assert_int_equal(leat_flow_run(*state, flow, NULL, &(leat_run_opts){ .timeline = timeline }), LEAT_OK);
    leat_timeline_free(timeline);
    close(fd[1]);
    size_t size = 0;
    ssize_t n;
    while ((n = read(fd[0], text + size, sizeof text - size)) > 0)
        size += (size_t)n;
    size_t count = events_of(text, size, event, 64);
    assert_int_equal(count_of(event, count, 'X', "Script exec"), 2);
    close(fd[0]);
    leat_flow_free(flow);
}

static void a_timeline_keeps_within_its_size(void **state)
{
    static struct event event[64];
    struct file f;
    struct script s = { .name = "a" };
    leat_timeline *timeline = NULL;
    file_open(&f);
    assert_int_equal(leat_timeline_new(&timeline, f.fd, 6000), LEAT_OK);
    leat_flow *flow = flow_of(&script_class, &s, (leat_node_opts){ 0 });
    for (int i = 0; i < 100; i++)
        assert_int_equal(leat_flow_run(*state, flow, NULL, &(leat_run_opts){ .timeline = timeline }), LEAT_OK);
    assert_int_equal(leat_timeline_flush(timeline), LEAT_STOPPED);
    leat_timeline_free(timeline);
    file_read(&f);
    assert_true(f.size <= 6000);
    size_t count = events_of(f.text, f.size, event, 64);
    assert_non_null(strstr(event[count - 1].name, "events left out"));
    leat_flow_free(flow);
    file_close(&f);
}

static int no_space(const char *call)
{
    return strcmp(call, "pwrite") == 0 ? -28 : 0;
}

static void a_write_that_fails_is_told_and_harms_no_run(void **state)
{
    struct file f;
    struct script s = { .name = "a" };
    leat_timeline *timeline = NULL;
    file_open(&f);
    assert_int_equal(leat_timeline_new(&timeline, f.fd, 0), LEAT_OK);
    leat_flow *flow = flow_of(&script_class, &s, (leat_node_opts){ 0 });
    leat_i_os_fault = no_space;
    for (int i = 0; i < 200; i++)
        assert_int_equal(leat_flow_run(*state, flow, NULL, &(leat_run_opts){ .timeline = timeline }), LEAT_OK);
    assert_int_equal(leat_timeline_flush(timeline), LEAT_IO);
    leat_i_os_fault = NULL;
    assert_int_equal(leat_timeline_flush(timeline), LEAT_IO);
    leat_timeline_free(timeline);
    leat_flow_free(flow);
    file_close(&f);
}

static void wrong_calls_of_the_timeline_are_refused(void **state)
{
    leat_timeline *timeline = (leat_timeline *)state;
    assert_int_equal(leat_timeline_new(NULL, 1, 0), LEAT_USAGE);
    assert_int_equal(leat_timeline_new(&timeline, -1, 0), LEAT_USAGE);
    assert_null(timeline);
    assert_int_equal(leat_timeline_flush(NULL), LEAT_OK);
    leat_timeline_free(NULL);
    int64_t live = leat_i_mem_live_count();
    for (uint64_t n = 1; n < 3; n++) {
        leat_i_mem_fail_after(n, false);
        assert_int_equal(leat_timeline_new(&timeline, 1, 0), LEAT_NOMEM);
        leat_i_mem_fail_after(0, false);
        assert_int_equal(leat_i_mem_live_count(), live);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_visit_tells_its_phases_attempts_and_waits),
        cmocka_unit_test(waits_for_the_limiter_and_the_budget_are_told),
        cmocka_unit_test(waits_for_the_gate_are_told),
        cmocka_unit_test(every_phase_has_a_name),
        cmocka_unit_test(a_timeline_holds_what_ran_where_and_who_waited),
        cmocka_unit_test(waits_have_their_place_in_the_timeline),
        cmocka_unit_test(a_run_that_is_cut_leaves_whole_json),
        cmocka_unit_test(a_timeline_goes_through_a_pipe),
        cmocka_unit_test(a_timeline_keeps_within_its_size),
        cmocka_unit_test(a_write_that_fails_is_told_and_harms_no_run),
        cmocka_unit_test(wrong_calls_of_the_timeline_are_refused),
    };
    return cmocka_run_group_tests(tests, setup_one_worker, teardown);
}
