/* source.c: the bytes of one input; see source.h. */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <zlib.h>

#include "../base/mem.h"
#include "../base/os.h"

enum { GUNZIP_BUFFER_BYTES = 64 * 1024, GZIP_WINDOW_BITS = 15 + 16, SOURCE_POLL_MS = 100 };

struct leat_i_gunzip {
    z_stream z;
    bool member; /* in the middle of a member: the end of input here is a cut */
    bool began;  /* the first member was begun */
    unsigned char in[GUNZIP_BUFFER_BYTES];
};

static void *gunzip_alloc(void *arg, unsigned items, unsigned size)
{
    (void)arg;
    return leat_i_alloc((size_t)items * size);
}

static void gunzip_free(void *arg, void *p)
{
    (void)arg;
    leat_i_free(p);
}

/* A read that a stop can end: nobody can take a thread out of read(2), so it is entered only when there is something to read. */
static ssize_t patient_read(leat_i_source *s, void *buf, size_t size)
{
    for (;;) {
        int rc = s->stop ? leat_i_os_wait_readable(s->fd, SOURCE_POLL_MS) : 1;
        ssize_t n = rc > 0 ? leat_i_os_read(s->fd, buf, size) : rc < 0 ? rc : -EAGAIN;
        if (n != -EAGAIN || !s->stop) return n;
        if (leat_load_relaxed(s->stop)) return -ECANCELED; /* relaxed: a hint */
    }
}

/* Reads the first bytes, as many as tell what the input is. */
static int source_peek(leat_i_source *s)
{
    while (s->first_bytes < 3) {
        ssize_t n = patient_read(s, s->first + s->first_bytes, sizeof s->first - s->first_bytes);
        if (n < 0) return (int)n;
        if (n == 0) break;
        s->first_bytes += (size_t)n;
        s->bytes += (uint64_t)n;
    }
    s->gzip = s->first_bytes >= 3 && s->first[0] == 0x1f && s->first[1] == 0x8b && s->first[2] == 8;
    return 0;
}

static int gunzip_new(leat_i_source *s)
{
    struct leat_i_gunzip *g = leat_i_alloc_zeroed(sizeof *g);
    if (!g) return -ENOMEM;
    g->z.zalloc = gunzip_alloc;
    g->z.zfree = gunzip_free;
    if (inflateInit2(&g->z, GZIP_WINDOW_BITS) != Z_OK) {
        leat_i_free(g);
        return -ENOMEM;
    }
    s->gz = g;
    return 0;
}

/* Only what is no regular file can keep a reader waiting. */
static int source_look(leat_i_source *s, const LEAT_ATOMIC(bool) * stop)
{
    struct stat st;
    int rc = leat_i_os_fstat(s->fd, &st);
    if (rc == 0 && S_ISDIR(st.st_mode)) rc = -EISDIR;
    if (rc == 0 && !S_ISREG(st.st_mode)) s->stop = stop;
    if (rc == 0 && S_ISREG(st.st_mode)) s->size = st.st_size;
    return rc;
}

int leat_i_source_open_until(leat_i_source *s, const char *path, const LEAT_ATOMIC(bool) * stop)
{
    memset(s, 0, sizeof *s);
    s->standard = strcmp(path, "-") == 0;
    /* Not blocking: else the open of a named pipe would wait for a writer, where no stop could end it. */
    s->fd = s->standard ? 0 : leat_i_os_open(path, O_RDONLY | (stop ? O_NONBLOCK : 0), 0);
    if (s->fd < 0) return s->fd;
    s->open = true;
    int looked = source_look(s, stop);
    int rc = looked < 0 ? looked : source_peek(s);
    if (rc == 0 && s->gzip) rc = gunzip_new(s);
    if (rc != 0) leat_i_source_close(s);
    return rc;
}

int leat_i_source_open(leat_i_source *s, const char *path)
{
    return leat_i_source_open_until(s, path, NULL);
}

/* At the end of a file: is it where the end was when it was opened? Somebody may have begun to write it anew, and then what is missing
 * is no end. One that has grown was read to its end. */
static int end_check(const leat_i_source *s)
{
    int64_t at = s->size > 0 ? leat_i_os_position(s->fd) : 0;
    return at >= 0 && at < s->size ? -EPIPE : 0;
}

/* Bytes as they stand in the input: those read ahead first. */
static ssize_t raw_read(leat_i_source *s, void *buf, size_t size)
{
    if (s->first_at < s->first_bytes) {
        size_t n = s->first_bytes - s->first_at;
        if (n > size) n = size;
        memcpy(buf, s->first + s->first_at, n);
        s->first_at += n;
        return (ssize_t)n;
    }
    ssize_t n = patient_read(s, buf, size);
    if (n > 0) s->bytes += (uint64_t)n;
    return n == 0 ? end_check(s) : n;
}

/* 1 = input at hand, 0 = no more, -errno. */
static int gunzip_feed(leat_i_source *s)
{
    struct leat_i_gunzip *g = s->gz;
    if (g->z.avail_in > 0) return 1;
    ssize_t n = raw_read(s, g->in, sizeof g->in);
    if (n <= 0) return (int)n;
    g->z.next_in = g->in;
    g->z.avail_in = (unsigned)n;
    return 1;
}

/* Between two members: zeros are padding, anything else must be a new member. */
static void gunzip_skip_padding(struct leat_i_gunzip *g)
{
    while (g->z.avail_in > 0 && *g->z.next_in == 0) {
        g->z.next_in++;
        g->z.avail_in--;
    }
}

static ssize_t gunzip_read(leat_i_source *s, void *buf, size_t size)
{
    struct leat_i_gunzip *g = s->gz;
    g->z.next_out = buf;
    g->z.avail_out = (unsigned)(size < UINT32_MAX ? size : UINT32_MAX);
    unsigned room = g->z.avail_out;
    while (g->z.avail_out == room) {
        int rc = gunzip_feed(s);
        if (rc < 0) return rc;
        if (rc == 0) return g->member ? -ENODATA : 0;
        if (!g->member) {
            if (g->began) gunzip_skip_padding(g);
            if (g->z.avail_in == 0) continue;
            g->member = g->began = true;
        }
        rc = inflate(&g->z, Z_NO_FLUSH);
        if (rc == Z_STREAM_END) {
            g->member = false;
            (void)inflateReset(&g->z);
        } else if (rc == Z_MEM_ERROR) {
            return -ENOMEM;
        } else if (rc != Z_OK && rc != Z_BUF_ERROR) {
            return -EBADMSG;
        }
    }
    return (ssize_t)(room - g->z.avail_out);
}

ssize_t leat_i_source_read(leat_i_source *s, void *buf, size_t size)
{
    if (s->end) return 0;
    ssize_t n = s->gzip ? gunzip_read(s, buf, size) : raw_read(s, buf, size);
    if (n == 0) s->end = true;
    return n;
}

void leat_i_source_close(leat_i_source *s)
{
    if (s->gz) {
        (void)inflateEnd(&s->gz->z);
        leat_i_free(s->gz);
    }
    if (s->open && !s->standard) (void)leat_i_os_close(s->fd);
    memset(s, 0, sizeof *s);
}

const char *leat_i_source_why(int rc, char *text, size_t size)
{
    if (rc == -EPIPE) return "it became shorter while it was read";
    if (rc == -ENODATA) return "its compressed data ends early";
    if (rc == -EBADMSG) return "its compressed data is damaged";
    return leat_i_errno_text(rc, text, size);
}
