/* places.c: see places.h. */
#include "places.h"

#include <stdio.h>

#include "../llm/cases.h"
#include "run.h"

enum { UNREACHED_OUT = 3, FAULTS_OUT = 20 };

leat_err leat_i_places_init(leat_i_places *p, const leat_llm *llm)
{
    uint32_t count = llm ? leat_i_llm_endpoint_count(llm) : 0;
    if (count < 2) return LEAT_OK;
    p->place = leat_i_alloc_zeroed(count * sizeof *p->place);
    p->count = p->place ? count : 0;
    return p->place ? LEAT_OK : LEAT_NOMEM;
}

void leat_i_places_fini(leat_i_places *p)
{
    leat_i_free(p->place);
    *p = (leat_i_places){ 0 };
}

/* How many attempts like this one, in a row, mean that the endpoint is out; 0 = it does not speak against it. */
static uint32_t out_after(const leat_i_llm_attempt *a)
{
    switch (a->cls) {
    case LEAT_CLASS_AUTH:
    case LEAT_CLASS_QUOTA:
    case LEAT_CLASS_REDIRECT:
        return 1;
    case LEAT_CLASS_CONNECT:
    case LEAT_CLASS_DNS:
    case LEAT_CLASS_TLS:
        return UNREACHED_OUT;
    case LEAT_CLASS_TIMEOUT:
        return a->sent ? FAULTS_OUT : UNREACHED_OUT;
    case LEAT_CLASS_SERVER:
    case LEAT_CLASS_RESET:
    case LEAT_CLASS_TRUNCATED:
    case LEAT_CLASS_NOT_JSON:
        return FAULTS_OUT;
    default:
        return 0;
    }
}

static void state_tell(leat_i_run *run, const leat_llm *llm, leat_i_place_count *place, const leat_i_llm_attempt *a)
{
    uint32_t after = out_after(a);
    const char *name = leat_i_llm_endpoint_name(llm, a->endpoint_index);
    if (after > 0) {
        /* Acquire pairs with itself: one tells. */
        if (leat_add_relaxed(&place->bad, 1u) + 1 < after || leat_exchange_acquire(&place->out, true)) return;
        leat_i_runtime_log(run->rt, LEAT_LOG_WARNING,
                           "endpoint %u, %s, is out: the others do its work, and it is tried again now and then (%s)",
                           a->endpoint_index + 1, name, a->message);
    } else if (a->http_status > 0 && !a->throttled && leat_load_relaxed(&place->bad) > 0) {
        leat_store_relaxed(&place->bad, 0u);
        if (leat_exchange_acquire(&place->out, false))
            leat_i_runtime_log(run->rt, LEAT_LOG_WARNING, "endpoint %u, %s, is back", a->endpoint_index + 1, name);
    }
}

void leat_i_places_tell(leat_i_run *run, const leat_llm *llm, const leat_i_llm_attempt *a)
{
    leat_i_places *p = &run->places;
    if (llm != run->opts->llm || a->endpoint_index >= p->count) return;
    leat_i_place_count *place = &p->place[a->endpoint_index];
    bool good = leat_i_class_is_good(a->cls);
    if (a->sent) (void)leat_add_relaxed(&place->requests, 1);
    if (a->throttled)
        (void)leat_add_relaxed(&place->throttles, 1);
    else if (a->cls != LEAT_CLASS_CANCELED)
        (void)leat_add_relaxed(good ? &place->good : &place->failed, 1);
    /* Where the run stops for it, that is said. */
    if (!a->fatal) state_tell(run, llm, place, a);
}

void leat_i_places_sum_up(const leat_i_places *p, const leat_llm *llm, leat_bulk_summary *summary)
{
    summary->endpoint_count = p->count < LEAT_BULK_ENDPOINT_COUNT_MAX ? p->count : LEAT_BULK_ENDPOINT_COUNT_MAX;
    for (uint32_t i = 0; i < summary->endpoint_count; i++) {
        const leat_i_place_count *place = &p->place[i];
        leat_bulk_endpoint *e = &summary->endpoint[i];
        snprintf(e->url, sizeof e->url, "%s", leat_i_llm_endpoint_name(llm, i));
        e->requests = leat_load_relaxed(&place->requests);
        e->good = leat_load_relaxed(&place->good);
        e->failed = leat_load_relaxed(&place->failed);
        e->throttles = leat_load_relaxed(&place->throttles);
        e->is_out = leat_load_relaxed(&place->out);
    }
}
