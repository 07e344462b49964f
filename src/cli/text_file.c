/* text_file.c: a file that must be text: UTF-8, without NUL, of a bounded size. */
#include "text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "../base/buf.h"
#include "../base/json.h"
#include "../base/os.h"

/* 0 or -errno; -EFBIG when there is more than the buffer's maximum. */
static int file_read(const char *path, leat_i_buf *b)
{
    int fd = leat_i_os_open(path, O_RDONLY, 0);
    if (fd < 0) return fd;
    ssize_t got;
    char piece[16384];
    while ((got = leat_i_os_read(fd, piece, sizeof piece)) > 0)
        if (!leat_i_buf_append(b, piece, (size_t)got)) {
            got = b->size + (size_t)got > b->max ? -EFBIG : -ENOMEM;
            break;
        }
    leat_i_os_close(fd);
    return (int)got;
}

/* The bytes are text: gives a copy, or LEAT_INPUT. */
static leat_err text_take(const leat_i_buf *b, leat_i_arena *arena, const char **text)
{
    *text = "";
    if (b->size == 0) return LEAT_OK;
    if (!leat_i_utf8_valid(b->data, b->size) || memchr(b->data, 0, b->size)) return LEAT_INPUT;
    size_t bom = b->size >= 3 && memcmp(b->data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    *text = leat_i_arena_strndup(arena, b->data + bom, b->size - bom);
    return *text ? LEAT_OK : LEAT_NOMEM;
}

leat_err leat_i_text_file_read(const char *path, leat_i_arena *arena, const char **text, char *why, size_t why_bytes)
{
    leat_i_buf b = { .max = LEAT_I_TEXT_FILE_BYTES_MAX };
    char reason[128];
    int rc = file_read(path, &b);
    leat_err err = rc == -ENOMEM ? LEAT_NOMEM : rc < 0 ? LEAT_INPUT : text_take(&b, arena, text);
    leat_i_buf_fini(&b);
    if (err == LEAT_NOMEM)
        snprintf(why, why_bytes, "out of memory while reading %s", path);
    else if (rc == -EFBIG)
        snprintf(why, why_bytes, "%s is larger than %d MiB", path, LEAT_I_TEXT_FILE_BYTES_MAX / 1024 / 1024);
    else if (rc < 0)
        snprintf(why, why_bytes, "cannot read %s: %s", path, leat_i_errno_text(rc, reason, sizeof reason));
    else if (err)
        snprintf(why, why_bytes, "%s is not UTF-8 text", path);
    return err;
}
