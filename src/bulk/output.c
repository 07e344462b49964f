/* output.c: see output.h. Files are compared by what they are, not by how they are called: links lead to the same place. */
#include "output.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "../base/err.h"
#include "../base/os.h"
#include "files.h"
#include "inside.h"

static const char *const OUTPUT_ENDS[] = { "", LEAT_I_OUTPUT_ENDS };
enum { OUTPUT_END_COUNT = sizeof OUTPUT_ENDS / sizeof *OUTPUT_ENDS };

/* A path, or for "-" what the program was given as `standard`. */
static bool stat_of(const char *path, int standard, struct stat *st)
{
    int rc = strcmp(path, "-") == 0 ? leat_i_os_fstat(standard, st) : leat_i_os_stat(path, st);
    return rc == 0 && S_ISREG(st->st_mode);
}

static leat_err input_check(const char *input, const char *written, leat_error *error)
{
    struct stat in, out;
    if (!stat_of(input, 0, &in) || !stat_of(written, 1, &out)) return LEAT_OK;
    if (in.st_dev != out.st_dev || in.st_ino != out.st_ino) return LEAT_OK;
    return leat_i_fail(error, LEAT_USAGE, "the rows would be written over the input %.60s: %.60s is the same file", input,
                       written);
}

leat_err leat_i_output_check(const leat_bulk_opts *opts, leat_error *error)
{
    char path[PATH_MAX];
    if (!opts->output || !opts->output[0]) return leat_i_fail(error, LEAT_USAGE, "a run needs an output");
    bool standard = strcmp(opts->output, "-") == 0;
    for (size_t i = 0; i < opts->input_count; i++) {
        for (size_t e = 0; e < (standard ? 1 : OUTPUT_END_COUNT); e++) {
            int n = snprintf(path, sizeof path, "%s%s", opts->output, OUTPUT_ENDS[e]);
            if (n > 0 && (size_t)n < sizeof path) LEAT_TRY(input_check(opts->input[i], path, error));
        }
        if (standard || opts->format != LEAT_BULK_FILES || !leat_i_path_is_inside(opts->output, opts->input[i])) continue;
        return leat_i_fail(
            error, LEAT_USAGE,
            "the output %.60s would lie inside the folder %.60s, whose files are the documents: name one elsewhere",
            opts->output, opts->input[i]);
    }
    return LEAT_OK;
}
