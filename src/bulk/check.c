/* check.c: leat_bulk_check_input: reads the input as a run would, and asks nothing. */
#include "run.h"

#include <stdio.h>
#include <string.h>

#include "../base/err.h"
#include "../base/json.h"
#include "../llm/provider.h"
#include "../net/url.h"

/* Tokens of a request body, roughly: what the limiter would guess before it has learned. */
enum { CHECK_BYTES_PER_TOKEN = 4 };

typedef struct checker {
    const leat_bulk_opts *opts;
    leat_bulk_check *check;
    void (*bad)(void *arg, uint64_t line, const char *why);
    void *bad_arg;
    leat_error *error;
    leat_i_ids ids;
    leat_i_feed feed;
    leat_i_journal journal;
    const leat_i_provider *provider; /* NULL = nothing is translated for it */
    leat_i_url base;                 /* zeros = not known */
} checker;

static leat_err job_look(void *arg)
{
    checker *c = arg;
    leat_i_arena arena = { 0 };
    leat_i_settings now;
    if (!c->opts->output) return LEAT_OK;
    leat_err err = leat_i_settings_make(&now, c->opts, &arena, c->error);
    if (!err) err = leat_i_journal_look(&c->journal, c->opts, &now, &c->ids, c->error);
    leat_i_arena_fini(&arena);
    return err;
}

/* The member that a path's requests cannot do without; NULL = not known. */
static const char *member_of_path(const char *path)
{
    static const struct {
        const char *end, *member;
    } KNOWN[] = { { "/chat/completions", "messages" },
                  { "/completions", "prompt" },
                  { "/embeddings", "input" },
                  { "/messages", "messages" },
                  { ":generateContent", "contents" } };
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++)
        if (leat_i_path_ends(path, KNOWN[i].end)) return KNOWN[i].member;
    return NULL;
}

static void document_name(const checker *c, const struct leat_i_doc *d, char name[128])
{
    if (c->opts->input_count > 1)
        snprintf(name, 128, "id %.100s", d->doc.key);
    else
        snprintf(name, 128, "line %llu", (unsigned long long)d->doc.line);
}

/* A body for another path than its own: the endpoint's business in a run, but the user's slip. */
static void document_doubt(checker *c, const struct leat_i_doc *d)
{
    char why[256], name[128];
    const char *member = member_of_path(d->doc.url);
    bool own_body = c->opts->format == LEAT_BULK_BATCH || c->opts->format == LEAT_BULK_BODY;
    if (!own_body || !member) return;
    leat_i_json body = leat_i_json_parse(d->doc.body, d->doc.body_bytes, NULL);
    if (leat_i_json_get(body, member).type != LEAT_I_JSON_NONE) return;
    c->check->doubtful++;
    document_name(c, d, name);
    snprintf(why, sizeof why, "%s: doubtful: %.60s takes \"%s\", and the body has none", name, d->doc.url, member);
    if (c->bad) c->bad(c->bad_arg, d->doc.line, why);
}

/* What a run would refuse before it asks: the provider has no counterpart for it. */
static bool document_is_refused(checker *c, const struct leat_i_doc *d)
{
    leat_i_arena arena = { 0 };
    leat_i_making m = { .arena = &arena };
    leat_i_wire wire = { .path = NULL };
    leat_i_asked asked = { .path = d->doc.url, .body = d->doc.body, .body_bytes = d->doc.body_bytes };
    asked.base_path = c->base.path ? c->base.path : "";
    asked.has_query = c->base.query != NULL;
    bool refused = c->provider && c->provider->make(&wire, &asked, &m) == LEAT_INPUT;
    if (refused && c->bad) {
        char why[320], name[128];
        document_name(c, d, name);
        snprintf(why, sizeof why, "%s: %s", name, m.why);
        c->bad(c->bad_arg, d->doc.line, why);
    }
    leat_i_arena_fini(&arena);
    c->check->bad_lines += refused;
    return refused;
}

static void document_count(checker *c, const struct leat_i_doc *d)
{
    leat_bulk_check *k = c->check;
    if (d->to_ask && document_is_refused(c, d)) return;
    if (d->to_ask) {
        document_doubt(c, d);
        k->tokens_in_estimate += (double)d->doc.body_bytes / CHECK_BYTES_PER_TOKEN;
        return;
    }
    if (d->doc.reply.cls == LEAT_CLASS_DUPLICATE)
        k->duplicate_ids++;
    else
        k->bad_lines++;
    if (c->bad) c->bad(c->bad_arg, d->doc.line, d->doc.reply.message);
}

static leat_err documents_read(leat_task *t, checker *c)
{
    struct leat_i_doc d = { .run = NULL };
    leat_err err;
    bool got;
    leat_i_doc_clear(&d);
    while (!(err = leat_i_feed_next(t, &c->feed, &d, &got, c->error)) && got) {
        err = leat_i_doc_prepare(t, &c->feed, &d);
        err = err         ? leat_i_fail(c->error, err, "out of memory while reading a document")
              : d.is_done ? leat_i_doc_verify(&c->feed, &d, c->error)
                          : LEAT_OK;
        if (err) break;
        if (!d.is_done) document_count(c, &d);
        leat_i_doc_clear(&d);
    }
    leat_i_doc_clear(&d);
    if (!err) err = leat_i_verify_end(&c->feed, &c->journal, c->error);
    char left_out[256];
    leat_i_feed_left_out(&c->feed, left_out, sizeof left_out);
    if (!err && left_out[0]) leat_i_runtime_log(t->rt, LEAT_LOG_WARNING, "%s", left_out);
    c->check->documents = leat_load_relaxed(&c->feed.documents);
    c->check->bytes = leat_load_relaxed(&c->feed.bytes_taken);
    return err;
}

static leat_err check_task(leat_task *t, void *arg, const void **result)
{
    checker *c = arg;
    (void)result;
    leat_err err = leat_i_feed_init(&c->feed, c->opts, &c->ids, c->error);
    if (!err) err = leat_i_blocking_told(t, job_look, c, c->error);
    if (c->journal.earlier[0]) leat_i_runtime_log(t->rt, LEAT_LOG_WARNING, "%s", c->journal.earlier);
    c->check->rows_done = c->journal.rows;
    c->check->rows_failed = c->journal.rows_failed;
    c->feed.verify = c->journal.rows > 0 && !c->opts->force_resume;
    if (!err) err = documents_read(t, c);
    leat_i_feed_fini(&c->feed);
    leat_i_ids_fini(&c->ids);
    return err;
}

leat_err leat_bulk_check_input(leat_runtime *rt, const leat_bulk_opts *opts, leat_bulk_check *check,
                               void (*bad)(void *arg, uint64_t line, const char *why), void *arg, leat_error *error)
{
    leat_error told = { .code = LEAT_OK }, end = { .code = LEAT_OK };
    leat_bulk_check unused;
    if (!check) check = &unused;
    memset(check, 0, sizeof *check);
    if (!rt || !opts || (unsigned)opts->format > LEAT_BULK_CSV)
        return leat_i_fail(error, LEAT_USAGE, "a check needs a runtime and options");
    checker *c = leat_i_alloc_zeroed(sizeof *c);
    if (!c) return leat_i_fail(error, LEAT_NOMEM, "out of memory");
    *c = (checker){ .opts = opts, .check = check, .bad = bad, .bad_arg = arg, .error = &told };
    if (opts->provider) c->provider = leat_i_provider_named(opts->provider);
    char why[96]; /* A base URL that cannot be read is refused by whoever makes the client. */
    if (opts->base_url && leat_i_url_parse(&c->base, opts->base_url, why, sizeof why)) c->base = (leat_i_url){ 0 };
    leat_err err = leat_task_run(rt, check_task, c, &end);
    if (err && error) *error = told.code ? told : end;
    if (err && error && !error->text[0]) (void)leat_i_fail(error, err, "%s", leat_err_sentence(err));
    leat_i_url_fini(&c->base);
    leat_i_free(c);
    return err;
}
