/* fork_macros.c: each macro that defines a fork, as a program in C or in C++ writes it; scripts/check_headers compiles it as both. */
#include <leat/fork.h>

struct point {
    double x, y;
};

LEAT_FORK_1(long, fork_one, int, n)
{
    if (n < 2) return n;
    LEAT_SPAWN(fork_one, n - 1);
    long b = LEAT_CALL(fork_one, n - 2);
    return b + LEAT_SYNC(fork_one);
}

LEAT_FORK_2(double, fork_two, const double *, a, size_t, n)
{
    if (n < 2) return n ? a[0] : 0;
    LEAT_SPAWN(fork_two, a, n / 2);
    double b = LEAT_CALL(fork_two, a + n / 2, n - n / 2);
    return b + LEAT_SYNC(fork_two);
}

LEAT_FORK_3(struct point, fork_three, struct point, p, int, n, char, c)
{
    if (n < 1) return p;
    LEAT_SPAWN(fork_three, p, n - 1, c);
    return LEAT_SYNC(fork_three);
}

LEAT_FORK_4(int, fork_four, int, a, int, b, int, c, int, d)
{
    return a + b + c + d;
}

LEAT_FORK_VOID_1(fork_void_one, int *, p)
{
    *p = 1;
}

LEAT_FORK_VOID_2(fork_void_two, int *, p, int, n)
{
    if (n > 0) {
        LEAT_SPAWN(fork_void_two, p, n - 1);
        LEAT_CALL(fork_void_one, p);
        LEAT_SYNC(fork_void_two);
    }
}

LEAT_FORK_VOID_3(fork_void_three, int *, p, int, a, int, b)
{
    *p = a + b;
}

LEAT_FORK_VOID_4(fork_void_four, int *, p, int, a, int, b, int, c)
{
    *p = a + b + c;
}

static void forks(leat_fork *f, void *arg)
{
    leat_fork_spawn(f, forks, arg);
    leat_fork_sync(f);
}

leat_err fork_macros(leat_task *t);
leat_err fork_macros(leat_task *t)
{
    struct point p = { 1, 2 };
    long n;
    double sum;
    int i;
    LEAT_TRY(fork_one_run(t, &n, 20));
    LEAT_TRY(fork_two_run(t, &sum, &p.x, 1));
    LEAT_TRY(fork_three_run(t, &p, p, 3, 'c'));
    LEAT_TRY(fork_four_run(t, &i, 1, 2, 3, 4));
    LEAT_TRY(fork_void_one_run(t, &i));
    LEAT_TRY(fork_void_two_run(t, &i, 1));
    LEAT_TRY(fork_void_three_run(t, &i, 1, 2));
    LEAT_TRY(fork_void_four_run(t, &i, 1, 2, 3));
    return leat_fork_run(t, forks, NULL);
}
