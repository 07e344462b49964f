/*
 * refusals.h: what a refusal for the rate (429) means. Pure arithmetic over numbers of grants and explicit times; one caller at a
 * time.
 *
 * One 429 says little. A limit that is exceeded refuses again and again, and gateways refuse one in a hundred at random, whatever
 * the rate. To slow everybody down for the latter costs the run; not to do it for the former costs refused calls. So:
 *
 *   CREDIT   Every grant earns a share of a refusal (3 %), up to five. A refusal that finds a whole one in the credit is a matter
 *            of its own request: nobody else waits, nothing is cut. At first there is credit for one, and after a cut there
 *            is none: an endpoint that has not shown otherwise is obeyed soon, and one that refuses all after five calls.
 *   TRIAL    A refusal without credit cuts the rate, to 70 %. The cut is also the question whether the rate was the cause: it
 *            stays for 10 to 150 calls (2 to 60 s), the fewer the clearer it was. Where it was more than one in five and some are
 *            refused still, luck may have it look like what it is not: then it stays for 120 calls (180 s), and those that are
 *            refused meanwhile are counted.
 *            If the rate is the cause, fewer are: of a limit L are refused 1 - L / rate. If it is not, as many are. When what is
 *            refused is nearer to the former, the cut stands, and the rate climbs (ceiling.h).
 *   NOISE    Else the cut is taken back. What was refused beyond what the rate explains is noise: for five minutes grants earn
 *            one and a half of it beside the 3 %, or until another trial finds less; then it has to be found anew. A third
 *            and more is never taken for noise, nor what may well be a half, at four sigmas, so that one who shares a key with
 *            others gives way: half of all is taken for noise in some one of a thousand trials at most.
 *   FULL     More than half of what went since the last cut or wait is refused: the endpoint is simply full, and how fast it is
 *            asked does not matter. Nobody goes for a while, which doubles, from half a second to 32 s, until something good
 *            comes.
 *
 * Shares are of grants and not of answers, since a refusal comes at once and a good answer may take a minute. Grants from before
 * a cut are old news and cut nothing.
 *
 * Source: the credit is a token bucket, over refusals; the trial is our own.
 */
#ifndef LEAT_I_REFUSALS_H
#define LEAT_I_REFUSALS_H

#include <stdbool.h>
#include <stdint.h>

#define LEAT_I_TRIAL_NS INT64_C(60000000000) /* at most */

typedef struct leat_i_refusals { /* zeroed memory: nothing is known yet */
    double credit;               /* refusals that may be borne beside one: from -1 on */
    double noise;                /* the share that was found to be refused whatever the rate; 0 = none */
    int64_t noise_until_ns;
    uint64_t last_number;  /* of the newest refused grant: what has earned credit */
    uint64_t since_number; /* when the credit was full for the last time; or of the last cut */
    uint64_t since_count;  /* refused since */
    uint64_t cut_number;   /* grants up to this one went before the last cut, or wait of all */
    uint64_t cut_count;    /* refused since */
    uint32_t full_count;   /* waits in a row with nothing good since */
    bool is_trial;
    double trial_share; /* refused before the cut */
    int64_t trial_ns;   /* when it began: the end of the wait */
} leat_i_refusals;

typedef struct leat_i_refusal {
    bool is_borne;   /* a matter of that request alone */
    bool is_cut;     /* the rate is too high */
    int64_t wait_ns; /* nobody should go for so long */
} leat_i_refusal;

/* Grant `number` of `granted` so far was refused, and asked to wait for `asked_ns`. `has_rate`: there is a rate to be cut. */
leat_i_refusal leat_i_refusals_add(leat_i_refusals *r, uint64_t number, uint64_t granted, bool has_rate, int64_t asked_ns,
                                   int64_t now_ns);

/* A good answer to grant `number`. */
static inline void leat_i_refusals_good(leat_i_refusals *r, uint64_t number)
{
    if (number > r->cut_number) r->full_count = 0;
}

typedef enum leat_i_judgement {
    LEAT_I_JUDGEMENT_NONE,  /* no trial, or it goes on */
    LEAT_I_JUDGEMENT_RATE,  /* the rate was the cause: it may climb from now on */
    LEAT_I_JUDGEMENT_NOISE, /* it was not: the cut was in vain */
} leat_i_judgement;

/* Ends a trial whose time has come. */
leat_i_judgement leat_i_refusals_judge(leat_i_refusals *r, uint64_t granted, int64_t now_ns);

#endif
