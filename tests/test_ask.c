/* test_ask.c: a prompt goes out and its text comes back, in one line of a node's code. */
#include "leat/llm.h"

#include "support_http.h"
#include "support_runtime.h"

static leat_llm *llm_to(fault_server *s, const char *extra_body)
{
    leat_llm *llm = NULL;
    leat_llm_opts opts = { .base_url = fault_server_url(s), .model = "m", .extra_body = extra_body };
    assert_int_equal(leat_llm_new(&llm, rt, &opts, NULL), LEAT_OK);
    return llm;
}

static leat_err ask_task(leat_task *t, void *arg, const void **result)
{
    const char *reply = NULL;
    const void *later = NULL;
    leat_llm *llm = arg;
    (void)result;
    leat_future *f = leat_llm_start(t, llm, "tell me [[first]]");
    LEAT_TRY(leat_llm_ask(t, llm, "tell me [[second]]", &reply));
    CHECK(strcmp(reply, "[[second]]") == 0);
    LEAT_TRY(leat_await(t, f, &later));
    CHECK(strcmp(later, "[[first]]") == 0);
    LEAT_TRY(leat_llm_askf(t, llm, &later, "tell %s [[%d]]", "me", 3));
    CHECK(strcmp(later, "[[3]]") == 0);
    return LEAT_OK;
}

static void asking_is_one_line(void **state)
{
    fault_server *s = fault_server_new(&(fault_opts){ .script_count = 0 });
    (void)state;
    leat_llm *llm = llm_to(s, NULL);
    assert_int_equal(leat_task_run(rt, ask_task, llm, NULL), LEAT_OK);
    leat_llm_free(llm);
    fault_server_free(s);
}

static leat_err ask_x(leat_task *t, void *arg, const void **result)
{
    return leat_llm_askf(t, arg, result, "x");
}

static void a_prompt_carries_the_extra_members(void **state)
{
    fault_server *s = fault_server_new(&(fault_opts){ .script_count = 0 });
    (void)state;
    leat_llm *llm = llm_to(s, "{ \"max_tokens\": 7, \"stop\": [\".\"] }");
    assert_int_equal(leat_task_run(rt, ask_x, llm, NULL), LEAT_OK);
    char *request = fault_server_request(s, 0, NULL, NULL);
    assert_string_equal(strstr(request, "\r\n\r\n") + 4,
                        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],"
                        "\"max_tokens\":7,\"stop\":[\".\"]}");
    free(request);
    leat_llm_free(llm);
    fault_server_free(s);
}

static leat_err ask_with_deadline(leat_task *t, void *arg, const void **result)
{
    return leat_task_within(t, 3600 * 1000, ask_x, arg, result);
}

/* The endpoint is asked again and again, until time is up: what it said is more than that time was up. */
static void a_deadline_tells_what_the_attempts_failed_of(void **state)
{
    static const fault_step broken[] = {
        { .op = FAULT_SEND,
          .data = "HTTP/1.1 500 X\r\nConnection: close\r\n\r\n{\"error\":{\"message\":\"the mill is broken\"}}" },
        { .op = FAULT_CLOSE },
    };
    fault_script script = { .step = broken };
    fault_server *s = fault_server_new(&(fault_opts){ .script = &script, .script_count = 1 });
    leat_error error = { 0 };
    leat_err code = LEAT_OK;
    (void)state;
    leat_runtime *jumps = NULL; /* its clock jumps over the waits */
    leat_llm *llm = NULL;
    assert_int_equal(leat_runtime_new(&jumps, &(leat_runtime_opts){ .virtual_clock = true }), LEAT_OK);
    leat_llm_opts opts = { .base_url = fault_server_url(s), .model = "m", .max_attempts = 1000 };
    assert_int_equal(leat_llm_new(&llm, jumps, &opts, NULL), LEAT_OK);
    assert_int_equal(leat_task_run(jumps, ask_with_deadline, llm, &error), LEAT_TIMEOUT);
    const char *cause = leat_error_cause(&error, 0, &code);
    assert_non_null(cause);
    assert_non_null(strstr(cause, "the mill is broken"));
    assert_int_equal(code, LEAT_HTTP);
    leat_llm_free(llm);
    leat_runtime_free(jumps);
    fault_server_free(s);
}

static leat_err ask_and_fail(leat_task *t, void *arg, const void **result)
{
    const char *reply = "untouched";
    (void)result;
    leat_err err = leat_llm_ask(t, arg, "x", &reply);
    CHECK(strcmp(reply, "untouched") == 0);
    return err;
}

static void a_failure_has_its_error(void **state)
{
    static const fault_step refused[] = {
        { .op = FAULT_SEND, .data = "HTTP/1.1 400 X\r\nConnection: close\r\n\r\n{\"error\":{\"message\":\"too long\"}}" },
        { .op = FAULT_CLOSE },
    };
    fault_script script = { .step = refused };
    fault_server *s = fault_server_new(&(fault_opts){ .script = &script, .script_count = 1 });
    leat_error error = { 0 };
    (void)state;
    leat_llm *llm = llm_to(s, NULL);
    assert_int_equal(leat_task_run(rt, ask_and_fail, llm, &error), LEAT_HTTP);
    assert_int_equal(error.http_status, 400);
    assert_string_equal(error.text, "HTTP 400: too long");
    leat_llm_free(llm);
    fault_server_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asking_is_one_line),
        cmocka_unit_test(a_prompt_carries_the_extra_members),
        cmocka_unit_test(a_deadline_tells_what_the_attempts_failed_of),
        cmocka_unit_test(a_failure_has_its_error),
    };
    return cmocka_run_group_tests(tests, runtime_start_virtual, runtime_stop);
}
