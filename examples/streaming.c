/*
 * streaming.c [TOKENS_PER_S]: prints a reply as it comes; Enter stops it. The node waits for whichever ends first, the reply or the
 * line, and neither wait costs a thread.
 */
#include <leat/leat.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char question[] =
    "A leat is a channel that carries water to a mill. Somebody dug it along the slope, mile after mile, with a spade. "
    "It falls just enough for the water to run, and no more. Sheep drink from it. In winter it freezes, and then there "
    "is no bread.";

static leat_err print_piece(leat_task *t, void *arg, const char *piece)
{
    fputs(piece, stdout);
    fflush(stdout);
    return LEAT_OK;
}

static leat_err tell(leat_task *t, void *llm, const void **result)
{
    return leat_llm_stream(t, llm, question, print_piece, NULL, NULL);
}

static leat_err wait_for_enter(leat_task *t, void *arg, const void **result)
{
    const char *line;
    LEAT_TRY(leat_fd_read_line(t, STDIN_FILENO, &line));
    *result = line; /* NULL at the end of the input: nobody is there to stop it */
    return LEAT_OK;
}

static leat_err tell_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    leat_future *f[] = { leat_task_start(t, tell, leat_task_self(t)), leat_task_start(t, wait_for_enter, NULL) };
    const void *line = NULL;
    size_t first;
    LEAT_TRY(leat_await_any(t, f, 2, &first));
    if (first == 1 && leat_await(t, f[1], &line) == LEAT_OK && line) leat_future_cancel(f[0]);
    leat_err err = leat_await(t, f[0], NULL);
    *exec_res = err == LEAT_CANCELED ? "stopped" : "complete";
    return line ? LEAT_OK : err;
} /* What still waits is canceled and joined here. */

static leat_err tell_post(leat_task *t, void *shared, const void *prep_res, const void *how, const char **action)
{
    printf("\n[%s]\n", (const char *)how);
    return LEAT_OK;
}

static const leat_node_class teller = { .name = "Tell", .exec = tell_exec, .post = tell_post };

int main(int argc, char **argv)
{
    leat_runtime *rt = NULL;
    leat_mock *mock = NULL; /* the embedded endpoint, but no faster than a person reads */
    leat_llm *llm = NULL;
    leat_error error = { 0 };
    leat_err err = leat_runtime_new(&rt, NULL);
    if (!err) err = leat_mock_new(&mock, &(leat_mock_opts){ .tokens_per_s = argc > 1 ? atof(argv[1]) : 30 }, &error);
    if (!err)
        err = leat_llm_new(&llm, rt, &(leat_llm_opts){ .base_url = leat_mock_url(mock), .model = "leat-extract" }, &error);
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &teller, &(leat_node_opts){ .self = llm });
    if (!err) err = leat_flow_run(rt, flow, NULL, &(leat_run_opts){ .error = &error });
    if (err) fprintf(stderr, "%s: %s\n", leat_err_name(err), error.text);
    leat_flow_free(flow);
    leat_llm_free(llm);
    leat_mock_free(mock);
    leat_runtime_free(rt);
    return err != LEAT_OK;
}
