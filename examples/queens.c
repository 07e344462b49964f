/* queens.c: fork and join: in how many ways do n queens stand on a board, none on another's row, column or diagonal? */
#include <leat/leat.h>
#include <stdio.h>

/* Rows are filled one by one; a bit is a column that is taken, straight or along a diagonal. */
LEAT_FORK_4(int64_t, place, unsigned, all, unsigned, columns, unsigned, left, unsigned, right)
{
    int64_t ways = 0;
    int forked = 0;
    if (columns == all) return 1;
    for (unsigned free = all & ~(columns | left | right); free; free &= free - 1, forked++) {
        unsigned queen = free & -free;
        LEAT_SPAWN(place, all, columns | queen, (left | queen) << 1, (right | queen) >> 1);
    }
    while (forked-- > 0)
        ways += LEAT_SYNC(place);
    return ways;
}

/* The same sum with function pointers: dearer by some nanoseconds, and without macros. */
typedef struct board {
    unsigned all, columns, left, right;
    int64_t ways;
} board;

static void place_board(leat_fork *f, void *arg)
{
    board *b = arg, next[32];
    int forked = 0;
    b->ways = b->columns == b->all;
    for (unsigned free = b->all & ~(b->columns | b->left | b->right); free; free &= free - 1, forked++) {
        unsigned queen = free & -free;
        next[forked] = (board){ b->all, b->columns | queen, (b->left | queen) << 1, (b->right | queen) >> 1, 0 };
        leat_fork_spawn(f, place_board, &next[forked]);
    }
    for (int i = 0; i < forked; i++)
        leat_fork_sync(f);
    for (int i = 0; i < forked; i++)
        b->ways += next[i].ways;
}

static leat_err count(leat_task *t, void *arg, const void **result)
{
    (void)arg, (void)result;
    for (unsigned n = 1; n <= 9; n++) {
        board b = { .all = (1u << n) - 1 };
        int64_t ways;
        LEAT_TRY(place_run(t, &ways, b.all, 0, 0, 0));
        LEAT_TRY(leat_fork_run(t, place_board, &b));
        printf("%u queens: %lld ways%s\n", n, (long long)ways, b.ways == ways ? "" : ", or not?");
    }
    return LEAT_OK;
}

int main(void)
{
    leat_runtime *rt;
    leat_error error;
    if (leat_runtime_new(&rt, NULL) != LEAT_OK) return 1;
    leat_err err = leat_task_run(rt, count, NULL, &error);
    if (err) fprintf(stderr, "%s: %s\n", leat_err_name(err), error.text);
    leat_runtime_free(rt);
    return err != LEAT_OK;
}
