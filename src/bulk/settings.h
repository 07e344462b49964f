/*
 * settings.h: OUT.leat, the small file beside an output that says what the output was made from: so that going on with another
 * template, model or input is noticed before anything is asked.
 *
 * Limits, timeouts, host and key are not in it: they may change from run to run. What the inputs held is in the rows (verify.c); here
 * are their names. Rows that were made with other settings, which takes force, stay in the output: which they are stands here,
 * too, under `earlier`, and each run tells of them (earlier.h). Written whole: temporary file, fsync, rename, fsync of the folder.
 */
#ifndef LEAT_I_BULK_SETTINGS_H
#define LEAT_I_BULK_SETTINGS_H

#include "leat/bulk.h"

#include "../base/buf.h"
#include "../base/mem.h"

struct leat_i_earlier;

typedef struct leat_i_settings {
    const char *format, *url, *model, *id_field;     /* NULL where the format does not use it */
    const char *provider;                            /* whose form the replies in the rows have; NULL = not known */
    uint64_t template_hash, system_hash, extra_hash; /* XXH3-64; 0 = not used or not set */
    bool extras;                                     /* rows have the `leat` object */
    const char **input;                              /* paths, without slashes at their ends */
    size_t input_count;
    struct leat_i_earlier *earlier; /* in the order of their rows; in the arena */
    size_t earlier_count;
} leat_i_settings;

/* Rows up to the one of this number (the first is 1), from the last one of the entry before on, were made with other settings. */
typedef struct leat_i_earlier {
    uint64_t until_row;
    bool known;               /* else OUT.leat was missing when they were taken over */
    leat_i_settings settings; /* without inputs and without an `earlier` of its own */
} leat_i_earlier;

/* What `opts` asks for. Text is borrowed from `opts`, the rest is in the arena. */
leat_err leat_i_settings_make(leat_i_settings *s, const leat_bulk_opts *opts, leat_i_arena *arena, leat_error *error);
/* Reads the file. `*found` = it is there. LEAT_MISMATCH when it is there and not readable as one. */
leat_err leat_i_settings_load(leat_i_settings *s, const char *path, leat_i_arena *arena, bool *found, leat_error *error);
/* LEAT_OK when a run with `now` may go on where one with `old` stopped; else LEAT_MISMATCH and a sentence that names the first
 * difference. */
leat_err leat_i_settings_compare(const leat_i_settings *old, const leat_i_settings *now, leat_error *error);
/* The same for what rows are made from, whatever the inputs are. */
leat_err leat_i_settings_compare_making(const leat_i_settings *old, const leat_i_settings *now, leat_error *error);
/* 1 = nothing of that name is there, or something that a run has written: of any version, and damaged too; 0 = somebody else's;
 * -errno when it cannot be known. */
int leat_i_settings_may_replace(const char *path);
bool leat_i_settings_put(leat_i_buf *b, const leat_i_settings *s); /* the bytes of OUT.leat; false: short of memory */
leat_err leat_i_settings_save(const leat_i_settings *s, const char *path, leat_error *error);

#endif
