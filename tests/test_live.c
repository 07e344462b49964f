/* test_live.c: a reply that is handed over piece by piece: whole, in order, before its end, and never twice. */
#include "leat/llm.h"

#include "base/mem.h"
#include "support_http.h"
#include "support_runtime.h"

#define HEAD        "HTTP/1.1 200 X\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
#define CHUNK(rest) "data: {\"id\":\"c\",\"choices\":[{\"index\":0," rest "}]}\n\n"
#define TEXT(text)  CHUNK("\"delta\":{\"content\":\"" text "\"}")
#define FINISH      CHUNK("\"delta\":{},\"finish_reason\":\"stop\"") "data: [DONE]\n\n"
#define PLAIN                                                                                                     \
    "HTTP/1.1 200 X\r\nConnection: close\r\n\r\n{\"choices\":[{\"index\":0,\"message\":{\"content\":\"in one\"}," \
    "\"finish_reason\":\"stop\"}]}"
#define BROKEN "HTTP/1.1 500 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

struct reader {
    leat_llm *llm;
    char text[256], reply[256];
    int pieces, stop_at; /* the piece at which on_piece says stop; 0 = none */
    leat_semaphore *heard;
};

static leat_err note_piece(leat_task *t, void *arg, const char *piece)
{
    struct reader *r = arg;
    size_t at = strlen(r->text);
    CHECK(*piece);
    LEAT_TRY(leat_sleep_ms(t, 0)); /* it may suspend */
    snprintf(r->text + at, sizeof r->text - at, "%s", piece);
    if (r->heard) leat_semaphore_release(r->heard);
    return ++r->pieces == r->stop_at ? LEAT_STOPPED : LEAT_OK;
}

static leat_err reads(leat_task *t, void *arg, const void **result)
{
    struct reader *r = arg;
    const char *reply = "untouched";
    (void)result;
    leat_err err = leat_llm_stream(t, r->llm, "x", note_piece, r, &reply);
    snprintf(r->reply, sizeof r->reply, "%s", reply);
    return err;
}

static leat_llm *llm_to(fault_server *s)
{
    leat_llm *llm = NULL;
    leat_llm_opts opts = { .base_url = fault_server_url(s), .model = "m" };
    assert_int_equal(leat_llm_new(&llm, rt, &opts, NULL), LEAT_OK);
    return llm;
}

typedef struct row {
    const char *name;
    fault_step step[8];
    uint32_t times; /* 0 = always; else a good reply follows */
    leat_err err;
    int stop_at;
    const char *text; /* all pieces, joined */
    uint32_t requests;
} row;

#define SEND(text)                     \
    {                                  \
        .op = FAULT_SEND, .data = text \
    }
#define PAUSE                        \
    {                                \
        .op = FAULT_PAUSE, .ms = 20, \
    }
#define DO(what)           \
    {                      \
        .op = FAULT_##what \
    }

static const row rows[] = {
    { "one event after another",
      { SEND(HEAD TEXT("one ")), PAUSE, SEND(TEXT("two")), PAUSE, SEND(FINISH), DO(CLOSE) },
      0,
      LEAT_OK,
      0,
      "one two",
      1 },
    { "all at once", { SEND(HEAD TEXT("one ") TEXT("two") FINISH), DO(CLOSE) }, 0, LEAT_OK, 0, "one two", 1 },
    { "a character in two halves",
      { SEND(HEAD TEXT("<\\ud83d")), PAUSE, SEND(TEXT("\\ude00>") FINISH), DO(CLOSE) },
      0,
      LEAT_OK,
      0,
      "<\xf0\x9f\x98\x80>",
      1 },
    { "a half that stays alone",
      { SEND(HEAD TEXT("<\\ud83d")), PAUSE, SEND(FINISH), DO(CLOSE) },
      0,
      LEAT_OK,
      0,
      "<\xef\xbf\xbd",
      1 },
    { "what only looks like a half",
      { SEND(HEAD TEXT("<\\\\ud83d")), PAUSE, SEND(TEXT(">") FINISH), DO(CLOSE) },
      0,
      LEAT_OK,
      0,
      "<\\ud83d>",
      1 },
    { "no stream after all", { SEND(PLAIN), DO(CLOSE) }, 0, LEAT_OK, 0, "in one", 1 },
    { "stopped by the reader: the rest never comes", { SEND(HEAD TEXT("one")), DO(HANG) }, 0, LEAT_STOPPED, 1, "one", 1 },
    { "cut behind a piece: not asked again", { SEND(HEAD TEXT("one")), PAUSE, DO(CLOSE) }, 0, LEAT_REPLY, 0, "one", 1 },
    { "cut before any piece: asked again", { SEND(HEAD), DO(CLOSE) }, 1, LEAT_OK, 0, "", 2 },
    { "broken once: asked again", { SEND(BROKEN), DO(CLOSE) }, 1, LEAT_OK, 0, "", 2 },
};

static void replies_are_handed_over(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const row *w = &rows[i];
        fault_script script = { .step = w->step, .times = w->times };
        fault_server *s = fault_server_new(&(fault_opts){ .script = &script, .script_count = 1 });
        struct reader r = { .llm = llm_to(s), .stop_at = w->stop_at };
        leat_err err = leat_task_run(rt, reads, &r, NULL);
        uint32_t requests = (uint32_t)fault_server_counts(s).requests;
        bool text = !w->text[0] || strcmp(r.text, w->text) == 0; /* "": what the server says when it is good */
        bool reply = strcmp(r.reply, err == LEAT_OK ? r.text : "untouched") == 0;
        if (err != w->err || !text || !reply || !r.text[0] || requests != w->requests)
            fail_msg("%s: %s, \"%s\", reply \"%s\", %u requests", w->name, leat_err_name(err), r.text, r.reply, requests);
        leat_llm_free(r.llm);
        fault_server_free(s);
    }
}

/* ---- cut short ---- */

static leat_err cancels_at_the_first_piece(leat_task *t, void *arg, const void **result)
{
    struct reader *r = arg;
    (void)result;
    leat_future *f = leat_task_start(t, reads, r);
    LEAT_TRY(leat_semaphore_acquire(t, r->heard));
    leat_future_cancel(f);
    return leat_await(t, f, NULL);
}

static void a_cancel_ends_it_and_the_exchange(void **state)
{
    static const fault_step hangs[] = { SEND(HEAD TEXT("one")), DO(HANG) };
    fault_script script = { .step = hangs };
    fault_server *s = fault_server_new(&(fault_opts){ .script = &script, .script_count = 1 });
    struct reader r = { .llm = llm_to(s) };
    (void)state;
    assert_int_equal(leat_semaphore_new(&r.heard, 0), LEAT_OK);
    assert_int_equal(leat_task_run(rt, cancels_at_the_first_piece, &r, NULL), LEAT_CANCELED);
    assert_string_equal(r.text, "one");
    assert_string_equal(r.reply, "untouched");
    leat_semaphore_free(r.heard);
    leat_llm_free(r.llm);
    fault_server_free(s);
}

static leat_err reads_within(leat_task *t, void *arg, const void **result)
{
    return leat_task_within(t, 50, reads, arg, result);
}

static void a_deadline_ends_it(void **state)
{
    static const fault_step hangs[] = { DO(HANG) };
    fault_script script = { .step = hangs };
    fault_server *s = fault_server_new(&(fault_opts){ .script = &script, .script_count = 1 });
    struct reader r = { .llm = llm_to(s) };
    (void)state;
    assert_int_equal(leat_task_run(rt, reads_within, &r, NULL), LEAT_TIMEOUT);
    leat_llm_free(r.llm);
    fault_server_free(s);
}

static void memory_may_be_short(void **state)
{
    leat_err err = LEAT_NOMEM;
    fault_script script = { .step = rows[1].step };
    fault_server *s = fault_server_new(&(fault_opts){ .script = &script, .script_count = 1 });
    struct reader first = { .llm = llm_to(s) };
    (void)state;
    assert_int_equal(leat_task_run(rt, reads, &first, NULL), LEAT_OK); /* what is made once stands now */
    for (uint64_t n = 1; n < 100; n++) {
        struct reader r = { .llm = first.llm };
        leat_i_mem_fail_after(n, false);
        err = leat_task_run(rt, reads, &r, NULL);
        leat_i_mem_fail_after(0, false);
        if (err == LEAT_OK) assert_string_equal(r.text, "one two");
        assert_true(err == LEAT_OK || err == LEAT_NOMEM || err == LEAT_IO);
    }
    assert_int_equal(err, LEAT_OK); /* by then no allocation was left to fail */
    leat_llm_free(first.llm);
    fault_server_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_are_handed_over),
        cmocka_unit_test(a_cancel_ends_it_and_the_exchange),
        cmocka_unit_test(a_deadline_ends_it),
        cmocka_unit_test(memory_may_be_short),
    };
    return cmocka_run_group_tests(tests, runtime_start, runtime_stop);
}
