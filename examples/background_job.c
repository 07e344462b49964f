/*
 * background_job.c: a job runs on the pool while the program's own thread does what it likes: it looks at the progress, and waits
 * in the end. An event loop would watch leat_handle_fd instead.
 */
#include <leat/leat.h>

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

struct job {
    atomic_int done; /* read by the main thread while the job runs */
    char book[1024];
};

static const char *const chapters[] = {
    "The river. It comes from the hills.",   "The sluice. It lets in what is needed.", "The leat. It carries the water.",
    "The wheel. It turns once in a breath.", "The stones. They grind the corn.",
};
enum { COUNT = sizeof chapters / sizeof *chapters };

static leat_err chapters_prep(leat_task *t, void *shared, const void **prep_res)
{
    for (int i = 0; i < COUNT; i++)
        leat_items_add(t, prep_res, chapters[i]);
    return LEAT_OK;
}

static leat_err chapter_exec(leat_task *t, const void *chapter, const void **exec_res)
{
    return leat_llm_askf(t, leat_task_self(t), exec_res, "%s", (const char *)chapter);
}

/* Called for each chapter as soon as it and those before it are ready. */
static leat_err chapter_each(leat_task *t, void *shared, size_t index, const void *chapter, const void *text,
                             const leat_error *error)
{
    struct job *job = shared;
    size_t at = strlen(job->book);
    snprintf(job->book + at, sizeof job->book - at, "%zu. %s\n", index + 1, (const char *)text);
    atomic_fetch_add(&job->done, 1);
    return LEAT_OK;
}

static const leat_node_class writer = { .name = "Write", .prep = chapters_prep, .exec = chapter_exec };

int main(void)
{
    static struct job job;
    leat_error error = { 0 };
    leat_runtime *rt = NULL;
    leat_llm *llm = NULL;
    leat_handle *handle = NULL;
    leat_err err = leat_runtime_new(&rt, NULL);
    if (!err) err = leat_llm_new(&llm, rt, &(leat_llm_opts){ .base_url = "mock:" }, &error);
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(
        flow, &writer,
        &(leat_node_opts){ .batch = true, .in_flight_max = 2, .each = chapter_each, .each_in_order = true, .self = llm });
    if (!err) err = leat_flow_submit(rt, flow, &job, NULL, &handle);
    printf("The job has started; this thread is free.\n");
    for (int told = 0; !err;) {
        bool done = leat_handle_is_done(handle);
        while (told < atomic_load(&job.done))
            printf("%d of %d chapters\n", ++told, COUNT);
        if (done) break;
        (void)!leat_handle_wait(handle, 100, NULL, NULL); /* or anything else that the program has to do */
    }
    if (!err) err = leat_handle_wait(handle, -1, NULL, &error);
    if (err)
        fprintf(stderr, "%s: %s\n", leat_err_name(err), error.text);
    else
        printf("%s", job.book);
    leat_handle_free(handle);
    leat_flow_free(flow);
    leat_llm_free(llm);
    leat_runtime_free(rt);
    return err != LEAT_OK;
}
