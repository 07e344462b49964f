/*
 * script.h: what the endpoint was ordered to do, and when: faults and limits for certain requests, keys and times.
 *
 * A script is text, a JSON object a line. A line with "fault" plays that fault, one with "rpm", "tpm", "itpm", "otpm" or
 * "in_flight" sets limits. Of the faults that fit a request the first line's is played; of limits the last line's counts. No clock
 * inside, no lock.
 */
#ifndef LEAT_I_MOCK_SCRIPT_H
#define LEAT_I_MOCK_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "faults.h"
#include "leat/base.h"
#include "window.h"

#define LEAT_I_MOCK_ORDERS_MAX 1000

/* What a line says. */
typedef struct leat_i_mock_order {
    /* Which requests it looks at. */
    bool has_key;
    uint64_t key_hash;
    int64_t from_ns, to_ns; /* since the endpoint's start; the end is not in it */
    /* A fault, and which of those requests get it: all, some by their ordinal from 1, each n-th, a share; at most `times`. */
    leat_i_mock_fault_kind fault; /* LEAT_I_MOCK_FAULT_NONE: the line sets limits */
    uint64_t first, last, every, times;
    double rate;
    int status;                                 /* 0 = the fault's own */
    int64_t after_ns;                           /* of faults that last: how long; < 0 = the fault's own */
    char retry_after[48];                       /* the header's text; "" = the fault's own */
    uint64_t seen, played;                      /* so far */
    bool requests, tokens, input, output, open; /* limits: which of these are set */
    leat_i_mock_limits limits;
} leat_i_mock_order;

typedef struct leat_i_mock_script { /* zeroed memory is a valid empty script */
    leat_i_mock_order *order;
    size_t count, room;
    bool has_limits, has_parts; /* parts: limits of input or output tokens */
    uint64_t rand;
} leat_i_mock_script;

/* Reads a script. LEAT_USAGE: `why` is a sentence that names the line. */
leat_err leat_i_mock_script_read(leat_i_mock_script *script, const char *text, uint64_t seed, char *why, size_t why_bytes);
void leat_i_mock_script_fini(leat_i_mock_script *script);

/* The limits of a key at a time since the start, from those that count without a script. */
leat_i_mock_limits leat_i_mock_script_limits(const leat_i_mock_script *script, const leat_i_mock_limits *usual,
                                             uint64_t key_hash, int64_t at_ns);
/* The fault that an accepted request gets; NULL = none. Counts the request, so it is asked once for each. */
const leat_i_mock_order *leat_i_mock_script_fault(leat_i_mock_script *script, uint64_t key_hash, int64_t at_ns);

#endif
