/*
 * live.c: a reply handed over piece by piece while it arrives.
 *
 * The call is a child task. The loop's thread appends the text it hears to `text`, escaped as it came, and wakes the caller's task,
 * which takes all there is, unescapes it and hands it over. `live` stands on the caller's stack; the child is joined before it goes.
 *
 * Exactly once: each byte of text is handed over by the caller's task, in order; `ended` is set by the child's body as its last
 * touch of `live`. Once text was heard, no further attempt is made: it cannot be taken back.
 */
#include "setup.h"

#include <string.h>

#include "../base/json.h"
#include "../base/lock.h"
#include "turn.h"

struct live {
    leat_llm *llm;
    const char *prompt;
    leat_i_waiter *reader;
    leat_i_lock lock; /* guards the rest */
    leat_i_buf text;  /* a quote, and what was heard and not handed over yet */
    bool heard, failed, ended;
};

/* ---- the child, and the loop's thread on its behalf ---- */

static void live_heard(void *arg, const char *escaped, size_t size)
{
    struct live *l = arg;
    leat_i_waiter *reader = l->reader;
    leat_i_lock_take(&l->lock);
    l->heard = true;
    if ((!l->text.size && !leat_i_buf_puts(&l->text, "\"")) || !leat_i_buf_append(&l->text, escaped, size)) l->failed = true;
    leat_i_lock_give(&l->lock);
    leat_i_unpark(reader);
}

static bool live_is_final(void *arg)
{
    struct live *l = arg;
    leat_i_lock_take(&l->lock);
    bool heard = l->heard;
    leat_i_lock_give(&l->lock);
    return heard;
}

static leat_err live_call(leat_task *t, struct live *l, const void **result)
{
    leat_i_llm_turn turn = { .arg = l, .heard = live_heard, .is_final = live_is_final };
    leat_llm_reply r;
    const char *body = NULL;
    size_t size = 0;
    LEAT_TRY(leat_i_ask_body(t, l->llm, l->prompt, &body, &size));
    LEAT_TRY(leat_i_llm_call_in_turn(t, l->llm, NULL, body, size, &turn, &r));
    *result = r.text;
    return leat_i_ask_err(t, &r);
}

static leat_err live_main(leat_task *t, void *arg, const void **result)
{
    struct live *l = arg;
    leat_i_waiter *reader = l->reader;
    leat_err err = live_call(t, l, result);
    leat_i_lock_take(&l->lock);
    l->ended = true;
    leat_i_lock_give(&l->lock);
    leat_i_unpark(reader);
    return err;
}

/* ---- the caller ---- */

/* Bytes at the end that wait for what comes next: half of a character that is escaped as two. */
static size_t open_end_bytes(const leat_i_buf *b)
{
    if (b->size < 7) return 0;
    const char *p = b->data + b->size - 6;
    if (p[0] != '\\' || p[1] != 'u' || (p[2] | 0x20) != 'd' || !strchr("89abAB", p[3])) return 0;
    size_t slashes = 1;
    while (p - slashes >= b->data && p[-(ptrdiff_t)slashes] == '\\')
        slashes++;
    return slashes % 2 ? 6 : 0; /* An even number: a backslash, and the letters behind it. */
}

/* Takes what was heard; *end = nothing more will come. */
static leat_i_buf live_take_text(struct live *l, bool child_done, bool *end)
{
    leat_i_lock_take(&l->lock);
    leat_i_buf taken = l->text;
    l->text = (leat_i_buf){ 0 };
    *end = l->ended || child_done;
    size_t keep = taken.size && !*end ? open_end_bytes(&taken) : 0;
    if (keep > 0) {
        taken.size -= keep;
        if (!leat_i_buf_puts(&l->text, "\"") || !leat_i_buf_append(&l->text, taken.data + taken.size, keep))
            l->failed = true;
    }
    leat_i_lock_give(&l->lock);
    return taken;
}

typedef leat_err (*piece_fn)(leat_task *t, void *arg, const char *piece);

static leat_err piece_give(leat_task *t, const leat_i_buf *taken, piece_fn on_piece, void *arg)
{
    leat_i_arena scratch = { 0 };
    /* The bytes from the quote on, as a string whose closing quote is the buffer's NUL. */
    leat_i_json string = { .type = LEAT_I_JSON_STRING, .escaped = true, .at = taken->data, .size = taken->size + 1 };
    const char *text = leat_i_json_text(string, &scratch, NULL);
    leat_err err = text ? on_piece(t, arg, text) : LEAT_NOMEM;
    leat_i_arena_fini(&scratch);
    return err;
}

static leat_err live_read(leat_task *t, struct live *l, leat_future *child, piece_fn on_piece, void *arg)
{
    for (bool end = false; !end;) {
        leat_i_buf taken = live_take_text(l, leat_future_is_done(child), &end);
        leat_err err = LEAT_OK;
        if (taken.size > 1)
            err = piece_give(t, &taken, on_piece, arg);
        else if (!end)
            err = leat_i_park(t, LEAT_I_NEVER_NS);
        leat_i_buf_fini(&taken);
        LEAT_TRY(err);
    }
    return LEAT_OK;
}

leat_err leat_llm_stream(leat_task *t, leat_llm *llm, const char *prompt, piece_fn on_piece, void *arg, const char **reply)
{
    LEAT_TRY(leat_i_ask_check(t, llm, prompt, on_piece, __func__));
    struct live l = { .llm = llm, .prompt = prompt, .reader = leat_i_task_waiter(t) };
    const void *text = NULL;
    leat_future *child = leat_task_start(t, live_main, &l);
    leat_err err = live_read(t, &l, child, on_piece, arg);
    if (err != LEAT_OK) {
        leat_future_cancel(child);
        (void)leat_i_await_shielded(t, child);
    } else {
        err = leat_await(t, child, &text);
    }
    leat_i_buf_fini(&l.text);
    if (err == LEAT_CANCELED && leat_i_task_check(t) == LEAT_TIMEOUT)
        err = LEAT_TIMEOUT; /* The child inherits it as a cancel. */
    if (err == LEAT_OK && l.failed) err = LEAT_NOMEM;
    if (err == LEAT_OK && !l.heard && *(const char *)text)
        err = on_piece(t, arg, text); /* It came in one piece after all. */
    if (err == LEAT_OK && reply) *reply = text;
    return err;
}
