/*
 * test_endpoint.c: all rows of endpoint_rows.c, each a test of its own name.
 *
 * Most of a row's time is waiting, so the rows are played beforehand in some threads at once, each with a runtime of its own; what
 * went wrong is kept and told by the tests.
 */
#include <pthread.h>
#include <unistd.h>

#include "endpoint_rows.h"
#include "support_http.h"

enum { LANES = 6, WHY_BYTES = 800, ROWS_MAX = 256 };

static char whys[ROWS_MAX][WHY_BYTES]; /* "" = all is well */
static LEAT_ATOMIC(uint32_t) next_row;

#define WRONG(why, ...) return snprintf((why), WHY_BYTES, __VA_ARGS__), false

/* ---- one server, one client, one limiter ---- */

typedef struct scene {
    fault_server *server;
    fault_script script[2];
    fault_step step[2], after[2];
    leat_limiter *limiter;
    leat_llm *llm;
    char *request;
    one_call call;
} scene;

static const char *nest(uint32_t levels)
{
    char *text = fault_memory(2 * levels + 1);
    memset(text, '[', levels);
    memset(text + levels, ']', levels);
    text[2 * levels] = '\0';
    return text;
}

/* The whole reply that the row asks for, in memory that lives until the server is freed. */
static void reply_build(fault_step *step, const row *r)
{
    const char *body = r->nesting ? nest(r->nesting) : r->body, *headers = r->headers;
    size_t size = body ? strlen(body) : 0;
    char *packed = NULL, lines[256];
    if (r->gzip) {
        packed = body ? fault_gzip(body, size, &size) : fault_gzip_zeros(100 << 20, &size);
        if (r->gzip_broken) packed[size / 2] ^= 0x55;
        if (r->gzip_tail) {
            char *longer = memcpy(fault_memory(size + r->gzip_tail), packed, size);
            memcpy(longer + size, packed, r->gzip_tail);
            packed = longer;
            size += r->gzip_tail;
        }
        snprintf(lines, sizeof lines, "%sContent-Encoding: gzip\r\n", headers);
        headers = lines;
    }
    step[0] = (fault_step){ .op = FAULT_SEND };
    step[0].data = fault_reply_bytes(r->reply, headers, packed ? packed : body, size, &step[0].size);
    step[1] = (fault_step){ .op = FAULT_KEEP };
}

static bool client_make(scene *s, leat_runtime *rt, const row *r, char *why)
{
    const char *ca = r->distrust || r->tls == FAULT_TLS_SELF_SIGNED ? NULL : fault_server_ca_file(s->server);
    leat_error error = { 0 };
    leat_llm_opts opts = { .base_url = fault_server_url(s->server),
                           .key_env = "LEAT_TEST_KEY",
                           .limiter = s->limiter,
                           .stream = r->stream,
                           .model = "m",
                           .cacert = ca,
                           .http2 = r->http2 ? LEAT_HTTP2_FORCE : LEAT_HTTP2_OFF,
                           .body_bytes_max = 1 << 20 };
    if (r->hasty) opts.first_byte_timeout_ms = opts.idle_timeout_ms = 1500, opts.request_timeout_ms = 20000;
    if (leat_llm_new(&s->llm, rt, &opts, &error)) WRONG(why, "no client: %s", error.text);
    return true;
}

/* `then_500`: the server answers only the first request as the row says, and 500 from then on. */
static bool scene_begin(scene *s, leat_runtime *rt, const row *r, bool then_500, char *why)
{
    memset(s, 0, sizeof *s);
    fault_server *keeper = fault_server_new(NULL); /* Keeps what the builders give out until the server stands. */
    if (r->reply) reply_build(s->step, r);
    uint32_t times = then_500 || !r->times ? 1 : r->times == ROW_EVER ? 0 : r->times;
    s->script[0] = (fault_script){ .step = r->reply ? s->step : r->step, .times = times, .early = r->early };
    if (r->http2)
        s->after[0] = (fault_step){ .op = FAULT_STREAM_REPLY, .data = "{}", .ms = 500 };
    else
        s->after[0] = (fault_step){ .op = FAULT_SEND, .data = fault_reply(500, "", "{}") };
    s->script[1] = (fault_script){ .step = s->after };
    bool only_500 = then_500 && r->handshake_cuts;
    s->server = fault_server_new(&(fault_opts){ .script = only_500 ? s->script + 1 : s->script,
                                                .script_count = then_500 && !only_500 ? 2 : 1,
                                                .tls = r->tls,
                                                .http2 = r->http2,
                                                .handshake_cuts = r->handshake_cuts });
    fault_server_free(keeper);
    leat_limiter_opts limits = { .requests_per_min = 6000, .tokens_per_min = 1e9 };
    if (leat_limiter_new(&s->limiter, &limits)) WRONG(why, "no limiter");
    if (!client_make(s, rt, r, why)) return false;
    s->call = (one_call){ .llm = s->llm, .path = r->path, .body = r->request };
    if (!r->request_bytes) return true;
    s->request = malloc(r->request_bytes + 1); /* White space behind the JSON counts as sent too. */
    memset(s->request, ' ', r->request_bytes);
    memcpy(s->request, ROW_BODY, sizeof ROW_BODY - 1);
    s->request[r->request_bytes] = '\0';
    s->call.body = s->request;
    s->call.body_bytes = r->request_bytes;
    return true;
}

static void scene_end(scene *s)
{
    call_free(&s->call);
    leat_llm_free(s->llm);
    leat_limiter_free(s->limiter);
    fault_server_free(s->server);
    free(s->request);
}

/* ---- the first play: what comes of the call ---- */

static bool secrets_are_kept(const one_call *c, char *why)
{
    const char *const texts[] = { c->reply.message, c->json, c->text, c->request_id, c->line };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i] && strstr(texts[i], ROW_KEY)) WRONG(why, "the key stands in %s", texts[i]);
    return true;
}

static bool outcome_is_right(const row *r, const scene *s, char *why)
{
    const one_call *c = &s->call;
    const leat_llm_reply *y = &c->reply;
    leat_limiter_stats stats;
    leat_limiter_read(s->limiter, &stats);
    if (c->err) WRONG(why, "error %s", leat_err_name(c->err));
    if (y->cls != r->cls || y->http_status != r->status || y->attempts != r->attempts || y->throttles != r->throttles ||
        y->possibly_billed != r->billed || stats.refunded != r->refunded || y->is_fatal != r->fatal || y->ms < r->least_ms ||
        (r->most_ms && y->ms > r->most_ms) || y->estimated != r->estimated)
        WRONG(why, "%s, status %d, attempts %u, throttles %u, billed %u, refunded %u, fatal %d, %lld ms, estimated %d: %s",
              leat_class_name(y->cls), y->http_status, y->attempts, y->throttles, y->possibly_billed,
              (unsigned)stats.refunded, y->is_fatal, (long long)y->ms, y->estimated, y->message);
    bool good = y->cls == LEAT_CLASS_OK || y->cls == LEAT_CLASS_LENGTH;
    if (good != (y->message[0] == '\0') || (good && !c->json)) WRONG(why, "message \"%s\", body %s", y->message, c->json);
    if (r->message && !strstr(y->message, r->message)) WRONG(why, "message \"%s\"", y->message);
    if (r->text && strcmp(c->text, r->text) != 0) WRONG(why, "text \"%s\"", c->text);
    if (stats.granted != r->attempts || stats.in_flight) WRONG(why, "%u grants", (unsigned)stats.granted);
    return secrets_are_kept(c, why);
}

/* One request an attempt: nobody else sends any. Those that never got through are none. */
static bool requests_are_right(const row *r, const scene *s, char *why)
{
    uint32_t unsent = r->handshake_cuts, came = fault_server_counts(s->server).requests;
    if (r->cls == LEAT_CLASS_TLS) unsent = r->attempts;
    if (came != r->attempts - unsent) WRONG(why, "%u requests came", came);
    if (unsent == r->attempts && fault_server_saw(s->server, ROW_KEY)) WRONG(why, "the key went out");
    return true;
}

static bool play_outcome(const row *r, leat_runtime *rt, char *why)
{
    scene s;
    bool ok = scene_begin(&s, rt, r, false, why);
    if (ok) {
        call_run(rt, &s.call);
        ok = outcome_is_right(r, &s, why) && (r->early || requests_are_right(r, &s, why));
    }
    scene_end(&s);
    return ok;
}

/* ---- the second play: what the attempt was charged to, and what became of its connection ---- */

static bool charge_is_right(const row *r, const one_call *c, char *why)
{
    static const uint32_t attempts_of[] = {
        [ROW_NOTHING] = 1, [ROW_FREE] = ROW_ATTEMPTS + 1, [ROW_FAILURE] = ROW_ATTEMPTS, [ROW_THROTTLE] = ROW_ATTEMPTS + 1
    };
    row_charge charge = r->handshake_cuts ? ROW_FAILURE : r->charge;
    uint32_t throttles = charge == ROW_THROTTLE, attempts = attempts_of[charge];
    /* A throttle that ends the call is the only attempt. */
    if (r->cls == LEAT_CLASS_THROTTLED && r->attempts == 1) throttles = 1;
    if (c->reply.attempts != attempts || c->reply.throttles != throttles)
        WRONG(why, "charged: %u attempts before it gave up, %u throttles: %s", c->reply.attempts, c->reply.throttles,
              c->reply.message);
    return true;
}

static bool connection_is_right(const row *r, const scene *s, char *why)
{
    uint32_t first = 0, second = 0;
    if (r->conn == ROW_CONN_EITHER) return true;
    char *one = fault_server_request(s->server, 0, &first, NULL), *two = fault_server_request(s->server, 1, &second, NULL);
    bool there = one && two;
    free(one), free(two);
    if (r->early) return true; /* Its request never became whole. */
    if (!there) WRONG(why, "there was no second request");
    if ((first == second) != (r->conn == ROW_CONN_KEPT))
        WRONG(why, "the connection was %s", first == second ? "kept" : "left");
    return true;
}

static bool play_charge(const row *r, leat_runtime *rt, char *why)
{
    scene s;
    bool ok = scene_begin(&s, rt, r, true, why);
    if (ok) {
        call_run(rt, &s.call);
        ok = charge_is_right(r, &s.call, why);
        if (s.call.reply.attempts == 1) { /* Somebody else's request comes next. */
            call_free(&s.call);
            call_run(rt, &s.call);
        }
        ok = ok && connection_is_right(r, &s, why);
    }
    scene_end(&s);
    return ok;
}

/* ---- all of them ---- */

static void *lane_main(void *arg)
{
    leat_runtime *rt = NULL;
    (void)arg;
    CHECK(leat_runtime_new(&rt, &(leat_runtime_opts){ .worker_count = 2, .virtual_clock = true }) == LEAT_OK);
    for (uint32_t i; (i = leat_add_relaxed(&next_row, 1u)) < endpoint_row_count;) { /* relaxed: only to differ. */
        const row *r = &endpoint_rows[i];
        if (!r->special && play_outcome(r, rt, whys[i])) (void)play_charge(r, rt, whys[i]);
    }
    leat_runtime_free(rt);
    return NULL;
}

/* Those with a program of their own change what the system says: one after another. */
static void play_specials(void)
{
    leat_runtime *rt = runtime_with(2, true);
    for (size_t i = 0; i < endpoint_row_count; i++) {
        const char *wrong = endpoint_rows[i].special ? endpoint_rows[i].special(rt) : NULL;
        if (wrong) snprintf(whys[i], WHY_BYTES, "%s", wrong);
    }
    leat_runtime_free(rt);
}

static int play_all(void **state)
{
    pthread_t lane[LANES];
    (void)state;
    CHECK(endpoint_row_count <= ROWS_MAX);
    setenv("LEAT_TEST_KEY", ROW_KEY, 1);
    for (int i = 0; i < LANES; i++)
        CHECK(pthread_create(&lane[i], NULL, lane_main, NULL) == 0);
    for (int i = 0; i < LANES; i++)
        CHECK(pthread_join(lane[i], NULL) == 0);
    play_specials();
    return 0;
}

static void row_is_as_told(void **state)
{
    const char *why = *state;
    if (*why) fail_msg("%s", why);
}

static void every_row_is_there(void **state)
{
    bool there[63] = { true };
    (void)state;
    for (size_t i = 0; i < endpoint_row_count; i++)
        there[endpoint_rows[i].number] = true;
    for (int n = 1; n <= 62; n++)
        if (!there[n]) fail_msg("row %d is missing", n);
}

int main(void)
{
    static struct CMUnitTest tests[ROWS_MAX + 1];
    static char names[ROWS_MAX][96];
    for (size_t i = 0; i < endpoint_row_count; i++) {
        snprintf(names[i], sizeof names[i], "row %d: %s", endpoint_rows[i].number, endpoint_rows[i].name);
        tests[i] = (struct CMUnitTest){ .name = names[i], .test_func = row_is_as_told, .initial_state = whys[i] };
    }
    tests[endpoint_row_count] = (struct CMUnitTest)cmocka_unit_test(every_row_is_there);
    return _cmocka_run_group_tests("endpoint_rows", tests, endpoint_row_count + 1, play_all, NULL);
}
