/* endpoint_calls.c: one call, and the row of output that comes of it. */
#include "bulk/row.h"
#include "endpoint_rows.h"
#include "support_sched.h"

/* The row is written as a run would write it, and read as a run that goes on would. */
static char *row_of(const leat_llm_reply *reply)
{
    leat_doc doc = { .line = 7, .key = "its own key", .reply = *reply };
    leat_i_arena arena = { 0 };
    leat_i_row_facts facts;
    leat_i_buf b = { 0 };
    CHECK(leat_i_row_put(&b, &doc, 0, true));
    CHECK(leat_i_row_read(b.data, b.size - 1, true, &arena, &facts) == LEAT_I_ROW_GOOD);
    CHECK(strcmp(facts.key, doc.key) == 0 && strcmp(facts.cls, leat_class_name(reply->cls)) == 0);
    CHECK(facts.failed == (reply->cls != LEAT_CLASS_OK && reply->cls != LEAT_CLASS_LENGTH));
    char *line = strdup(b.data);
    leat_i_buf_fini(&b);
    leat_i_arena_fini(&arena);
    return line;
}

leat_err call_task(leat_task *t, void *arg, const void **result)
{
    one_call *c = arg;
    const char *body = c->body ? c->body : ROW_BODY;
    (void)result;
    c->err = leat_llm_call(t, c->llm, c->path ? c->path : "/v1/chat/completions", body,
                           c->body_bytes ? c->body_bytes : strlen(body), &c->reply);
    c->json = c->reply.body ? strdup(c->reply.body) : NULL;
    c->text = strdup(c->reply.text);
    c->request_id = strdup(c->reply.request_id);
    CHECK(!c->json || strlen(c->json) == c->reply.body_bytes);
    CHECK(strlen(c->text) == c->reply.text_bytes);
    c->line = c->err ? NULL : row_of(&c->reply);
    return LEAT_OK;
}

void call_run(leat_runtime *rt, one_call *c)
{
    CHECK(leat_task_run(rt, call_task, c, NULL) == LEAT_OK);
}

void call_free(one_call *c)
{
    free(c->json), free(c->text), free(c->request_id), free(c->line);
    c->json = c->text = c->request_id = c->line = NULL;
}
