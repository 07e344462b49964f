/*
 * reading.h: from what came over the wire to what it is worth: the case of an attempt, and the reply that its caller gets.
 */
#ifndef LEAT_I_READING_H
#define LEAT_I_READING_H

#include "leat/llm.h"

#include "answer.h"
#include "fold.h"

typedef struct leat_i_reading {
    /* Handed in. */
    leat_i_arena *arena; /* the task's */
    leat_llm_reply *reply;
    leat_i_answer_to to;
    size_t body_bytes_max;
    bool skip_text; /* the text is wanted only where tokens are guessed from it */
    /* What the reading brings, beside what goes into the reply. */
    leat_i_case what;
    bool overloaded; /* as in leat_i_fault */
    int64_t retry_after_ms;
    bool has_usage;
    bool late; /* the refusal came after a part of the answer: that part may be counted and billed */
} leat_i_reading;

/* Reads a reply that was collected, and one outside 2xx. LEAT_NOMEM. */
leat_err leat_i_read_reply(leat_i_reading *rd, leat_i_http_reply *h);

/* Reads a reply of status 2xx whose body went through `f`. LEAT_NOMEM. */
leat_err leat_i_read_stream(leat_i_reading *rd, leat_i_http_reply *h, leat_i_fold *f);

#endif
