/* health.c: see health.h. */
#include "health.h"

#include "../base/os.h"

enum { BAD_MAX = 10, BAD_SHARE = 4, DOUBLINGS_MAX = 6 };
static const int64_t WAIT_FIRST_NS = 500 * LEAT_I_NS_PER_MS; /* doubles to 32 s */
static const int64_t SOON_MOST_NS = 4 * LEAT_I_NS_PER_S;     /* when nobody else is there */
static const int64_t GONE_FIRST_NS = 60 * LEAT_I_NS_PER_S;   /* doubles to an hour */
static const int64_t PATIENCE_NS = 10 * LEAT_I_NS_PER_S;     /* with a probe that says nothing */

int64_t leat_i_health_ready_ns(const leat_i_health *h, bool all_out)
{
    if (!h->is_open) return 0;
    if (h->probe != 0) return h->probe_ns + PATIENCE_NS;
    return all_out ? h->soon_ns : h->until_ns;
}

void leat_i_health_take(leat_i_health *h, uint64_t number, int64_t now_ns)
{
    if (!h->is_open) return;
    h->probe = number;
    h->probe_ns = now_ns;
}

void leat_i_health_drop(leat_i_health *h, uint64_t number)
{
    if (h->probe == number) h->probe = 0;
}

bool leat_i_health_good(leat_i_health *h, uint64_t number, int64_t now_ns)
{
    bool closes = h->is_open;
    if (h->is_open && number <= h->before && number != h->probe) { /* The number of one that was taken back comes again. */
        if (h->is_away) return false;
        h->probe = 0;
        h->until_ns = h->soon_ns = h->asked_ns > now_ns ? h->asked_ns : now_ns;
        return false;
    }
    *h = (leat_i_health){ 0 };
    return closes;
}

/* Opens it, or opens it anew after a probe. */
static void health_open(leat_i_health *h, int64_t first_ns, const leat_i_setback *s, int64_t now_ns)
{
    int64_t wait_ns = first_ns << (h->opened < DOUBLINGS_MAX ? h->opened : DOUBLINGS_MAX);
    if (wait_ns < s->floor_ns) wait_ns = s->floor_ns;
    int64_t soon_ns = h->is_gone || wait_ns < SOON_MOST_NS ? wait_ns
                      : s->floor_ns > SOON_MOST_NS         ? s->floor_ns
                                                           : SOON_MOST_NS;
    wait_ns += (int64_t)((double)(wait_ns / 4) * s->jitter);
    soon_ns += (int64_t)((double)(soon_ns / 4) * s->jitter);
    if (!h->is_open) h->before = s->granted;
    h->is_open = true;
    h->is_away = !s->is_overload;
    h->opened++;
    h->probe = 0;
    h->bad_count = 0;
    h->until_ns = leat_i_os_add_ns(now_ns, wait_ns);
    h->soon_ns = leat_i_os_add_ns(now_ns, soon_ns);
    h->asked_ns = leat_i_os_add_ns(now_ns, s->floor_ns);
}

void leat_i_health_bad(leat_i_health *h, const leat_i_setback *s, int64_t now_ns)
{
    if (h->is_open) {
        if (s->number == h->probe) health_open(h, WAIT_FIRST_NS, s, now_ns);
        return; /* Else old news: it went before. */
    }
    uint32_t most = s->in_flight / BAD_SHARE > BAD_MAX ? s->in_flight / BAD_SHARE : BAD_MAX;
    if (++h->bad_count >= most) health_open(h, WAIT_FIRST_NS, s, now_ns);
}

void leat_i_health_gone(leat_i_health *h, uint64_t number, uint64_t granted, int64_t now_ns)
{
    if (h->is_open && h->is_gone && number != h->probe) return;
    if (!h->is_gone) {
        h->opened = 0;
        h->before = granted; /* Good answers to what went before the refusal say nothing about the key now. */
    }
    h->is_gone = true;
    health_open(h, GONE_FIRST_NS, &(leat_i_setback){ .number = number, .granted = granted }, now_ns);
}
