/* loop.c: the loop's thread: takes work, runs timers and curl, sleeps in epoll. The contract stands in loop.h. */
#include "loop.h"

#include <errno.h>
#include <sys/epoll.h>

#define EVENTS_MAX    256
#define STARVED_NS    (10 * LEAT_I_NS_PER_MS)
#define STALL_NS      (100 * LEAT_I_NS_PER_MS) /* a timer that is so late: the process, or the machine, stood still */
#define STALL_READ_NS LEAT_I_NS_PER_S          /* what has come meanwhile is read for so long at most */

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static bool curl_ok;
static LEAT_ATOMIC(uint64_t) loop_ids = 1;

static void curl_start(void)
{
    curl_ok = curl_global_init(CURL_GLOBAL_ALL) == CURLE_OK;
}

/* ---- from other threads ---- */

/* The caller has published its work before. Either the loop sees the work when it looks a last time before it sleeps, or this
 * sees that it sleeps (the fence on both sides); only the first of a burst pays the system call. */
static void loop_wake(leat_i_loop *loop)
{
    LEAT_FENCE_SEQ_CST();
    if (!leat_load_relaxed(&loop->asleep)) return;
    /* seq_cst: with loop_wait; exactly one of those who race clears it. */
    if (leat_exchange_seq_cst(&loop->asleep, 0u)) leat_i_os_eventfd_signal(loop->wake_fd);
}

void leat_i_loop_op(leat_i_loop *loop, leat_i_op *op)
{
    leat_i_op *head = leat_load_relaxed(&loop->op);
    do
        op->next = head;
    while (!leat_cas_weak_release(&loop->op, &head, op)); /* release: pairs with the acquire in loop_take_ops. */
    loop_wake(loop);
}

void leat_i_loop_know(leat_i_http_origin *o)
{
    leat_i_loop *loop = o->loop;
    pthread_mutex_lock(&loop->known_mutex);
    o->known_next = loop->known;
    if (loop->known) loop->known->known_prev = o;
    loop->known = o;
    pthread_mutex_unlock(&loop->known_mutex);
}

void leat_i_loop_forget(leat_i_http_origin *o)
{
    leat_i_loop *loop = o->loop;
    pthread_mutex_lock(&loop->known_mutex);
    if (o->known_prev)
        o->known_prev->known_next = o->known_next;
    else
        loop->known = o->known_next;
    if (o->known_next) o->known_next->known_prev = o->known_prev;
    pthread_mutex_unlock(&loop->known_mutex);
}

/* A worker's mailbox for a loop, remembered per thread: its only producer is whatever task runs on that thread. noinline: the
 * address of a thread-local must not be kept over a suspension, after which the caller may be on another thread. */
static __thread struct {
    uint64_t loop_id;
    leat_i_mailbox *box;
} thread_box;

__attribute__((noinline)) static leat_i_mailbox *loop_mailbox(leat_i_loop *loop)
{
    if (thread_box.loop_id == loop->id) return thread_box.box;
    leat_i_mailbox *box = leat_i_mailbox_new();
    if (!box) return NULL;
    leat_i_mailbox *head = leat_load_relaxed(&loop->mailbox);
    do
        leat_i_mailbox_set_next(box, head);
    while (!leat_cas_weak_release(&loop->mailbox, &head, box)); /* release: pairs with the acquire in loop_take_mail. */
    thread_box.loop_id = loop->id;
    thread_box.box = box;
    return box;
}

bool leat_i_loop_submit(leat_i_loop *loop, leat_i_exchange *x, bool *full)
{
    leat_i_mailbox *box = loop_mailbox(loop);
    *full = box && !leat_i_mailbox_put_owner(box, x);
    if (!box || *full) return false;
    loop_wake(loop);
    return true;
}

/* ---- on the loop's thread ---- */

void leat_i_loop_run_soon(leat_i_loop *loop, leat_i_pool *pool)
{
    if (pool->is_runnable) return;
    pool->is_runnable = true;
    pool->runnable = loop->runnable;
    loop->runnable = pool;
}

bool leat_i_loop_alarm(leat_i_loop *loop, leat_i_alarm *alarm, int64_t when_ns)
{
    leat_i_heap_remove(&loop->heap, &alarm->timer);
    if (when_ns == LEAT_I_NEVER_NS) return true;
    return leat_i_heap_add(&loop->heap, &alarm->timer, when_ns);
}

static leat_i_op *loop_take_ops(leat_i_loop *loop)
{
    leat_i_op *list = NULL;
    if (!leat_load_relaxed(&loop->op)) return NULL;
    leat_i_op *op = leat_exchange_acquire(&loop->op, NULL); /* acquire: pairs with the release in leat_i_loop_op. */
    while (op) {
        leat_i_op *next = op->next;
        op->next = list;
        list = op;
        op = next;
    }
    return list;
}

static void loop_take_mail(leat_i_loop *loop)
{
    leat_i_mailbox *box = leat_load_acquire(&loop->mailbox); /* acquire: pairs with the release in loop_mailbox. */
    for (; box; box = leat_i_mailbox_next(box)) {
        for (leat_i_exchange *x; (x = leat_i_mailbox_take_loop(box));)
            leat_i_exchange_begin(loop, x);
    }
}

/* Ops are taken first and run last: whatever their senders put into a mailbox before is then known. */
static void loop_take_work(leat_i_loop *loop)
{
    leat_i_op *op = loop_take_ops(loop);
    loop_take_mail(loop);
    while (op) {
        leat_i_op *next = op->next; /* Once run, the op's memory may be gone. */
        op->run(loop, op);
        op = next;
    }
}

static bool loop_has_work(leat_i_loop *loop)
{
    if (leat_load_relaxed(&loop->op)) return true;
    leat_i_mailbox *box = leat_load_acquire(&loop->mailbox); /* acquire: as in loop_take_mail. */
    for (; box; box = leat_i_mailbox_next(box))
        if (!leat_i_mailbox_is_empty(box)) return true;
    return false;
}

/* Memory was short for the timer of some pool: tries again. */
static void loop_set_alarms(leat_i_loop *loop)
{
    loop->starved = false;
    for (leat_i_http_origin *o = loop->origin; o; o = o->next)
        for (uint32_t i = 0; i < o->pool_count; i++)
            leat_i_pool_alarm(o->pool[i]);
}

static void loop_run_timers(leat_i_loop *loop)
{
    int64_t now_ns = leat_i_os_now_ns();
    if (loop->starved) loop_set_alarms(loop);
    for (leat_i_timer *timer; (timer = leat_i_heap_pop_due(&loop->heap, now_ns));) {
        leat_i_alarm *alarm = (leat_i_alarm *)(void *)((char *)timer - offsetof(leat_i_alarm, timer));
        alarm->due(loop, alarm, now_ns);
    }
}

static void loop_run_pools(leat_i_loop *loop)
{
    leat_i_held_wakes held;
    for (;;) {
        leat_i_http_origin *o = loop->releasable;
        if (o) {
            loop->releasable = o->releasable;
            o->is_releasable = false;
            leat_i_origin_release(loop, o);
            continue;
        }
        leat_i_pool *pool = loop->runnable;
        if (!pool) return;
        loop->runnable = pool->runnable;
        pool->is_runnable = false;
        leat_i_wakes_hold(&held); /* One pool's exchanges end together, and wake a worker once. */
        leat_i_pool_run(pool);
        leat_i_wakes_release(&held);
    }
}

static int loop_timeout_ms(leat_i_loop *loop)
{
    int64_t first_ns = leat_i_heap_first_ns(&loop->heap);
    if (loop->starved && first_ns > leat_i_os_now_ns() + STARVED_NS) return (int)(STARVED_NS / LEAT_I_NS_PER_MS);
    if (first_ns == LEAT_I_NEVER_NS) return -1;
    int64_t left_ns = first_ns - leat_i_os_now_ns();
    if (left_ns <= 0) return 0;
    int64_t ms = (left_ns + LEAT_I_NS_PER_MS - 1) / LEAT_I_NS_PER_MS; /* Up: early would only mean to sleep again. */
    return ms > 3600000 ? 3600000 : (int)ms;
}

/* Waits for events, at most so long, and sees to them. Gives how many there were. */
static int loop_wait(leat_i_loop *loop, int timeout_ms)
{
    struct epoll_event event[EVENTS_MAX];
    if (timeout_ms != 0) {
        leat_store_relaxed(&loop->asleep, 1u);
        LEAT_FENCE_SEQ_CST(); /* Partner: the fence in loop_wake. */
        if (loop_has_work(loop)) timeout_ms = 0;
    }
    int count = epoll_wait(loop->epoll_fd, event, EVENTS_MAX, timeout_ms);
    leat_store_relaxed(&loop->asleep, 0u); /* A late signal of the eventfd is one wake-up too many, no more. */
    for (int i = 0; i < count; i++) {
        if (event[i].data.fd == loop->wake_fd)
            leat_i_os_eventfd_drain(loop->wake_fd);
        else
            leat_i_socket_event(loop, event[i].data.fd, event[i].events);
    }
    return count;
}

/* Whoever was stopped (Ctrl-Z, a debugger, a virtual machine that is moved) finds that all time is up, and the answers, which came in
 * time and may have been paid for, in the sockets. So they are read first. */
static void loop_catch_up(leat_i_loop *loop)
{
    int64_t now_ns = leat_i_os_now_ns(), until_ns = now_ns + STALL_READ_NS, first_ns = leat_i_heap_first_ns(&loop->heap);
    if (first_ns == LEAT_I_NEVER_NS || now_ns - first_ns < STALL_NS) return;
    while (loop_wait(loop, 0) > 0 && leat_i_os_now_ns() < until_ns)
        ;
    loop_run_pools(loop);
}

static void *loop_main(void *arg)
{
    leat_i_loop *loop = arg;
    for (;;) {
        loop_catch_up(loop);
        loop_take_work(loop);
        loop_run_timers(loop);
        loop_run_pools(loop);
        if (loop->stop) break;
        (void)loop_wait(loop, loop_timeout_ms(loop));
    }
    while (loop->origin) {
        leat_i_http_origin *o = loop->origin;
        leat_i_pools_free(o);
    }
    return NULL;
}

/* ---- start and end ---- */

static void loop_fini(leat_i_loop *loop)
{
    /* relaxed: all tasks that have added any have ended, which the end of the runtime has acquired. */
    for (leat_i_mailbox *box = leat_load_relaxed(&loop->mailbox), *next; box; box = next) {
        next = leat_i_mailbox_next(box);
        leat_i_mailbox_free(box);
    }
    for (size_t i = 0; i < loop->spare_count; i++)
        leat_i_buf_fini(&loop->spare[i]);
    if (loop->share) curl_share_cleanup(loop->share);
    if (loop->epoll_fd >= 0) leat_i_os_close(loop->epoll_fd);
    if (loop->wake_fd >= 0) leat_i_os_close(loop->wake_fd);
    leat_i_heap_fini(&loop->heap);
    pthread_mutex_destroy(&loop->known_mutex);
    leat_i_free(loop->fd);
    leat_i_free(loop);
}

static bool loop_init(leat_i_loop *loop)
{
    struct epoll_event event = { .events = EPOLLIN };
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = leat_i_os_eventfd();
    loop->share = curl_share_init();
    if (loop->epoll_fd < 0 || loop->wake_fd < 0 || !loop->share) return false;
    event.data.fd = loop->wake_fd;
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event) != 0) return false;
    /* One thread uses it, so it needs no locks. Connections must never be shared so. */
    return curl_share_setopt(loop->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) == CURLSHE_OK &&
           curl_share_setopt(loop->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK;
}

static void *loop_new(leat_runtime *rt)
{
    pthread_once(&curl_once, curl_start);
    leat_i_loop *loop = curl_ok ? leat_i_alloc_zeroed(sizeof *loop) : NULL;
    if (!loop) return NULL;
    loop->rt = rt;
    loop->id = leat_add_relaxed(&loop_ids, 1u); /* relaxed: only to differ. */
    loop->epoll_fd = loop->wake_fd = -1;
    pthread_mutex_init(&loop->known_mutex, NULL);
    if (!loop_init(loop) || leat_i_os_thread_start(&loop->thread, "leat-net", loop_main, loop) != 0) {
        loop_fini(loop);
        return NULL;
    }
    return loop;
}

static void op_stop(leat_i_loop *loop, leat_i_op *op)
{
    (void)op;
    loop->stop = true;
}

static void loop_free(void *object)
{
    leat_i_loop *loop = object;
    leat_i_op op = { .run = op_stop };
    leat_i_loop_op(loop, &op);
    pthread_join(loop->thread, NULL);
    /* A client that outlives its runtime keeps nothing that needs the loop. No task is left that could use it. */
    for (leat_i_http_origin *o = loop->known; o; o = o->known_next) {
        leat_i_pools_free(o);
        o->loop = NULL;
    }
    loop_fini(loop);
}

leat_i_loop *leat_i_loop_of(leat_runtime *rt)
{
    return leat_i_runtime_room(rt, LEAT_I_ROOM_NET, loop_new, loop_free);
}
