/*
 * branching.c: branches, a loop and a flow in a flow. A draft is written and reviewed until the reviewer is content, at most
 * three times; then it is published or thrown away. The drawing at the end can be pasted into any Mermaid viewer.
 */
#include <leat/leat.h>

#include <stdio.h>
#include <stdlib.h>

struct store {
    int topic_size; /* how many drafts the topic takes */
    int draft;
};

static leat_err write_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    struct store *s = shared;
    printf("  writing draft %d\n", ++s->draft);
    return LEAT_OK; /* no action: "default" */
}

static leat_err review_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    const struct store *s = shared;
    if (s->draft >= s->topic_size)
        *action = "approve";
    else
        *action = s->draft < 3 ? "revise" : "reject";
    printf("  review: %s\n", *action);
    return LEAT_OK;
}

static leat_err say_post(leat_task *t, void *shared, const void *prep_res, const void *exec_res, const char **action)
{
    printf("  %s\n", (const char *)leat_task_self(t)); /* the same class twice: what differs hangs off the options */
    return LEAT_OK;
}

static const leat_node_class writer = { .name = "Write", .post = write_post };
static const leat_node_class reviewer = { .name = "Review", .post = review_post };
static const leat_node_class publisher = { .name = "Publish", .post = say_post };
static const leat_node_class bin = { .name = "Bin", .post = say_post };

static leat_flow *editing_new(void)
{
    static char published[] = "published", thrown[] = "thrown away";
    leat_flow *draft = leat_flow_new(&(leat_flow_opts){ .name = "Draft" });
    leat_node *write = leat_flow_add(draft, &writer, NULL); /* the first node is the start */
    leat_node *review = leat_flow_add(draft, &reviewer, NULL);
    leat_flow_link(write, NULL, review);
    leat_flow_link(review, "revise", write);
    leat_flow *editing = leat_flow_new(&(leat_flow_opts){ .name = "Editing" });
    leat_node *drafting = leat_flow_add_flow(editing, draft); /* "approve" and "reject" lead out of it */
    leat_flow_link(drafting, "approve", leat_flow_add(editing, &publisher, &(leat_node_opts){ .self = published }));
    leat_flow_link(drafting, "reject", leat_flow_add(editing, &bin, &(leat_node_opts){ .self = thrown }));
    return editing;
}

int main(void)
{
    leat_error error = { 0 };
    leat_runtime *rt = NULL;
    if (leat_runtime_new(&rt, NULL) != LEAT_OK) return 1;
    leat_flow *editing = editing_new();
    leat_err err = LEAT_OK;
    for (int size = 1; size <= 4 && err == LEAT_OK; size++) {
        struct store store = { .topic_size = size };
        printf("a topic of size %d\n", size);
        err = leat_flow_run(rt, editing, &store, &(leat_run_opts){ .error = &error });
    }
    if (err) fprintf(stderr, "%s: %s\n", leat_err_name(err), error.text);
    char *drawing = leat_flow_mermaid(editing);
    if (drawing) fputs(drawing, stdout);
    free(drawing);
    leat_flow_free(editing);
    leat_runtime_free(rt);
    return err != LEAT_OK;
}
