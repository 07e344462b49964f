/* spent.h: what attempts have used, of those too whose answers were thrown away. */
#ifndef LEAT_I_SPENT_H
#define LEAT_I_SPENT_H

#include "leat/llm.h"

typedef struct leat_i_spent { /* zeroed = nothing */
    uint64_t tokens_in, tokens_out, tokens_cached, tokens_reasoning;
    double cost;
} leat_i_spent;

/* Adds what the reply says. */
static inline void leat_i_spent_add(leat_i_spent *s, const leat_llm_reply *r)
{
    s->tokens_in += r->tokens_in;
    s->tokens_out += r->tokens_out;
    s->tokens_cached += r->tokens_cached;
    s->tokens_reasoning += r->tokens_reasoning;
    s->cost += r->cost;
}

/* Makes the reply say what it says, and what was spent before. */
static inline void leat_i_spent_put(const leat_i_spent *s, leat_llm_reply *r)
{
    leat_i_spent all = *s;
    leat_i_spent_add(&all, r);
    r->tokens_in = all.tokens_in;
    r->tokens_out = all.tokens_out;
    r->tokens_cached = all.tokens_cached;
    r->tokens_reasoning = all.tokens_reasoning;
    r->cost = all.cost;
}

#endif
