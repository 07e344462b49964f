/*
 * case_net.c: how work gets to the loop of the net: by a worker's mailbox or by the list of ops, with a wake-up if the loop is asleep. All
 * that is handed over is seen, and whole; and an op comes after what its sender has put into a mailbox before.
 *
 * loop.c is part of this file, with its thread. There is no curl: an exchange is begun, and that is all; there are no pools.
 */
#include "begin.h"

#include "net/loop.c"

typedef struct item { /* stands for an exchange */
    uint32_t value;   /* plain: a race when it is not handed over whole */
    uint32_t begun;   /* the loop's */
} item;

static leat_i_loop *loop;
static item sent[2];
static explore_flag begun;

void leat_i_exchange_begin(leat_i_loop *l, leat_i_exchange *x)
{
    item *i = (item *)(void *)x;
    EXPLORE_CHECK(l == loop && i->value == 7 && i->begun++ == 0);
    explore_flag_add(&begun, 1);
}

static void submits(void *x)
{
    bool full;
    ((item *)x)->value = 7;
    EXPLORE_CHECK(leat_i_loop_submit(loop, x, &full));
}

typedef struct follower {
    leat_i_op op; /* its first member */
    const item *after;
} follower;

static void follows(leat_i_loop *l, leat_i_op *op)
{
    EXPLORE_CHECK(l == loop && ((follower *)op)->after->begun == 1);
    explore_flag_add(&begun, 1);
}

static void net_begin(void)
{
    memset(sent, 0, sizeof sent);
    begun = (explore_flag){ 0 };
    explore_quiet(true);
    loop = loop_new(NULL);
    EXPLORE_CHECK(loop);
    explore_settle();
}

static void net_end(uint32_t count)
{
    explore_flag_await(&begun, count);
    loop_free(loop);
    EXPLORE_CHECK(explore_descriptors() == 0);
}

/* Two workers, each with a mailbox of its own; the loop may be about to sleep again when the second one comes. */
static void net_mail(void)
{
    net_begin();
    unsigned other = explore_start(submits, &sent[0]);
    submits(&sent[1]);
    explore_join(other);
    net_end(2);
}

/* The same mailbox twice, and an op behind it. */
static void net_op(void)
{
    net_begin();
    follower f = { .op.run = follows, .after = &sent[1] };
    submits(&sent[0]);
    submits(&sent[1]);
    leat_i_loop_op(loop, &f.op);
    net_end(3);
}

/* ---- what the loop calls beside ---- */

CURLcode curl_global_init(long flags)
{
    (void)flags;
    return CURLE_OK;
}

CURLSH *curl_share_init(void)
{
    return (CURLSH *)sent;
}

#undef curl_share_setopt
CURLSHcode curl_share_setopt(CURLSH *share, CURLSHoption option, ...)
{
    (void)share, (void)option;
    return CURLSHE_OK;
}

CURLSHcode curl_share_cleanup(CURLSH *share)
{
    (void)share;
    return CURLSHE_OK;
}

void leat_i_origin_release(leat_i_loop *l, leat_i_http_origin *o)
{
    (void)l, (void)o;
    EXPLORE_CHECK(!"there is no origin");
}

void leat_i_pools_free(leat_i_http_origin *o)
{
    leat_i_origin_release(NULL, o);
}

void leat_i_pool_run(leat_i_pool *pool)
{
    (void)pool;
    EXPLORE_CHECK(!"there is no pool");
}

void leat_i_pool_alarm(leat_i_pool *pool)
{
    leat_i_pool_run(pool);
}

void leat_i_socket_event(leat_i_loop *l, int fd, uint32_t events)
{
    (void)l, (void)fd, (void)events;
    EXPLORE_CHECK(!"there is no socket");
}

const explore_case explore_net_mail = { "net_mail", net_mail, { 2, 1, 2, 2000 }, { 3, 2, 3, 50000 }, false };
const explore_case explore_net_op = { "net_op", net_op, { 2, 1, 2, 2000 }, { 3, 2, 3, 50000 }, false };
