/*
 * feed.c: gives documents, in the order of the input, each key once.
 *
 * Key and order are decided together, under the feed's turn: of two lines with one id the first is the document and the second the
 * error, in this run and in every later one.
 */
#include "run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "asked.h"
#include "batch_line.h"
#include "../base/clean.h"
#include "../base/err.h"

leat_err leat_i_feed_init(leat_i_feed *f, const leat_bulk_opts *opts, leat_i_ids *ids, leat_error *error)
{
    memset(f, 0, sizeof *f);
    f->opts = opts;
    f->ids = ids;
    f->seen = LEAT_I_ID_SEEN;
    f->url = opts->url ? opts->url : "/v1/chat/completions";
    if (f->url[0] != '/') return leat_i_fail(error, LEAT_USAGE, "the URL path %.80s does not start with /", f->url);
    bool may_have_id = opts->format == LEAT_BULK_LINES || opts->format == LEAT_BULK_CSV;
    if (opts->id_field && (!may_have_id || !opts->id_field[0]))
        return leat_i_fail(error, LEAT_USAGE,
                           opts->id_field[0]
                               ? "an id field (--id-field) is looked for in the formats \"lines\" and \"csv\" only"
                               : "the name of the id field (--id-field) is empty");
    if (leat_i_template_is_for(opts->format)) {
        leat_i_template_opts to = { .text = opts->template_text,
                                    .url = f->url,
                                    .model = opts->model,
                                    .system = opts->system,
                                    .extra_body = opts->extra_body };
        char why[160] = "out of memory";
        leat_err err = leat_i_template_init(&f->body, &to, why, sizeof why);
        if (err) return leat_i_fail(error, err, "%s", why);
    }
    LEAT_TRY(leat_i_reader_init(&f->reader, opts, error));
    f->reader.stop = &f->stop;
    leat_err err = f->reader.may_block ? leat_semaphore_new(&f->turn, 1) : LEAT_OK;
    return err ? leat_i_fail(error, err, "out of memory") : LEAT_OK;
}

void leat_i_feed_fini(leat_i_feed *f)
{
    leat_i_template_fini(&f->body);
    leat_i_csv_fini(&f->csv);
    leat_i_reader_fini(&f->reader);
    leat_semaphore_free(f->turn);
}

void leat_i_feed_left_out(const leat_i_feed *f, char *out, size_t size)
{
    unsigned long long links = f->reader.tree.links_left, others = f->reader.tree.others_left;
    size_t n = 0;
    out[0] = 0;
    if (links > 0)
        n = (size_t)snprintf(
            out, size, "%llu link%s to folders left out: links are followed to files only, or name the folder as an input",
            links, links == 1 ? "" : "s");
    if (others > 0 && n < size)
        snprintf(out + n, size - n,
                 "%s%llu entr%s of folders left out: neither files nor folders (broken links, pipes, devices)",
                 n > 0 ? "; " : "", others, others == 1 ? "y" : "ies");
}

/* ---- keys ---- */

static const char *line_key(struct leat_i_doc *d, uint64_t number)
{
    char key[32];
    int n = snprintf(key, sizeof key, "line-%llu", (unsigned long long)number);
    return leat_i_arena_strndup(&d->arena, key, (size_t)n);
}

/* line-<n> is the name of what has no id of its own; as an id it is taken by line n only. */
static bool key_is_reserved(const char *key, uint64_t number)
{
    char own[32];
    if (strncmp(key, "line-", 5) != 0 || key[5] == 0 || key[5 + strspn(key + 5, "0123456789")] != 0) return false;
    snprintf(own, sizeof own, "line-%llu", (unsigned long long)number);
    return strcmp(key, own) != 0;
}

/* What a message calls a piece: the line of an only input, or with the input's name. */
static void piece_name(const leat_i_feed *f, const leat_i_piece *p, char *out, size_t size)
{
    if (f->reader.files)
        snprintf(out, size, "file %.100s", p->path);
    else if (f->opts->input_count > 1)
        snprintf(out, size, "line %llu of %.80s", (unsigned long long)p->file_line, p->path);
    else
        snprintf(out, size, "line %llu", (unsigned long long)p->file_line);
}

/* Turns the document into an error row under the name of its line. */
static leat_err doc_take_line_key(struct leat_i_doc *d, const leat_i_piece *p)
{
    d->doc.key = line_key(d, p->number);
    return d->doc.key ? LEAT_OK : LEAT_NOMEM;
}

static leat_err key_mark(leat_i_feed *f, struct leat_i_doc *d, uint32_t *before)
{
    return leat_i_ids_mark(f->ids, d->doc.key, strlen(d->doc.key), f->seen, before) ? LEAT_OK : LEAT_NOMEM;
}

static leat_err retried_mark(leat_i_feed *f, const struct leat_i_doc *d)
{
    uint32_t before = 0;
    size_t size = strlen(d->doc.key);
    if (!f->retried || !leat_i_ids_flags(f->retried, d->doc.key, size)) return LEAT_OK;
    if (!leat_i_ids_mark(f->retried, d->doc.key, size, LEAT_I_ID_SEEN, &before)) return LEAT_NOMEM;
    f->retried_met += !(before & LEAT_I_ID_SEEN);
    return LEAT_OK;
}

/* Settles the key against all keys before it. *skip = it has its row from an earlier run. */
static leat_err key_settle(leat_i_feed *f, struct leat_i_doc *d, const leat_i_piece *p, bool *skip)
{
    char name[200];
    uint32_t before;
    piece_name(f, p, name, sizeof name);
    if (key_is_reserved(d->doc.key, p->number)) {
        leat_i_doc_bad(d, LEAT_CLASS_INPUT, "%s: the id %.60s is reserved for a line without an id", name, d->doc.key);
        LEAT_TRY(doc_take_line_key(d, p));
    }
    LEAT_TRY(key_mark(f, d, &before));
    if (before & f->seen) {
        leat_i_doc_bad(d, LEAT_CLASS_DUPLICATE, "%s: the id %.80s was used before", name, d->doc.key);
        LEAT_TRY(doc_take_line_key(d, p));
        LEAT_TRY(key_mark(f, d, &before));
    }
    *skip = (before & LEAT_I_ID_DONE) != 0;
    f->matched += *skip;
    return *skip ? LEAT_OK : retried_mark(f, d);
}

/* ---- pieces ---- */

static leat_err text_keep(struct leat_i_doc *d, const char *text, size_t bytes)
{
    d->text = leat_i_alloc(bytes + 1);
    if (!d->text) return LEAT_NOMEM;
    memcpy(d->text, text, bytes);
    d->text[bytes] = 0;
    d->doc.text = d->text;
    d->doc.text_bytes = bytes;
    return LEAT_OK;
}

static leat_err path_key(struct leat_i_doc *d, const leat_i_piece *p, bool with_line)
{
    size_t bytes = 0;
    const char *key = leat_i_clean_name(p->path, strlen(p->path), &d->arena, &bytes);
    if (!key) return LEAT_NOMEM;
    char end[32] = "";
    if (with_line) snprintf(end, sizeof end, ":%llu", (unsigned long long)p->file_line);
    char *copy = leat_i_arena_alloc(&d->arena, bytes + sizeof end);
    if (!copy) return LEAT_NOMEM;
    snprintf(copy, bytes + sizeof end, "%s%s", key, end);
    d->doc.key = copy;
    return LEAT_OK;
}

/* A line of JSON: key and parts, from the reader's buffer; nothing is copied for a line that is skipped. */
static leat_err json_piece(const leat_i_feed *f, struct leat_i_doc *d, const leat_i_piece *p, leat_i_batch_line *line)
{
    bool enough = true;
    if (f->opts->format == LEAT_BULK_BODY)
        leat_i_body_line_parse(p->text, p->bytes, line);
    else if (f->opts->id_field)
        enough = leat_i_document_line_parse(p->text, p->bytes, f->opts->id_field, &d->arena, line);
    else
        enough = leat_i_batch_line_parse(p->text, p->bytes, &d->arena, line);
    if (!enough) return LEAT_NOMEM;
    if (!line->url) line->url = f->url;
    d->doc.key = line->key;
    return LEAT_OK;
}

/* The header of a table: has it the columns that every row will be asked for? */
static leat_err header_read(leat_i_feed *f, leat_i_piece *p)
{
    if (p->why[0]) return LEAT_INPUT;
    LEAT_TRY(leat_i_csv_head(&f->csv, p->path, p->text, p->bytes, p->why, sizeof p->why));
    leat_i_json columns = leat_i_json_parse(f->csv.object.data, f->csv.object.size, NULL);
    const char *id = f->opts->id_field, *lacks = leat_i_template_lacks(&f->body, columns);
    bool lacks_id = id && leat_i_template_field(columns, id).type == LEAT_I_JSON_NONE;
    if (!lacks && !lacks_id) return LEAT_OK;
    snprintf(p->why, sizeof p->why, "there is no \"%.60s\", %s", lacks ? lacks : id,
             lacks ? "which the template asks for" : "which is to be the id");
    return LEAT_INPUT;
}

/* Of a table, the header is kept, and any other row becomes the JSON object that it is. */
static leat_err row_read(leat_i_feed *f, leat_i_piece *p, leat_error *error)
{
    leat_err err = LEAT_OK;
    if (p->is_head && (err = header_read(f, p)) != LEAT_OK) {
        f->csv.column_count = 0;
        snprintf(f->header_why, sizeof f->header_why, "%s", err == LEAT_NOMEM ? "out of memory" : p->why);
    }
    /* Whoever comes for the rows behind a header that was refused gets none of them either. */
    if (f->csv.column_count == 0 && err != LEAT_NOMEM)
        return leat_i_fail(error, LEAT_INPUT, "the columns of %.100s cannot be used: %s", p->path, f->header_why);
    if (!p->is_head && !p->why[0]) err = leat_i_csv_row(&f->csv, p->text, p->bytes, p->why, sizeof p->why);
    if (err == LEAT_NOMEM)
        return leat_i_fail(error, err, "out of memory at line %llu of the input", (unsigned long long)p->number);
    if (p->is_head || p->why[0]) return LEAT_OK; /* A bad row is a document with an error. */
    p->text = f->csv.object.data;
    p->bytes = f->csv.object.size;
    return LEAT_OK;
}

/* Key, or what is wrong, of one piece. */
static leat_err piece_look(const leat_i_feed *f, struct leat_i_doc *d, const leat_i_piece *p, leat_i_batch_line *line)
{
    char name[200];
    const char *why = p->why;
    bool is_json = f->opts->format == LEAT_BULK_BATCH || f->opts->format == LEAT_BULK_BODY || f->opts->id_field;
    memset(line, 0, sizeof *line);
    if (f->opts->format == LEAT_BULK_FILES) LEAT_TRY(path_key(d, p, false));
    if (leat_i_template_is_for(f->opts->format) && !f->reader.files && !is_json) LEAT_TRY(path_key(d, p, true));
    if (is_json && !why[0]) {
        LEAT_TRY(json_piece(f, d, p, line));
        why = line->why;
    }
    if (!d->doc.key) LEAT_TRY(doc_take_line_key(d, p));
    if (why[0]) {
        piece_name(f, p, name, sizeof name);
        leat_i_doc_bad(d, LEAT_CLASS_INPUT, "%s: %s", name, why);
    }
    return LEAT_OK;
}

/* Takes over what the document needs after the reader has gone on. */
static leat_err piece_keep(const leat_i_feed *f, struct leat_i_doc *d, const leat_i_piece *p, const leat_i_batch_line *line)
{
    d->doc.url = line->url ? line->url : f->url;
    /* A file's path dies with the next take; an input's is the caller's. */
    d->doc.path = f->reader.files ? leat_i_arena_strndup(&d->arena, p->path, strlen(p->path)) : p->path;
    if (!d->doc.path) return LEAT_NOMEM;
    if (!d->to_ask || !p->text) return LEAT_OK;
    LEAT_TRY(text_keep(d, p->text, p->bytes));
    if (line->body) {
        d->doc.body = d->text + (line->body - p->text);
        d->doc.body_bytes = line->body_bytes;
        d->facts = line->facts;
    }
    return LEAT_OK;
}

static leat_err piece_to_doc(leat_i_feed *f, struct leat_i_doc *d, const leat_i_piece *p, bool *skip, leat_error *error)
{
    leat_i_batch_line line;
    d->to_ask = true;
    d->doc.line = p->number;
    leat_err err = piece_look(f, d, p, &line);
    if (!err && p->text) d->text_hash = leat_i_row_text_hash(p->text, p->bytes);
    if (!err) err = key_settle(f, d, p, skip);
    if (!err && *skip && f->verify && !f->reader.files) return leat_i_doc_verify(f, d, error);
    if (!err && *skip && f->verify && d->to_ask) {
        d->is_done = true;
        *skip = false;
    } else if (f->only_done) {
        *skip = true;
    }
    if (!err && !*skip) err = piece_keep(f, d, p, &line);
    return err ? leat_i_fail(error, err, "out of memory at line %llu of the input", (unsigned long long)p->number) : LEAT_OK;
}

leat_err leat_i_doc_verify(const leat_i_feed *f, const struct leat_i_doc *d, leat_error *error)
{
    size_t size = strlen(d->doc.key);
    if (leat_i_row_fits(leat_i_ids_check(f->ids, d->doc.key, size), d->doc.key, size, d->text_hash)) return LEAT_OK;
    if (f->reader.files)
        return leat_i_fail(error, LEAT_MISMATCH, "the file %.120s was changed since its row was written", d->doc.key);
    return leat_i_fail(error, LEAT_MISMATCH, "line %llu of the input (%.80s) was changed since its row was written",
                       (unsigned long long)d->doc.line, d->doc.key);
}

/* ---- the turn ---- */

leat_err leat_i_blocking_told(leat_task *t, leat_err (*fn)(void *arg), void *arg, leat_error *error)
{
    error->code = LEAT_OK;
    leat_err err = leat_blocking(t, fn, arg);
    if (!err || error->code) return err;
    return leat_i_fail(error, err, "%s", err == LEAT_NOMEM ? "no helper thread could be started" : leat_err_sentence(err));
}

typedef struct fill_job {
    leat_i_feed *f;
    leat_error *error;
} fill_job;

static leat_err job_fill(void *arg)
{
    fill_job *job = arg;
    return leat_i_reader_fill(&job->f->reader, job->error);
}

static leat_err feed_fill(leat_task *t, leat_i_feed *f, leat_error *error)
{
    fill_job job = { .f = f, .error = error };
    return f->reader.may_block ? leat_i_blocking_told(t, job_fill, &job, error) : job_fill(&job);
}

static leat_err feed_take(leat_task *t, leat_i_feed *f, struct leat_i_doc *d, bool *got, leat_error *error)
{
    /* Written under the turn; relaxed, since the ticker only wants to know about how far it is. */
    while (!leat_load_relaxed(&f->ended) && !(f->only_done && f->matched >= f->matched_max)) {
        leat_i_piece p;
        if (f->only_done && leat_i_asked_to_stop(f->opts->stop_signal) > 0)
            return leat_i_fail(error, LEAT_CANCELED, "stopped while the input was compared with the rows");
        leat_i_take take = leat_i_reader_take(&f->reader, &p);
        leat_store_relaxed(&f->bytes_taken, leat_i_reader_bytes(&f->reader));
        if (take == LEAT_I_TAKE_END) {
            leat_store_relaxed(&f->ended, true);
            break;
        }
        if (take == LEAT_I_TAKE_MORE) {
            LEAT_TRY(feed_fill(t, f, error));
            continue;
        }
        if (f->reader.table) LEAT_TRY(row_read(f, &p, error));
        if (p.is_head) continue;
        bool skip = false;
        LEAT_TRY(piece_to_doc(f, d, &p, &skip, error));
        (void)leat_add_relaxed(&f->documents, 1);
        if (skip || d->is_done) (void)leat_add_relaxed(&f->skipped, 1);
        if (!skip) {
            *got = true;
            return LEAT_OK;
        }
        leat_i_doc_clear(d);
    }
    return LEAT_OK;
}

leat_err leat_i_feed_next(leat_task *t, leat_i_feed *f, struct leat_i_doc *d, bool *got, leat_error *error)
{
    *got = false;
    if (!f->turn) {
        leat_i_lock_take(&f->lock);
        leat_err err = feed_take(t, f, d, got, error);
        leat_i_lock_give(&f->lock);
        return err;
    }
    leat_err err = leat_semaphore_acquire(t, f->turn);
    if (err) return leat_i_fail(error, err, "stopped while waiting for the input");
    err = feed_take(t, f, d, got, error);
    leat_semaphore_release(f->turn);
    return err;
}

/* ---- how many files there are ---- */

leat_err leat_i_feed_count_files(void *feed)
{
    leat_i_feed *f = feed;
    leat_i_tree tree = { 0 };
    uint64_t count = 0;
    int rc = 1;
    for (size_t i = 0; i < f->opts->input_count && rc != -ENOMEM && !leat_load_relaxed(&f->stop); i++) {
        const char *path;
        bool standard = strcmp(f->opts->input[i], "-") == 0;
        count += standard;
        rc = standard ? 0 : leat_i_tree_start(&tree, f->opts->input[i]);
        /* What cannot be read is a document too: one with an error row. */
        while (!standard && rc != -ENOMEM && !leat_load_relaxed(&f->stop) && (rc = leat_i_tree_next(&tree, &path)) != 0)
            count++;
        leat_i_tree_fini(&tree);
    }
    if (rc != -ENOMEM && !leat_load_relaxed(&f->stop))
        leat_store_relaxed(&f->file_count, count); /* relaxed: for the ticker */
    return LEAT_OK;
}
