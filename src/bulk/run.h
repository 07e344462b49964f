/*
 * run.h: a whole job while it runs: what the carriers, the reader's turn, the stop rules and the progress share.
 *
 * The tasks of a run:
 *   root      opens and closes everything, starts carriers, polls the user's stop signal, ends the others
 *   carrier   takes a document, walks the flow with it, hands its row to the writer, takes the next; as many as there are slots,
 *             up to twice that while documents wait to try again
 *   ticker    draws the progress; syncer: fsync now and then (LEAT_BULK_SYNC_GROUP)
 *
 * What happens exactly once: a document is taken by one carrier, under the feed's turn, and its key is marked there; its row is
 * put once, or never when the run was stopped before its answer was whole.
 * Locks: feed turn (may be held over a park, it is a semaphore where reading can block), then nothing; `stop_lock` and the
 * writer's and the slots' locks are leaves: nothing is taken or waited for under them.
 */
#ifndef LEAT_I_BULK_RUN_H
#define LEAT_I_BULK_RUN_H

#include "leat/bulk.h"

#include "../base/lock.h"
#include "../llm/request.h"
#include "../llm/turn.h"
#include "../sched/sched.h"
#include "csv.h"
#include "exit_code.h"
#include "held.h"
#include "ids.h"
#include "journal.h"
#include "outage.h"
#include "places.h"
#include "reader.h"
#include "slots.h"
#include "spending.h"
#include "template.h"
#include "writer.h"

/* ---- the feed: reader, ids and bodies: gives documents, in order ---- */

typedef struct leat_i_feed {
    const leat_bulk_opts *opts; /* borrowed */
    leat_i_reader reader;
    /* Borrowed: keys that are to come again, of which those met are marked SEEN; NULL = none; guarded by the turn. */
    leat_i_ids *retried;
    uint64_t retried_met;
    leat_i_ids *ids; /* borrowed; guarded by the turn */
    leat_i_template body;
    leat_i_csv csv;       /* the table that is being read; guarded by the turn */
    char header_why[160]; /* why its header cannot be used; for each who comes for a row of it */
    const char *url;      /* of formats without their own */
    uint32_t seen;        /* the flag of keys that were met: LEAT_I_ID_SEEN, or in verify.c LEAT_I_ID_MET */
    bool verify;          /* documents that have their rows are compared with them: lines here, files by the caller */
    bool only_done;       /* gives no others, and ends with the last row's: after matched_max of them */
    uint64_t matched, matched_max; /* documents that have their rows; guarded by the turn */
    /* Written under the turn, read by the ticker too. */
    LEAT_ATOMIC(bool) ended;           /* the input is at its end */
    LEAT_ATOMIC(uint64_t) documents;   /* taken from the input */
    LEAT_ATOMIC(uint64_t) skipped;     /* of these, have their rows already */
    LEAT_ATOMIC(uint64_t) bytes_taken; /* of the input, as they lie on the disk */
    LEAT_ATOMIC(uint64_t) file_count;  /* FILES: how many there are; 0 = not counted yet */
    leat_i_lock lock;                  /* the turn, for inputs that do not block */
    leat_semaphore *turn;              /* the turn, for inputs that do */
    LEAT_ATOMIC(bool) stop;            /* ends a read that waits for a pipe */
} leat_i_feed;

/* One document of a run. Plain memory of its carrier, used again for the next one. */
struct leat_i_doc {
    leat_doc doc;
    leat_i_arena arena;         /* key, path, URL, the reply's texts: until the row is written */
    char *text;                 /* the line or the file */
    leat_i_buf body;            /* a body that was built */
    leat_i_request_facts facts; /* of the body */
    uint64_t text_hash;         /* of its line or file; 0 = not known */
    bool to_ask;                /* else it has its row already: bad input */
    bool is_done;               /* a file that has its row, to be compared with it */
    bool has_slot;
    int64_t gave_ns;                /* when it gave its turn back to wait, for the timeline; 0 = it has not */
    leat_i_spender spender;         /* of the attempt that is under way */
    bool at_endpoint;               /* a request of it is on its way: counted in in_flight */
    bool answered;                  /* some request of its flow has had a reply: it is worth finishing */
    const leat_llm *llm;            /* that it asks, while it does */
    leat_task *task;                /* that asks, while it does */
    struct leat_i_carrier *carrier; /* NULL when only looked at */
    struct leat_i_run *run;         /* NULL when only looked at */
};

/* leat_blocking for a job that tells of its failure in `*error`: that no helper thread could run it is told there, too. */
leat_err leat_i_blocking_told(leat_task *t, leat_err (*fn)(void *arg), void *arg, leat_error *error);

/* LEAT_USAGE, LEAT_INPUT, LEAT_NOMEM with a sentence. fini is due in any case. */
leat_err leat_i_feed_init(leat_i_feed *f, const leat_bulk_opts *opts, leat_i_ids *ids, leat_error *error);
/* Gives the next document that has no row yet; *got = false at the end. Suspends where the input does. */
leat_err leat_i_feed_next(leat_task *t, leat_i_feed *f, struct leat_i_doc *d, bool *got, leat_error *error);
/* Reads the file of a FILES document and builds bodies: the part that needs no turn. A document that turns out bad gets its error
 * row (to_ask = false). LEAT_NOMEM. */
leat_err leat_i_doc_prepare(leat_task *t, const leat_i_feed *f, struct leat_i_doc *d);
void leat_i_doc_bad(struct leat_i_doc *d, leat_class cls, const char *fmt, ...) LEAT_PRINTF(3, 4);
void leat_i_doc_clear(struct leat_i_doc *d); /* gives all memory back; ready for the next */
/* Whether the document, prepared, is the one that its row was made from: LEAT_MISMATCH and a sentence that names it. */
leat_err leat_i_doc_verify(const leat_i_feed *f, const struct leat_i_doc *d, leat_error *error);
/* Counts the files of a FILES input into file_count, for leat_blocking; f->stop ends it. Gives LEAT_OK. */
leat_err leat_i_feed_count_files(void *feed);
/* What was left out of the input, in words for a warning; "" = nothing. */
void leat_i_feed_left_out(const leat_i_feed *f, char *out, size_t size);
void leat_i_feed_fini(leat_i_feed *f);

/* ---- counters: written by carriers, read by the ticker; relaxed, for they order nothing ---- */

typedef struct leat_i_counters {
    LEAT_ATOMIC(uint64_t) ok, failed, requests, retries, throttles, possibly_billed, tokens_in, tokens_out;
    LEAT_ATOMIC(uint64_t) tokens_cached, tokens_reasoning, cost_millionths;
    LEAT_ATOMIC(uint64_t) asked_failed;    /* of the failed rows: documents that were asked */
    LEAT_ATOMIC(uint32_t) failed_in_a_row; /* documents that were asked */
    LEAT_ATOMIC(uint64_t) reached;         /* replies that were read, good or bad */
    LEAT_ATOMIC(uint32_t) in_flight;       /* requests on their way */
    LEAT_ATOMIC(uint64_t) by_class[64];
} leat_i_counters;

/* ---- stopping ---- */

/* What the root knows of a carrier. `waiting`: its document is not at the endpoint but in line for it (a turn, the limiter, a
 * retry wait), and has cost nothing yet that a drain would save: then a stop cancels it. Partner of run.stop (Dekker): a carrier
 * says that it waits and then looks for a stop; the root sees the stop and then looks who waits. */
typedef struct leat_i_carrier {
    struct leat_i_run *run;
    leat_task *task; /* the root's */
    LEAT_ATOMIC(bool) waiting;
} leat_i_carrier;

typedef enum leat_i_stop {
    LEAT_I_STOP_NONE,
    LEAT_I_STOP_DRAIN, /* take nothing new, finish what is under way */
    LEAT_I_STOP_NOW,   /* cancel what is under way: it gets no row */
} leat_i_stop;

typedef struct leat_i_run {
    leat_runtime *rt;
    const leat_bulk_opts *opts;
    leat_bulk_summary *summary;
    uint32_t concurrency;

    leat_i_ids ids;
    leat_i_journal journal;
    leat_i_writer writer;
    leat_i_feed feed;
    leat_i_slots slots;
    leat_i_held held;
    leat_i_outage outage;
    leat_i_places places;
    leat_i_spending spending;
    leat_flow *flow;     /* the user's, or `own_flow` */
    leat_flow *own_flow; /* one node that calls the endpoint */
    leat_i_counters count;
    int64_t start_ns;
    LEAT_ATOMIC(int64_t) first_try_ns;   /* start of the first attempt that found no endpoint; 0 = none did */
    LEAT_ATOMIC(bool) first_failed_told; /* the summary has why the first failed row is one */
    LEAT_ATOMIC(bool) long_wait_told;    /* the user knows that the endpoint asks for a very long one */
    LEAT_ATOMIC(bool) insistence_told;   /* the user knows that it is tried for a while */
    /* Until then some document waits since the endpoint asked for it; of the last that was told. */
    LEAT_ATOMIC(int64_t) told_to_wait_ns;
    uint64_t granted_before; /* the limiter's counts at the start */
    double charged_before;

    leat_i_carrier *carrier;         /* twice the concurrency */
    leat_i_waiter *root;             /* unparked when something below changes */
    LEAT_ATOMIC(uint32_t) carriers;  /* running */
    LEAT_ATOMIC(bool) more_carriers; /* a turn is free because a document waits to try again */
    LEAT_ATOMIC(bool) input_ended;   /* no carrier needs to start any more */
    LEAT_ATOMIC(uint32_t) stop;      /* a leat_i_stop; only grows */
    leat_i_lock stop_lock;
    leat_error stop_error; /* the gravest reason so far; guarded by stop_lock */
    int stop_exit;         /* its exit code */
    /* The root's own: what it has seen of the output's file. */
    int64_t look_ns;     /* the next look */
    bool looked_lost;    /* the last look */
    bool output_is_lost; /* the run stops for it */
} leat_i_run;

/* Stops the run for a reason; the gravest so far is the one that is told, and gives the exit code. Any thread. */
void leat_i_run_stop(leat_i_run *run, leat_i_stop how, const leat_error *why);
leat_i_stop leat_i_run_stopping(const leat_i_run *run);

/* Writes rows that were held back, and frees them. */
void leat_i_carrier_write_held(leat_task *t, leat_i_run *run, leat_i_held_row *row);
leat_err leat_i_carrier_task(leat_task *t, void *carrier, const void **result);
/* The rules that look at each finished row: too many errors, the first ones all failing. */
void leat_i_stop_rules(leat_i_run *run, const leat_llm_reply *reply);
/* While the endpoint has never answered: how long it is tried for (changes what the attempt means to do). */
void leat_i_stop_insist(leat_i_run *run, leat_i_llm_attempt *attempt, int64_t now_ns);
/* The rule about an endpoint that never was there (for one that went away: outage.h). True = the run stops, and the document gets no
 * row. */
bool leat_i_stop_unreached(leat_i_run *run, const leat_llm_reply *reply);
bool leat_i_ever_good(const leat_i_run *run); /* a good row came, in this run or before it */

/* Before a run goes on: has each row its document in the input, unchanged? LEAT_MISMATCH and a sentence that names the first that
 * has not. An input that can be read only once is compared while it is read instead. */
leat_err leat_i_verify(leat_task *t, leat_i_run *run, leat_error *error);
/* Behind the end of such an input: has each row had its document? */
leat_err leat_i_verify_end(const leat_i_feed *f, const leat_i_journal *j, leat_error *error);

void leat_i_summary_fill(leat_i_run *run);
/* The share of the limit of requests or tokens a minute, whichever is nearer, that the run has used since its start; < 0 = no limit. */
double leat_i_limit_used(const leat_i_run *run, const leat_limiter_stats *s);

/* Progress: draws until it is canceled, then wipes the bar. */
leat_err leat_i_ticker(leat_task *t, void *run, const void **result);

#endif
