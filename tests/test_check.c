/* test_check.c: a broken promise of leat's own says where it was broken, and aborts; and the list of errors is whole. */
#include "support_base.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "leat/base.h"

static void break_assert(void)
{
    LEAT_ASSERT(1 + 1 == 3);
}

static void break_never(void)
{
    if (LEAT_NEVER(2 > 1)) _exit(0);
}

static void break_bug(void)
{
    LEAT_BUG("the reason");
}

/* Runs `fn` in a child, and gives what it said before it aborted. */
static void assert_aborts(void (*fn)(void), const char *words)
{
    char said[512] = "";
    int pipe_fd[2], status;
    assert_int_equal(pipe(pipe_fd), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(pipe_fd[1], 2);
        fn();
        _exit(0);
    }
    close(pipe_fd[1]);
    for (size_t at = 0; at < sizeof said - 1;) {
        ssize_t n = read(pipe_fd[0], said + at, sizeof said - 1 - at);
        if (n <= 0) break;
        at += (size_t)n;
    }
    close(pipe_fd[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(said, "leat: bug at "));
    assert_non_null(strstr(said, "test_check.c:"));
    assert_non_null(strstr(said, words));
}

static void broken_promises_abort(void **state)
{
    (void)state;
    assert_aborts(break_assert, "1 + 1 == 3");
    assert_aborts(break_never, "2 > 1");
    assert_aborts(break_bug, "the reason");
    LEAT_ASSERT(1 + 1 == 2);
    assert_false(LEAT_NEVER(1 > 2));
}

static void errors_have_names_and_sentences(void **state)
{
    (void)state;
    assert_int_equal(LEAT_OK, 0);
    assert_string_equal(leat_err_name(LEAT_OK), "OK");
    assert_string_equal(leat_err_name(LEAT_STOPPED), "STOPPED");
    assert_string_equal(leat_err_sentence(LEAT_TIMEOUT), "deadline passed");
    assert_true(leat_err_is_retryable(LEAT_NET));
    assert_false(leat_err_is_retryable(LEAT_NOMEM));
    for (int code = LEAT_OK; code <= LEAT_STOPPED; code++) {
        assert_string_not_equal(leat_err_name((leat_err)code), "UNKNOWN");
        assert_true(strlen(leat_err_sentence((leat_err)code)) > 3);
    }
    static const int strange[] = { LEAT_STOPPED + 1, 1000000, -1 };
    for (size_t i = 0; i < sizeof strange / sizeof strange[0]; i++) {
        leat_err code;
        memcpy(&code, &strange[i], sizeof code); /* what a caller with a wild value would hand in */
        assert_string_equal(leat_err_name(code), "UNKNOWN");
        assert_false(leat_err_is_retryable(code));
        assert_non_null(leat_err_sentence(code));
    }
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", LEAT_VERSION_MAJOR, LEAT_VERSION_MINOR, LEAT_VERSION_PATCH);
    assert_string_equal(leat_version(), version);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_promises_abort),
        cmocka_unit_test(errors_have_names_and_sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
