/* llm.c: making and freeing a client, and asking it in one line. */
#include "setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "leat/mock.h"

#include "../net/url.h"
#include "request.h"
#include "turn.h"

#define MOCK_URL    "mock:"
#define MOCK_MODEL  "leat-extract"
#define HEADERS_MAX 64
/* Of the connections of a crowd: replies are read in pieces, and ten thousand wait in little memory. */
#define RECEIVE_BYTES       2048
#define DEFAULT_ATTEMPTS    5
#define DEFAULT_THROTTLE_MS 600000
#define DEFAULT_BODY_BYTES  ((size_t)16 << 20)

/* ---- making ---- */

typedef struct setup { /* what the making of a client needs and the client does not */
    const leat_llm_opts *opts;
    leat_error *error;
    bool is_mock;
    /* Of one endpoint at a time. */
    leat_llm_endpoint endpoint;
    const leat_i_provider *provider;
    const char *base_url;
    leat_i_url url;
    char *key;
    leat_i_buf key_header;
} setup;

static void *mock_make(leat_runtime *rt)
{
    leat_mock *mock = NULL;
    (void)rt;
    return leat_mock_new(&mock, NULL, NULL) == LEAT_OK ? mock : NULL;
}

static void mock_free(void *mock)
{
    leat_mock_free(mock);
}

static leat_err setup_url(setup *s, leat_runtime *rt)
{
    char why[96] = "";
    const char *given = s->endpoint.base_url, *url = leat_i_provider_url(s->provider, given);
    if (!url) return leat_i_fail(s->error, LEAT_USAGE, "the provider %s needs a base URL", s->provider->name);
    /* A script's variable that is not set: documents and key would go to somebody whom nobody has named. */
    if (!*url)
        return leat_i_fail(s->error, LEAT_USAGE, "%s%s is empty: name an endpoint, or leave it out for the provider's own",
                           given ? "the base URL" : "the environment variable ",
                           given ? "" : (s->provider ? s->provider : &leat_i_openai)->base_env);
    if (leat_i_query_has_key(url))
        return leat_i_fail(s->error, LEAT_USAGE, "a key does not belong into the base URL, which stands in logs");
    s->is_mock = strcmp(url, MOCK_URL) == 0;
    if (s->is_mock) {
        leat_mock *mock = leat_i_runtime_room(rt, LEAT_I_ROOM_MOCK, mock_make, mock_free);
        if (!mock) return leat_i_fail(s->error, LEAT_IO, "the embedded endpoint could not be started");
        url = leat_mock_url(mock);
    }
    s->base_url = url;
    leat_err err = leat_i_url_parse(&s->url, url, why, sizeof why);
    if (err == LEAT_USAGE) return leat_i_fail(s->error, err, "the base URL is not usable: %s", why);
    if (err) return err;
    if (!s->url.https && !s->url.loopback && !s->opts->allow_http)
        return leat_i_fail(
            s->error, LEAT_USAGE,
            "%s is plain http to another machine: the key and the documents would be readable on the way (allow_http, or "
            "--allow-http, permits it)",
            s->url.origin);
    if (!s->provider) s->provider = s->is_mock ? &leat_i_openai : leat_i_provider_of(s->url.host, s->url.path);
    return LEAT_OK;
}

static leat_err setup_provider(setup *s)
{
    const char *name = s->endpoint.provider;
    s->provider = name ? leat_i_provider_named(name) : NULL;
    if (!name || s->provider) return LEAT_OK;
    return leat_i_fail(s->error, LEAT_USAGE, "there is no provider %.40s", name);
}

static bool header_is_key(const char *line)
{
    return strncasecmp(line, "Authorization:", 14) == 0 || strncasecmp(line, "api-key:", 8) == 0 ||
           strncasecmp(line, "x-api-key:", 10) == 0 || strncasecmp(line, "x-goog-api-key:", 15) == 0;
}

static bool header_is_usable(const char *line)
{
    size_t name = strcspn(line, ":");
    if (!line[name] || !name) return false;
    for (size_t i = 0; line[i]; i++) {
        unsigned char c = (unsigned char)line[i];
        if (i < name ? c <= ' ' || c >= 0x7f : (c < ' ' && c != '\t') || c == 0x7f) return false;
    }
    return true;
}

/* What says where the request ends is told by who sends it. */
static bool header_frames(const char *line)
{
    return strncasecmp(line, "Content-Length:", 15) == 0 || strncasecmp(line, "Transfer-Encoding:", 18) == 0;
}

/* The provider's header, with the key in its place. */
static bool key_header_put(setup *s)
{
    const char *form = s->provider->key_header, *place = strstr(form, "%s");
    return leat_i_buf_append(&s->key_header, form, (size_t)(place - form)) && leat_i_buf_puts(&s->key_header, s->key);
}

static leat_err setup_key(setup *s, leat_llm *llm, leat_i_llm_place *place)
{
    const leat_llm_opts *o = s->opts;
    bool has_key = false;
    if (o->header_count > HEADERS_MAX) return leat_i_fail(s->error, LEAT_USAGE, "more than %d headers", HEADERS_MAX);
    if (o->header_count > 0 && !o->headers)
        return leat_i_fail(s->error, LEAT_USAGE, "header_count is %zu, and headers is NULL", o->header_count);
    for (size_t i = 0; i < o->header_count; i++) {
        if (!header_is_usable(o->headers[i]))
            return leat_i_fail(s->error, LEAT_USAGE, "header %zu is not of the form \"Name: value\"", i + 1);
        if (header_frames(o->headers[i]))
            return leat_i_fail(s->error, LEAT_USAGE, "header %zu says where the request ends, which is told without it",
                               i + 1);
        has_key |= header_is_key(o->headers[i]);
        /* They are the same for each endpoint. */
        if (llm->place_count == 0) LEAT_TRY(leat_i_secrets_add_header(&llm->secrets, o->headers[i]));
    }
    if (s->is_mock || has_key) return LEAT_OK;
    const char *env = s->endpoint.key_env, *const *own = s->provider->key_env;
    /* OPENAI_API_KEY is by custom the key of whatever URL is set; but who names a provider does not mean to show it OpenAI's. */
    bool second = own[1] && !(s->endpoint.provider && strcmp(own[1], leat_i_openai.key_env[0]) == 0);
    if (!env) env = second && !getenv(own[0]) && getenv(own[1]) ? own[1] : own[0];
    LEAT_TRY(leat_i_key_read(&s->key, s->endpoint.key_file, env, s->error));
    const char *file = s->endpoint.key_file;
    snprintf(place->key_words, sizeof place->key_words,
             s->key ? "the key of the %s %.50s was refused" : "no key was sent (the %s %.50s is not set)",
             file ? "file" : "variable", file ? file : env);
    if (!s->key && s->url.loopback) return LEAT_OK;
    if (!s->key) return leat_i_fail(s->error, LEAT_DENIED, "no key: the variable %s is not set", env);
    LEAT_TRY(leat_i_secrets_add(&llm->secrets, s->key));
    return key_header_put(s) ? LEAT_OK : LEAT_NOMEM;
}

/* What the variables say of proxies is curl's business; that a password stands there is ours. */
static leat_err setup_proxies(leat_llm *llm)
{
    static const char *const names[] = {
        "http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"
    };
    leat_err err = LEAT_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names && !err; i++) {
        const char *proxy = getenv(names[i]);
        char *password = proxy ? leat_i_url_password(proxy) : NULL;
        if (password) err = leat_i_secrets_add(&llm->secrets, password);
        leat_i_key_free(password);
    }
    return err;
}

static int64_t or_default(int64_t value, int64_t otherwise)
{
    return value ? value : otherwise;
}

/* The files of trust are read at the first connection; here it is only seen whether they can be. */
static leat_err setup_certificates(setup *s)
{
    const leat_llm_opts *o = s->opts;
    struct stat st;
    if (o->cacert && leat_i_os_stat(o->cacert, &st) < 0)
        return leat_i_fail(s->error, LEAT_USAGE, "the file of certificates %s cannot be read", o->cacert);
    if (o->cert_key && !o->cert)
        return leat_i_fail(s->error, LEAT_USAGE, "the key %s of a certificate without the certificate", o->cert_key);
    if (!o->cert) return LEAT_OK;
    if (leat_i_os_stat(o->cert, &st) < 0)
        return leat_i_fail(s->error, LEAT_USAGE, "the certificate %s cannot be read", o->cert);
    return leat_i_key_file_check(o->cert_key ? o->cert_key : o->cert, s->error);
}

static bool setup_http2(const setup *s, leat_runtime *rt)
{
    if (s->opts->http2 != LEAT_HTTP2_ON || !s->url.https) return s->opts->http2 == LEAT_HTTP2_FORCE;
    if (leat_i_http2_is_sound()) return true;
    leat_i_runtime_log(
        rt, LEAT_LOG_WARNING,
        "this libcurl is older than 8.7, whose HTTP/2 loses requests that must be sent again: HTTP/1.1 is used");
    return false;
}

static leat_err setup_origin(setup *s, leat_llm *llm, leat_runtime *rt, leat_i_llm_place *place)
{
    const leat_llm_opts *o = s->opts;
    const char *headers[HEADERS_MAX + 2], *own = s->provider->own_header;
    size_t count = 0;
    for (size_t i = 0; i < o->header_count; i++) {
        headers[count++] = o->headers[i];
        if (own && strncasecmp(own, o->headers[i], strcspn(own, ":") + 1) == 0) own = NULL;
    }
    if (own) headers[count++] = own;
    if (s->key_header.data) headers[count++] = s->key_header.data;
    LEAT_TRY(setup_certificates(s));
    leat_i_http_origin_opts opts = {
        .base_url = s->base_url,
        .headers = headers,
        .header_count = count,
        .cacert = o->cacert,
        .cert = o->cert,
        .cert_key = o->cert_key,
        .http2 = setup_http2(s, rt),
        .connect_timeout_ms = or_default(o->connect_timeout_ms, 10000),
        .first_byte_timeout_ms = or_default(o->first_byte_timeout_ms, 120000),
        .idle_timeout_ms = or_default(o->idle_timeout_ms, 60000),
        .total_timeout_ms = or_default(o->request_timeout_ms, 600000),
        .body_bytes_max = llm->body_bytes_max,
        .buffer_bytes = RECEIVE_BYTES,
    };
    snprintf(place->name, sizeof place->name, "%s", s->url.origin);
    place->provider = s->provider;
    place->has_query = s->url.query != NULL;
    place->base_path = leat_i_strdup(s->url.path);
    if (!place->base_path) return LEAT_NOMEM;
    return leat_i_http_origin_new(&place->origin, rt, &opts);
}

static leat_llm_endpoint endpoint_at(const leat_llm_opts *o, size_t index)
{
    leat_llm_endpoint e = { o->base_url, o->key_env, o->key_file, o->provider };
    if (o->endpoint_count == 0) return e;
    const leat_llm_endpoint *given = &o->endpoints[index];
    if (given->base_url) e.base_url = given->base_url;
    if (given->provider) e.provider = given->provider;
    if (given->key_env || given->key_file) e.key_env = given->key_env, e.key_file = given->key_file;
    return e;
}

static leat_err setup_place(setup *s, leat_llm *llm, leat_runtime *rt, size_t index)
{
    s->endpoint = endpoint_at(s->opts, index);
    leat_err err = setup_provider(s);
    if (!err) err = setup_url(s, rt);
    if (!err) err = setup_key(s, llm, &llm->place[index]);
    if (!err) err = setup_origin(s, llm, rt, &llm->place[index]);
    if (err) leat_i_free(llm->place[index].base_path);
    if (!err) llm->place_count++;
    if (s->key_header.data) explicit_bzero(s->key_header.data, s->key_header.size);
    leat_i_buf_fini(&s->key_header);
    leat_i_key_free(s->key);
    leat_i_url_fini(&s->url);
    s->key = NULL;
    return err;
}

/* Which places take the same requests; and that all of them answer in one tongue, which is that of the rows. */
static leat_err setup_wire(const setup *s, leat_llm *llm, size_t index)
{
    leat_i_llm_place *place = &llm->place[index], *first = llm->place;
    if (strcmp(first->provider->tongue, place->provider->tongue) != 0)
        return leat_i_fail(s->error, LEAT_USAGE, "the endpoints answer in different forms (%s, %s): use one client each",
                           first->provider->name, place->provider->name);
    while (first->provider != place->provider || first->has_query != place->has_query ||
           strcmp(first->base_path, place->base_path) != 0)
        first++;
    place->wire_index = (uint32_t)(first - llm->place);
    return LEAT_OK;
}

static leat_err setup_places(setup *s, leat_llm *llm, leat_runtime *rt)
{
    const leat_llm_opts *o = s->opts;
    size_t count = o->endpoint_count ? o->endpoint_count : 1;
    leat_limiter_stats stats;
    leat_limiter_read(o->limiter, &stats);
    if (o->limiter ? stats.endpoint_count != count : count > 1)
        return leat_i_fail(s->error, LEAT_USAGE, "%zu endpoints need a limiter made for as many", count);
    llm->place = leat_i_alloc_zeroed(count * sizeof *llm->place);
    if (!llm->place) return LEAT_NOMEM;
    for (size_t i = 0; i < count; i++) {
        LEAT_TRY(setup_place(s, llm, rt, i));
        LEAT_TRY(setup_wire(s, llm, i));
    }
    return LEAT_OK;
}

static leat_err setup_extra(setup *s, leat_llm *llm)
{
    leat_i_buf b = { 0 };
    char why[128] = "";
    leat_err err = leat_i_request_put_extra(&b, s->opts->extra_body, NULL, why, sizeof why);
    if (!err && !b.failed) llm->extra = leat_i_strdup(b.data ? b.data : "");
    leat_i_buf_fini(&b);
    if (err) return leat_i_fail(s->error, err, "%s", why);
    return llm->extra ? LEAT_OK : LEAT_NOMEM;
}

static leat_err setup_options(setup *s, leat_llm *llm)
{
    const leat_llm_opts *o = s->opts;
    if (o->max_attempts < 0 || o->throttle_time_ms < 0 || o->connect_timeout_ms < 0 || o->first_byte_timeout_ms < 0 ||
        o->idle_timeout_ms < 0 || o->request_timeout_ms < 0)
        return leat_i_fail(s->error, LEAT_USAGE, "attempts and durations must not be negative");
    llm->limiter = o->limiter;
    llm->system = leat_i_strdup(o->system);
    llm->attempts_max = (uint32_t)or_default(o->max_attempts, DEFAULT_ATTEMPTS);
    llm->throttle_max_ms = or_default(o->throttle_time_ms, DEFAULT_THROTTLE_MS);
    llm->body_bytes_max = o->body_bytes_max ? o->body_bytes_max : DEFAULT_BODY_BYTES;
    llm->stream = o->stream;
    llm->ignore_limits = o->ignore_limits;
    uint64_t seed;
    leat_i_os_random(&seed, sizeof seed);
    leat_store_relaxed(&llm->random, seed); /* relaxed: nobody else knows the client yet. */
    return o->system && !llm->system ? LEAT_NOMEM : LEAT_OK;
}

leat_err leat_llm_new(leat_llm **out, leat_runtime *rt, const leat_llm_opts *opts, leat_error *error)
{
    static const leat_llm_opts defaults;
    setup s = { .opts = opts ? opts : &defaults, .error = error };
    if (!out) return leat_i_fail(error, LEAT_USAGE, "leat_llm_new was called without a place for the client");
    *out = NULL;
    if (!rt) return leat_i_fail(error, LEAT_USAGE, "a client needs a runtime");
    if (leat_i_runtime_is_forked(rt))
        return leat_i_fail(error, LEAT_USAGE, "the runtime is another process's: a child of fork makes its own");
    leat_llm *llm = leat_i_alloc_zeroed(sizeof *llm);
    leat_err err = llm ? LEAT_OK : LEAT_NOMEM;
    if (llm)
        llm->rt = rt, llm->forks = leat_i_fork_count(),
        leat_store_relaxed(&llm->users, 1); /* relaxed: nobody else knows the client yet */
    if (!err) err = setup_options(&s, llm);
    if (!err) err = setup_extra(&s, llm);
    if (!err) err = setup_proxies(llm);
    if (!err) err = setup_places(&s, llm, rt);
    const char *model = s.opts->model || !s.is_mock ? s.opts->model : MOCK_MODEL;
    if (!err && model && !(llm->model = leat_i_strdup(model))) err = LEAT_NOMEM;
    if (err == LEAT_NOMEM) (void)leat_i_fail(error, err, "out of memory");
    if (err)
        leat_llm_free(llm);
    else
        *out = llm;
    return err;
}

static void llm_dealloc(leat_llm *llm)
{
    for (uint32_t i = 0; i < llm->place_count; i++)
        leat_i_http_origin_free(llm->place[i].origin), leat_i_free(llm->place[i].base_path);
    leat_i_free(llm->place);
    leat_i_secrets_fini(&llm->secrets);
    leat_i_free(llm->model);
    leat_i_free(llm->system);
    leat_i_free(llm->extra);
    leat_i_free(llm);
}

void leat_i_llm_hold(leat_llm *llm)
{
    leat_add_relaxed(&llm->users, 1); /* relaxed: who begins a call knows that the client is there */
}

void leat_i_llm_leave(leat_llm *llm)
{
    /* release: what was done with it is over before it is freed; acquire: for the free here. */
    if (leat_sub_acq_rel(&llm->users, 1) == 1) llm_dealloc(llm);
}

void leat_llm_free(leat_llm *llm)
{
    if (!llm || llm->forks != leat_i_forks_now()) return; /* The loop that would be told is in another process. */
    uint32_t calls = leat_load_relaxed(&llm->users) - 1;  /* relaxed: for the sentence alone */
    if (calls > 0)
        leat_i_runtime_log(llm->rt, LEAT_LOG_WARNING,
                           "a client was freed while %u of its calls are under way; it is kept until they have ended",
                           calls);
    leat_i_llm_leave(llm);
}

/* ---- asking ---- */

leat_err leat_i_err_of_class(const leat_llm_reply *r)
{
    switch (r->cls) {
    case LEAT_CLASS_OK:
    case LEAT_CLASS_LENGTH:
        return LEAT_OK;
    case LEAT_CLASS_FILTERED:
    case LEAT_CLASS_EMPTY:
    case LEAT_CLASS_TRUNCATED:
    case LEAT_CLASS_NOT_JSON:
    case LEAT_CLASS_MALFORMED:
    case LEAT_CLASS_TOO_LARGE:
    case LEAT_CLASS_ENCODING:
        return LEAT_REPLY;
    case LEAT_CLASS_THROTTLED:
        return LEAT_LIMITED;
    case LEAT_CLASS_TIMEOUT:
        return LEAT_TIMEOUT;
    case LEAT_CLASS_AUTH:
    case LEAT_CLASS_QUOTA:
        return LEAT_DENIED;
    case LEAT_CLASS_TLS:
        return r->is_fatal ? LEAT_DENIED : LEAT_NET;
    case LEAT_CLASS_RESET:
    case LEAT_CLASS_CONNECT:
    case LEAT_CLASS_DNS:
        return LEAT_NET;
    case LEAT_CLASS_SERVER:
    case LEAT_CLASS_REDIRECT:
    case LEAT_CLASS_REJECTED:
        return LEAT_HTTP;
    case LEAT_CLASS_INPUT:
    case LEAT_CLASS_DUPLICATE:
        return LEAT_INPUT;
    case LEAT_CLASS_CANCELED:
        return LEAT_CANCELED;
    case LEAT_CLASS_USER:
        return LEAT_USER;
    case LEAT_CLASS_LOCAL:
        break;
    }
    return LEAT_IO;
}

leat_err leat_i_ask_err(leat_task *t, const leat_llm_reply *r)
{
    if (leat_i_class_is_good(r->cls)) return LEAT_OK;
    leat_err err = leat_task_fail(t, leat_i_err_of_class(r), "%s", r->message);
    if (t->error) t->error->http_status = r->http_status;
    return err;
}

leat_err leat_i_ask_body(leat_task *t, const leat_llm *llm, const char *prompt, const char **body, size_t *size)
{
    if (!llm->model) return leat_task_fail(t, LEAT_USAGE, "the client was made without a model");
    *body = leat_i_request_of_prompt(&t->arena, llm->model, llm->system, prompt, llm->extra, size);
    return *body ? LEAT_OK : LEAT_NOMEM;
}

leat_err leat_i_ask_check(leat_task *t, const leat_llm *llm, const void *text, const void *answer, const char *call)
{
    if (LEAT_UNLIKELY(!leat_i_task_is_here(t))) return leat_i_task_misused(call);
    if (LEAT_LIKELY(llm && text && answer)) return LEAT_OK;
    const char *what = !llm ? "a client" : !text ? "a text to send" : "a place for the answer";
    return leat_task_fail(t, LEAT_USAGE, "%s was called without %s", call, what);
}

leat_err leat_llm_ask(leat_task *t, leat_llm *llm, const char *prompt, const char **reply)
{
    leat_llm_reply r;
    const char *body = NULL;
    size_t size = 0;
    LEAT_TRY(leat_i_ask_check(t, llm, prompt, reply, __func__));
    LEAT_TRY(leat_i_ask_body(t, llm, prompt, &body, &size));
    LEAT_TRY(leat_i_llm_call_in_turn(t, llm, NULL, body, size, NULL, &r));
    LEAT_TRY(leat_i_ask_err(t, &r));
    *reply = r.text;
    return LEAT_OK;
}

leat_err leat_llm_askf(leat_task *t, leat_llm *llm, const void **reply, const char *fmt, ...)
{
    va_list args;
    const char *text = NULL;
    LEAT_TRY(leat_i_ask_check(t, llm, fmt, reply, __func__));
    va_start(args, fmt);
    const char *prompt = leat_i_arena_vprintf(&t->arena, fmt, args);
    va_end(args);
    if (!prompt) return LEAT_NOMEM;
    LEAT_TRY(leat_llm_ask(t, llm, prompt, &text));
    *reply = text;
    return LEAT_OK;
}

typedef struct ask {
    leat_llm *llm;
    const char *prompt;
} ask;

static leat_err ask_run(leat_task *t, void *arg, const void **result)
{
    const ask *a = arg;
    const char *text = NULL;
    LEAT_TRY(leat_llm_ask(t, a->llm, a->prompt, &text));
    *result = text;
    return LEAT_OK;
}

static leat_err ask_nomem(leat_task *t, void *arg, const void **result)
{
    (void)t, (void)arg, (void)result;
    return LEAT_NOMEM;
}

leat_future *leat_llm_start(leat_task *t, leat_llm *llm, const char *prompt)
{
    if (LEAT_UNLIKELY(!leat_i_task_is_here(t))) return leat_i_future_misused(__func__);
    ask *a = leat_task_alloc(t, sizeof *a);
    char *copy =
        prompt ? leat_i_arena_strndup(&t->arena, prompt, strlen(prompt)) : NULL; /* Its task says that it is missing. */
    if (!a || (prompt && !copy)) return leat_task_start(t, ask_nomem, NULL);
    a->llm = llm;
    a->prompt = copy;
    return leat_task_start(t, ask_run, a);
}
