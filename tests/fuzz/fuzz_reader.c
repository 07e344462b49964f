/*
 * fuzz_reader.c: the reader of lines and of a table's rows, packed or not, and the reader of an output file. The lines are those that
 * a few lines of plain C find, and each has the number that counting gives; an output of any bytes is read or refused, and every byte of it is accounted for.
 */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "bulk/reader.h"
#include "bulk/scan.h"

enum { LINE_MAX_BYTES = 40 };

typedef struct lines { /* of the plain text, as they are meant to be read */
    const char *at, *end;
    bool table;
    uint64_t ends; /* line ends up to `at` */
    uint64_t number;
} lines;

static const char *end_next(const lines *l)
{
    leat_i_csv_scan scan = { 0 };
    size_t size = (size_t)(l->end - l->at);
    return l->table ? leat_i_csv_row_end(&scan, l->at, size, ',') : memchr(l->at, '\n', size);
}

/* The next line that holds more than white space, or too much of it; *size is without its end. NULL = no more. */
static const char *line_next(lines *l, size_t *size)
{
    while (l->at < l->end) {
        const char *line = l->at, *lf = end_next(l);
        const char *end = lf ? lf : l->end;
        l->at = lf ? lf + 1 : l->end;
        l->number = l->ends + 1;
        for (const char *p = line; p < l->at; p++)
            l->ends += *p == '\n';
        if (end > line && end[-1] == '\r') end--;
        *size = (size_t)(end - line);
        if (*size > LINE_MAX_BYTES) return line;
        for (const char *p = line; p < end; p++)
            if (!strchr(" \t\r", *p) || !*p) return line;
    }
    return NULL;
}

static void read_lines(const char *path, const char *text, size_t size, bool packed, leat_bulk_format format)
{
    leat_bulk_opts opts = { .input = &path, .input_count = 1, .format = format, .line_bytes_max = LINE_MAX_BYTES };
    leat_i_reader r;
    leat_i_piece p;
    leat_error error;
    lines expected = { .at = text, .end = text + size, .table = format == LEAT_BULK_CSV };
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) expected.at += 3;
    leat_err err = leat_i_reader_init(&r, &opts, &error);
    leat_i_take take = LEAT_I_TAKE_MORE;
    while (!err && (take = leat_i_reader_take(&r, &p)) != LEAT_I_TAKE_END) {
        if (take == LEAT_I_TAKE_MORE) {
            err = leat_i_reader_fill(&r, &error);
            continue;
        }
        size_t bytes = 0;
        const char *line = packed ? p.text : line_next(&expected, &bytes);
        HOLDS(packed || (p.number == expected.number && p.file_line == expected.number));
        if (p.text)
            HOLDS(line && p.bytes <= LINE_MAX_BYTES && (packed || (bytes == p.bytes && memcmp(line, p.text, bytes) == 0)));
        else
            HOLDS(p.why[0] && (packed || bytes > LINE_MAX_BYTES));
    }
    size_t left;
    if (!packed) HOLDS(!err && !line_next(&expected, &left));
    leat_i_reader_fini(&r);
}

static void scan_rows(const char *path, int fd, size_t size, uint8_t how)
{
    leat_i_scan scan = { 0 };
    leat_i_ids ids = { 0 };
    leat_error error = { .code = LEAT_OK };
    leat_i_scan_opts opts = {
        .extras = how & 1, .any_form = how & 2, .drop_bad = how & 4, .retry_failed = how & 8 ? "" : NULL
    };
    HOLDS(lseek(fd, 0, SEEK_SET) == 0);
    leat_err err = leat_i_scan_run(&scan, fd, path, &opts, &ids, &error);
    HOLDS(err == LEAT_OK || (err == LEAT_MISMATCH && (!opts.drop_bad || scan.foreign)));
    if (err == LEAT_OK) {
        HOLDS((size_t)(scan.bytes + scan.torn_bytes) == size);
        HOLDS(scan.failed <= scan.rows && leat_i_ids_count(&ids) <= scan.rows);
    }
    leat_i_scan_fini(&scan);
    leat_i_ids_fini(&ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[64];
    if (fd < 0) {
        fd = memfd_create("fuzz", 0);
        HOLDS(fd >= 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    fuzz_bytes in = { data, size };
    uint8_t how = fuzz_byte(&in);
    HOLDS(ftruncate(fd, 0) == 0 && pwrite(fd, in.at, in.size, 0) == (ssize_t)in.size);
    bool packed = in.size >= 2 && in.at[0] == 0x1f && in.at[1] == 0x8b;
    read_lines(path, (const char *)in.at, in.size, packed, LEAT_BULK_LINES);
    read_lines(path, (const char *)in.at, in.size, packed, LEAT_BULK_CSV);
    scan_rows(path, fd, in.size, how);
    return 0;
}
