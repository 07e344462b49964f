/*
 * endpoint_special.c: rows that need more than one server's orders: names, descriptors, many calls at once.
 *
 * For the whole program getaddrinfo is this file's own, and socket goes through it: names that end in ".test" are answered as
 * ordered, and for a while there are no descriptors. These rows are played one after another, and nothing beside them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/atomics.h"
#include "endpoint_rows.h"
#include "net/http.h"
#include "support_sched.h"

/* ---- what the system says ---- */

static LEAT_ATOMIC(uint32_t) look_ups; /* of names */
static LEAT_ATOMIC(uint32_t) starved;  /* sockets that are refused still */

int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol)
{
    if (!leat_load_relaxed(&starved)) return __real_socket(family, type, protocol); /* relaxed: set while nothing runs. */
    (void)leat_sub_relaxed(&starved, 1u);
    errno = EMFILE;
    return -1;
}

/* As the C library lays it out, whose freeaddrinfo frees it. */
static struct addrinfo *address_of(const char *ip, const char *port, struct addrinfo *next)
{
    struct addrinfo *a = calloc(1, sizeof *a + sizeof(struct sockaddr_in));
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)(a + 1);
    in->sin_family = AF_INET;
    in->sin_port = htons((uint16_t)(port ? strtoul(port, NULL, 10) : 0));
    CHECK(inet_pton(AF_INET, ip, &in->sin_addr) == 1);
    a->ai_family = AF_INET;
    a->ai_socktype = SOCK_STREAM;
    a->ai_protocol = IPPROTO_TCP;
    a->ai_addrlen = sizeof *in;
    a->ai_addr = (struct sockaddr *)in;
    a->ai_next = next;
    return a;
}

__attribute__((visibility("default"))) int getaddrinfo(const char *name, const char *port, const struct addrinfo *hints,
                                                       struct addrinfo **found)
{
    uint32_t before = leat_add_relaxed(&look_ups, 1u); /* relaxed: a count. */
    (void)hints;
    *found = NULL;
    if (strcmp(name, "busy.test") == 0) return EAI_AGAIN;
    if (strcmp(name, "later.test") == 0 && before < 2) return EAI_AGAIN; /* Asked twice when it fails: curl, and why. */
    if (strcmp(name, "never.test") == 0) return EAI_NONAME;
    *found = address_of("127.0.0.1", port, NULL);
    if (strcmp(name, "two.test") == 0) *found = address_of("127.0.0.2", port, *found); /* Where nobody listens. */
    return 0;
}

/* ---- calls to them ---- */

typedef struct stage {
    fault_server *server;
    leat_limiter *limiter;
    leat_limiter_stats stats;
    one_call call;
} stage;

static void stage_begin(stage *s, leat_runtime *rt, fault_script *script, size_t count, const char *host, int64_t total_ms)
{
    char url[64];
    leat_error error = { 0 };
    memset(s, 0, sizeof *s);
    s->server = fault_server_new(&(fault_opts){ .script = script, .script_count = count });
    snprintf(url, sizeof url, "http://%s:%u", host, fault_server_port(s->server));
    leat_limiter_opts limits = { .requests_per_min = 6000 };
    CHECK(leat_limiter_new(&s->limiter, &limits) == LEAT_OK);
    leat_llm_opts opts = { .base_url = url,
                           .key_env = "LEAT_TEST_KEY",
                           .limiter = s->limiter,
                           .allow_http = true,
                           .request_timeout_ms = total_ms };
    leat_store_relaxed(&look_ups, 0u); /* relaxed: nothing runs yet. */
    leat_err err = leat_llm_new(&s->call.llm, rt, &opts, &error);
    if (err) fprintf(stderr, "%s\n", error.text);
    CHECK(err == LEAT_OK);
}

static void stage_run(stage *s, leat_runtime *rt)
{
    call_free(&s->call);
    call_run(rt, &s->call);
    leat_limiter_read(s->limiter, &s->stats);
}

static void stage_end(stage *s)
{
    call_free(&s->call);
    leat_llm_free(s->call.llm);
    leat_limiter_free(s->limiter);
    fault_server_free(s->server);
}

typedef struct expected {
    leat_class cls;
    uint32_t attempts, refunded, billed;
    bool fatal;
    const char *message;
} expected;

/* NULL, or what is wrong. */
static const char *judge(const stage *s, const expected *e)
{
    static char why[600];
    const leat_llm_reply *y = &s->call.reply;
    if (y->cls == e->cls && y->attempts == e->attempts && s->stats.refunded == e->refunded &&
        y->possibly_billed == e->billed && y->is_fatal == e->fatal && (!e->message || strstr(y->message, e->message)) &&
        !s->stats.in_flight)
        return NULL;
    snprintf(why, sizeof why, "%s, attempts %u, refunded %u, billed %u, fatal %d: %s", leat_class_name(y->cls), y->attempts,
             (unsigned)s->stats.refunded, y->possibly_billed, y->is_fatal, y->message);
    return why;
}

static const char *play(leat_runtime *rt, const char *host, const expected *e)
{
    stage s;
    stage_begin(&s, rt, NULL, 0, host, 0);
    stage_run(&s, rt);
    const char *why = judge(&s, e);
    stage_end(&s);
    return why;
}

/* ---- the rows ---- */

/* Row 40: one retry is free, at once, and charged to nothing; whether the first was billed nobody can know. */
const char *row_dead_connection(leat_runtime *rt)
{
    static const fault_step reset[] = { { .op = FAULT_RESET } };
    fault_script script = { .step = reset, .on = FAULT_ON_REUSED };
    const char *why = NULL;
    stage s;
    stage_begin(&s, rt, &script, 1, "127.0.0.1", 0);
    for (uint32_t i = 0; i < 8 && !why; i++) {
        stage_run(&s, rt);
        why = judge(&s, &(expected){ LEAT_CLASS_OK, i ? 2 : 1, i, i ? 1 : 0, false, NULL });
        if (!why && fault_server_counts(s.server).requests != 2 * i + 1) why = "a request was sent that nobody decided";
        if (!why && s.call.reply.ms > 1000) why = "the second attempt waited";
    }
    stage_end(&s);
    return why;
}

/* Row 52: what comes on a kept connection before anything was asked is nobody's answer. */
const char *row_stray_reply(leat_runtime *rt)
{
    static const fault_step twice[] = { { .op = FAULT_ECHO_MARK },
                                        { .op = FAULT_SEND, .data = fault_ok }, /* "fine", to nobody */
                                        { .op = FAULT_KEEP } };
    fault_script script = { .step = twice };
    const char *why = NULL;
    stage s;
    stage_begin(&s, rt, &script, 1, "127.0.0.1", 0);
    for (uint32_t i = 0; i < 6 && !why; i++) {
        stage_run(&s, rt);
        why = judge(&s, &(expected){ LEAT_CLASS_OK, 1, 0, 0, false, NULL });
        if (!why && strcmp(s.call.text, "[[fine]]") != 0) why = "it was taken for the answer to the next request";
        if (!why && !fault_server_wait_served(s.server, i + 1)) why = "the server did not do as told";
    }
    fault_counts counts = fault_server_counts(s.server);
    if (!why && (counts.requests != 6 || counts.connections != 6))
        why = "a connection was used again, or a request sent twice";
    stage_end(&s);
    return why;
}

/* Row 45. */
const char *row_names(leat_runtime *rt)
{
    const char *why = play(rt, "later.test", &(expected){ LEAT_CLASS_OK, 2, 1, 0, false, NULL });
    if (!why) why = play(rt, "busy.test", &(expected){ LEAT_CLASS_DNS, ROW_ATTEMPTS, ROW_ATTEMPTS, 0, false, "busy.test" });
    if (!why) why = play(rt, "never.test", &(expected){ LEAT_CLASS_DNS, 1, 1, 0, true, "no such host" });
    return why;
}

/* Row 47. */
const char *row_addresses(leat_runtime *rt)
{
    return play(rt, "two.test", &(expected){ LEAT_CLASS_OK, 1, 0, 0, false, NULL });
}

const char *row_nobody_listens(leat_runtime *rt)
{
    stage s;
    stage_begin(&s, rt, NULL, 0, "127.0.0.2", 0);
    stage_run(&s, rt);
    const char *why = judge(&s, &(expected){ LEAT_CLASS_CONNECT, ROW_ATTEMPTS, ROW_ATTEMPTS, 0, false, "nobody listens" });
    if (!why && !s.call.reply.is_unreached) why = "it does not say that nothing was reached";
    stage_end(&s);
    return why;
}

/* Row 48: told, tried again, and given up after the attempts. */
const char *row_descriptors(leat_runtime *rt)
{
    stage s;
    stage_begin(&s, rt, NULL, 0, "127.0.0.1", 0);
    leat_store_relaxed(&starved, 4u); /* relaxed: nothing runs. A refused one is tried again after the limit was raised. */
    stage_run(&s, rt);
    leat_store_relaxed(&starved, 0u);
    uint32_t failed = s.call.reply.attempts - 1;
    const char *why = judge(&s, &(expected){ LEAT_CLASS_OK, failed + 1, failed, 0, false, NULL });
    if (!why && (failed < 2 || failed > 4)) why = "refused sockets are no failed attempts";
    stage_end(&s);
    if (why) return why;
    stage_begin(&s, rt, NULL, 0, "127.0.0.1", 0);
    leat_store_relaxed(&starved, 1000u);
    stage_run(&s, rt);
    leat_store_relaxed(&starved, 0u);
    why = judge(&s, &(expected){ LEAT_CLASS_LOCAL, ROW_ATTEMPTS, ROW_ATTEMPTS, 0, false, "descriptor" });
    stage_end(&s);
    return why;
}

/* Two dozen calls at once. */
enum { CROWD = 24 };

typedef struct crowd {
    one_call call[CROWD];
} crowd;

static leat_err crowd_task(leat_task *t, void *arg, const void **result)
{
    crowd *c = arg;
    leat_future *f[CROWD];
    (void)result;
    for (int i = 0; i < CROWD; i++)
        f[i] = leat_task_start(t, call_task, &c->call[i]);
    return leat_await_all(t, f, CROWD);
}

static void crowd_run(crowd *c, leat_runtime *rt, leat_llm *llm)
{
    for (int i = 0; i < CROWD; i++)
        c->call[i] = (one_call){ .llm = llm };
    CHECK(leat_task_run(rt, crowd_task, c, NULL) == LEAT_OK);
}

/* Row 61: they are told at one time to come back in five seconds. */
const char *row_stampede(leat_runtime *rt)
{
    static const fault_step busy[] = {
        { .op = FAULT_SEND, .data = "HTTP/1.1 429 X\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n" }, { .op = FAULT_KEEP }
    };
    fault_script script = { .step = busy, .times = CROWD };
    crowd c;
    stage s;
    int64_t first_ms = INT64_MAX, last_ms = 0;
    const char *why = NULL;
    stage_begin(&s, rt, &script, 1, "127.0.0.1", 0);
    crowd_run(&c, rt, s.call.llm);
    for (int i = 0; i < CROWD; i++) {
        const leat_llm_reply *y = &c.call[i].reply;
        if (y->cls != LEAT_CLASS_OK)
            why = y->message[0] ? "one of the crowd failed" : "one of the crowd failed without a word";
        if (y->ms < 5000) why = "one came back too early";
        if (y->ms < first_ms) first_ms = y->ms;
        if (y->ms > last_ms) last_ms = y->ms;
        call_free(&c.call[i]);
    }
    if (!why && last_ms - first_ms < 500) why = "they all came back at one time";
    stage_end(&s);
    return why;
}

/* Row 40 over TLS, where an old curl does not notice that kept connections were closed: nothing is lost though a single failure
 * would be, and nothing is answered twice; whether the first request was billed nobody can know. */
const char *row_closed_while_idle(leat_runtime *rt)
{
    static const fault_step close_it[] = { { .op = FAULT_ECHO_MARK },
                                           { .op = FAULT_PAUSE, .ms = 20 },
                                           { .op = FAULT_CLOSE } };
    fault_script script = { .step = close_it };
    const char *why = NULL;
    crowd c;
    stage s = { .server = fault_server_new(&(fault_opts){ .script = &script, .script_count = 1, .tls = FAULT_TLS_GOOD }) };
    leat_llm_opts opts = { .base_url = fault_server_url(s.server),
                           .cacert = fault_server_ca_file(s.server),
                           .max_attempts = 1 };
    CHECK(leat_llm_new(&s.call.llm, rt, &opts, NULL) == LEAT_OK);
    for (uint32_t round = 1; round <= 4 && !why; round++) {
        crowd_run(&c, rt, s.call.llm);
        for (int i = 0; i < CROWD; i++) {
            const leat_llm_reply *y = &c.call[i].reply;
            if (y->cls != LEAT_CLASS_OK || y->possibly_billed + 1 != y->attempts || y->attempts > 2)
                why = y->message[0] ? "lost" : "billed";
            call_free(&c.call[i]);
        }
        if (fault_server_counts(s.server).requests != round * CROWD) why = "not one request an answer";
        if (!fault_server_wait_open(s.server, 0)) why = "the server does not close";
    }
    stage_end(&s);
    return why;
}

/* HTTP/2 with a name whose address is too old to be believed: who finds a connection looks nothing up, and holds nobody up. */
typedef struct hung {
    leat_i_http_request request;
    leat_i_http_reply reply[3];
    LEAT_ATOMIC(uint32_t) next;
} hung;

static leat_err hung_task(leat_task *t, void *arg, const void **result)
{
    hung *h = arg;
    (void)result;
    return leat_i_http_perform(t, &h->request, &h->reply[leat_add_relaxed(&h->next, 1u)]); /* relaxed: only to differ. */
}

static leat_err hung_tasks(leat_task *t, void *arg, const void **result)
{
    leat_future *f[3];
    (void)result;
    for (int i = 0; i < 3; i++)
        f[i] = leat_task_start(t, hung_task, arg);
    return leat_await_all(t, f, 3);
}

/* The first two get no answer before the third has come. */
const char *row_old_address(leat_runtime *rt)
{
    static const fault_step wait[] = { { .op = FAULT_KEEP } }, end[] = { { .op = FAULT_ECHO_MARK }, { .op = FAULT_CLOSE } };
    fault_script script[] = { { .step = wait, .times = 2 }, { .step = end } };
    char url[64];
    hung h = { .request = { .path = "/v1/x", .body = "{}", .body_bytes = 2 } };
    fault_server *s =
        fault_server_new(&(fault_opts){ .script = script, .script_count = 2, .tls = FAULT_TLS_WRONG_NAME, .http2 = true });
    leat_i_http_origin *o = NULL;
    snprintf(url, sizeof url, "https://elsewhere.invalid:%u", fault_server_port(s));
    leat_i_http_origin_opts opts = { .base_url = url,
                                     .cacert = fault_server_ca_file(s),
                                     .http2 = true,
                                     .address_ms = -1,
                                     .connect_timeout_ms = 10000,
                                     .total_timeout_ms = 20000 };
    CHECK(leat_i_http_origin_new(&o, rt, &opts) == LEAT_OK);
    h.request.origin = o;
    CHECK(leat_task_run(rt, hung_tasks, &h, NULL) == LEAT_OK);
    const char *why = NULL;
    for (int i = 0; i < 3; i++)
        if (!h.reply[i].sent) why = "a request waited for the end of another";
    if (fault_server_counts(s).connections != 1) why = "there was more than one connection";
    leat_i_http_origin_free(o);
    fault_server_free(s);
    return why;
}

/* Row 62: the connection is cut, so that the endpoint can see that nobody waits for its answer any more. */
const char *row_zombie(leat_runtime *rt)
{
    static const fault_step hang[] = { { .op = FAULT_HANG } };
    fault_script script = { .step = hang, .times = 1 };
    stage s;
    stage_begin(&s, rt, &script, 1, "127.0.0.1", 1500);
    stage_run(&s, rt);
    const char *why = judge(&s, &(expected){ LEAT_CLASS_OK, 2, 0, 1, false, NULL });
    if (!why && !fault_server_wait_open(s.server, 1)) why = "the connection of the attempt that was given up stays";
    stage_end(&s);
    return why;
}
