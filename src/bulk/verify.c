/*
 * verify.c: is the input still what the rows of an earlier run were made from?
 *
 * Each row carries 32 bits of its document's key and text (row.h), which the scan of the output has kept beside the key (ids.h). Here
 * the input is read up to the last document that has a row, and compared. What has no row yet may have changed, moved or grown: it
 * has not been asked.
 */
#include "run.h"

#include <fcntl.h>
#include <string.h>

#include "../base/err.h"
#include "../base/os.h"
#include "scan.h"

/* The first row that no document was met for; flag = how those met are marked. */
static leat_err unmet_find(const leat_bulk_opts *o, leat_i_ids *ids, uint32_t flag, leat_error *error)
{
    leat_i_scan scan = { 0 };
    leat_i_scan_opts opts = { .unmet = flag, .any_form = true, .stop_signal = o->stop_signal };
    int fd = leat_i_os_open(o->output, O_RDONLY | O_CLOEXEC, 0);
    char why[80];
    if (fd < 0)
        return leat_i_fail(error, LEAT_IO, "cannot read the output %.120s: %s", o->output,
                           leat_i_errno_text(fd, why, sizeof why));
    leat_err err = leat_i_scan_run(&scan, fd, o->output, &opts, ids, error);
    leat_i_scan_fini(&scan);
    (void)leat_i_os_close(fd);
    return err;
}

static leat_err documents_compare(leat_task *t, leat_i_feed *f, leat_error *error)
{
    struct leat_i_doc d = { .run = NULL };
    leat_err err = LEAT_OK;
    bool got = true;
    leat_i_doc_clear(&d);
    while (!err && !(err = leat_i_feed_next(t, f, &d, &got, error)) && got) {
        err = leat_i_doc_prepare(t, f, &d);
        err = err ? leat_i_fail(error, err, "out of memory while reading a document") : leat_i_doc_verify(f, &d, error);
        leat_i_doc_clear(&d);
    }
    leat_i_doc_clear(&d);
    return err;
}

static bool input_is_read_once(const leat_i_run *run)
{
    for (size_t i = 0; i < run->opts->input_count; i++)
        if (strcmp(run->opts->input[i], "-") == 0) return true;
    return run->feed.reader.may_block;
}

leat_err leat_i_verify(leat_task *t, leat_i_run *run, leat_error *error)
{
    leat_i_feed f;
    if (run->journal.rows == 0 || run->opts->force_resume) return LEAT_OK;
    run->feed.verify = input_is_read_once(run);
    if (run->feed.verify) return LEAT_OK;
    leat_err err = leat_i_feed_init(&f, run->opts, &run->ids, error);
    f.seen = LEAT_I_ID_MET;
    f.verify = f.only_done = true;
    f.matched_max = run->journal.rows;
    if (!err) err = documents_compare(t, &f, error);
    if (!err && f.matched < run->journal.rows) err = unmet_find(run->opts, &run->ids, LEAT_I_ID_MET, error);
    leat_i_feed_fini(&f);
    return err;
}

leat_err leat_i_verify_end(const leat_i_feed *f, const leat_i_journal *j, leat_error *error)
{
    if (!f->verify || f->matched >= j->rows) return LEAT_OK;
    return unmet_find(f->opts, f->ids, LEAT_I_ID_SEEN, error);
}
