/*
 * window.h: an exact log of what was charged over the last minute, or day. Pure arithmetic over explicit times; one caller at a
 * time.
 *
 * Charges of the same 8.4 ms (17 s in the log of a day) share an entry, and an entry leaves the log as a whole when its newest
 * possible charge is older than the window: never early, late by at most an entry's length. The window is 60 s (24 h) and the
 * 50 ms that a request's way to the endpoint may vary by. So memory is fixed (some 260 KB, touched as used) and every operation is
 * bounded.
 *
 * Amounts are whole units of 1/64 token: sums are exact however long it runs.
 */
#ifndef LEAT_I_WINDOW_H
#define LEAT_I_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define LEAT_I_WINDOW_NS       INT64_C(60050000000)
#define LEAT_I_WINDOW_ENTRY_NS (INT64_C(1) << LEAT_I_WINDOW_ENTRY_SHIFT)
#define LEAT_I_DAY_NS          INT64_C(86400050000000)

enum {
    LEAT_I_WINDOW_ENTRY_SHIFT = 23,
    LEAT_I_DAY_ENTRY_SHIFT = 34,
    LEAT_I_WINDOW_GROUP_SIZE = 64,
    LEAT_I_WINDOW_GROUPS = 128,
    LEAT_I_WINDOW_ENTRIES = LEAT_I_WINDOW_GROUP_SIZE * LEAT_I_WINDOW_GROUPS,
    LEAT_I_UNITS_PER_TOKEN = 64,
};

/* The accounts that are kept; the sum of tokens is input + output. */
typedef struct leat_i_charge {
    int64_t input, output; /* units */
    int64_t requests;
    int64_t bytes;
} leat_i_charge;

typedef enum leat_i_account {
    LEAT_I_ACCOUNT_INPUT,
    LEAT_I_ACCOUNT_OUTPUT,
    LEAT_I_ACCOUNT_SUM,
    LEAT_I_ACCOUNT_REQUESTS,
    LEAT_I_ACCOUNT_BYTES,
    LEAT_I_ACCOUNT_COUNT,
} leat_i_account;

typedef struct leat_i_window { /* zeroed memory is an empty log of a minute */
    bool is_day;               /* set while it is empty */
    int64_t oldest;            /* number of the oldest entry that counts */
    int64_t newest;            /* and of the newest charge */
    leat_i_charge total;       /* of all entries that count */
    leat_i_charge group[LEAT_I_WINDOW_GROUPS];
    leat_i_charge entry[LEAT_I_WINDOW_ENTRIES]; /* entry n lies at n modulo their count */
} leat_i_window;

static inline int64_t leat_i_charge_of(const leat_i_charge *c, leat_i_account account)
{
    switch (account) {
    case LEAT_I_ACCOUNT_INPUT:
        return c->input;
    case LEAT_I_ACCOUNT_OUTPUT:
        return c->output;
    case LEAT_I_ACCOUNT_SUM:
        return c->input + c->output;
    case LEAT_I_ACCOUNT_REQUESTS:
        return c->requests;
    case LEAT_I_ACCOUNT_BYTES:
        return c->bytes;
    case LEAT_I_ACCOUNT_COUNT:
        break;
    }
    return 0;
}

/* Lets go what is older than the window at `now_ns`. Time never goes back: an earlier one than before is taken as that. */
void leat_i_window_advance(leat_i_window *w, int64_t now_ns);

/* Charges `c` at `now_ns`, after leat_i_window_advance to the same time. */
void leat_i_window_add(leat_i_window *w, int64_t now_ns, leat_i_charge c);

/* Adds `delta` (refund or debt) to what was charged at `then_ns`; nothing when that has left the window: it counts no more. */
void leat_i_window_adjust(leat_i_window *w, int64_t then_ns, leat_i_charge delta);

/* The time when at least `amount` of `account` will have left the log, as it stands; 0 when amount <= 0. The log must hold as
 * much. */
int64_t leat_i_window_gone_ns(const leat_i_window *w, leat_i_account account, int64_t amount);

#endif
