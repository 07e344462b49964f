/* peek.c: see peek.h. */
#include "peek.h"

#include "source.h"

ssize_t leat_i_input_peek(const char *path, char *buf, size_t size)
{
    leat_i_source source = { 0 };
    int rc = leat_i_source_open(&source, path);
    if (rc < 0) return rc;
    ssize_t got = 0;
    size_t have = 0;
    while (have < size && (got = leat_i_source_read(&source, buf + have, size - have)) > 0)
        have += (size_t)got;
    leat_i_source_close(&source);
    return got < 0 ? got : (ssize_t)have;
}
