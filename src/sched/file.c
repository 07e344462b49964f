/* file.c: reading a whole file for a task, on a helper thread. */
#include "leat/io.h"

#include "runtime.h"

#include "../base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define PIECE_BYTES ((size_t)64 << 10)

struct job {
    const char *path;
    leat_i_buf text;
    int rc; /* 0 or an errno */
};

static leat_err file_read(void *arg)
{
    struct job *j = arg;
    int fd = leat_i_os_open(j->path, O_RDONLY, 0);
    ssize_t n = fd < 0 ? fd : 1;
    while (n > 0) {
        /* As much as there is room for, one byte past the limit at most: that tells a file which is too long. */
        size_t left = j->text.max - j->text.size, want = left < PIECE_BYTES ? left : PIECE_BYTES;
        char *at = want > 0 ? leat_i_buf_grow(&j->text, want) : NULL;
        if (!at) break;
        n = leat_i_os_read(fd, at, want);
        if (n > 0) j->text.size += (size_t)n;
    }
    if (fd >= 0) leat_i_os_close(fd);
    j->rc = n < 0 ? (int)-n : 0;
    return j->text.failed ? LEAT_NOMEM : LEAT_OK;
}

leat_err leat_file_read(leat_task *t, const char *path, const char **text, size_t *text_bytes)
{
    struct job j = { .path = path, .text.max = LEAT_FILE_BYTES_MAX + 1 };
    char why[128];
    if (!path || !text) return LEAT_USAGE;
    LEAT_I_TASK_TRY(t);
    leat_err err = leat_blocking(t, file_read, &j);
    const char *copy = NULL;
    if (err == LEAT_OK && j.rc != 0)
        err = leat_task_fail(t, LEAT_IO, "%s: %s", path, leat_i_errno_text(j.rc, why, sizeof why));
    if (err == LEAT_OK && j.text.size > LEAT_FILE_BYTES_MAX)
        err = leat_task_fail(t, LEAT_INPUT, "%s: more than %zu bytes", path, LEAT_FILE_BYTES_MAX);
    if (err == LEAT_OK) {
        copy = leat_i_arena_strndup(&t->arena, j.text.data ? j.text.data : "", j.text.size);
        if (!copy) err = LEAT_NOMEM;
    }
    if (err == LEAT_OK) {
        *text = copy;
        if (text_bytes) *text_bytes = j.text.size;
    }
    leat_i_buf_fini(&j.text);
    return err;
}
