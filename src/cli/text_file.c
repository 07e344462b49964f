/* text_file.c: a file that must be text: UTF-8, without NUL, of a bounded size. */
#include "text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "../base/buf.h"
#include "../base/json.h"
#include "../base/os.h"
#include "../bulk/fail.h"

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

const char *leat_i_text_file_read(const char *path, leat_i_arena *arena, char *why, size_t why_bytes)
{
    leat_i_buf b = { .max = LEAT_I_TEXT_FILE_BYTES_MAX };
    const char *text = NULL;
    char reason[128];
    int rc = file_read(path, &b);
    if (rc == -EFBIG)
        snprintf(why, why_bytes, "%s is larger than %d MiB", path, LEAT_I_TEXT_FILE_BYTES_MAX / 1024 / 1024);
    else if (rc < 0)
        snprintf(why, why_bytes, "cannot read %s: %s", path, leat_i_errno_text(rc, reason, sizeof reason));
    else if (b.size && (!leat_i_utf8_valid(b.data, b.size) || memchr(b.data, 0, b.size)))
        snprintf(why, why_bytes, "%s is not UTF-8 text", path);
    else {
        size_t bom = b.size >= 3 && memcmp(b.data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
        text = leat_i_arena_strndup(arena, b.size ? b.data + bom : "", b.size - bom);
        if (!text) snprintf(why, why_bytes, "out of memory");
    }
    leat_i_buf_fini(&b);
    return text;
}
