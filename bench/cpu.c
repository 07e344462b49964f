/*
 * cpu.c: CPU-heavy batches on two workers, against a serial loop and against two plain threads that share the items evenly:
 * the two-thread ceiling of this machine at this moment. Two kinds of work: SHA-256 of 64 KiB, and a node like a parser
 * (branches on every byte of a text, items of uneven size).
 *
 *   bench_cpu [--items N] [--repeats N] [--workers N]
 *
 * Serial, threads and leat run in turn, and the medians are printed.
 */
#include <leat/flow.h>
#include <pthread.h>
#include <stdbool.h>

#include "bench_util.h"

enum { ITEM_BYTES = 64 * 1024, REPEATS_MAX = 64, THREADS = 2 };

struct item {
    const unsigned char *data;
    size_t size;
    uint64_t result;
};

typedef uint64_t (*work_fn)(const unsigned char *data, size_t size);

/* ---- SHA-256 (FIPS 180-4), plain C ---- */

static const uint32_t sha_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

static void sha_block(uint32_t state[8], const unsigned char *p)
{
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[i - 7] + (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
    memcpy(s, state, sizeof s);
    for (int i = 0; i < 64; i++) {
        uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]), majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
        uint32_t t1 = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) + choice + sha_k[i] + w[i];
        uint32_t t2 = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) + majority;
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++)
        state[i] += s[i];
}

static uint64_t work_sha(const unsigned char *data, size_t size)
{
    uint32_t state[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
    unsigned char last[128] = { 0 };
    size_t whole = size / 64 * 64, rest = size - whole, room = rest < 56 ? 64 : 128;
    for (size_t at = 0; at < whole; at += 64)
        sha_block(state, data + at);
    memcpy(last, data + whole, rest);
    last[rest] = 0x80;
    for (int i = 0; i < 8; i++)
        last[room - 1 - (size_t)i] = (unsigned char)((uint64_t)size * 8 >> (8 * i));
    for (size_t at = 0; at < room; at += 64)
        sha_block(state, last + at);
    return (uint64_t)state[0] << 32 | state[1];
}

/* ---- like a parser: words, numbers and brackets of a text, a branch on every byte ---- */

static uint64_t work_parse(const unsigned char *data, size_t size)
{
    uint64_t words = 0, numbers = 0, sum = 0, depth = 0, deepest = 0, hash = 14695981039346656037u;
    for (size_t i = 0; i < size;) {
        unsigned char c = data[i];
        if (c >= 'a' && c <= 'z') {
            for (; i < size && data[i] >= 'a' && data[i] <= 'z'; i++)
                hash = (hash ^ data[i]) * 1099511628211u;
            words++;
        } else if (c >= '0' && c <= '9') {
            uint64_t value = 0;
            for (; i < size && data[i] >= '0' && data[i] <= '9'; i++)
                value = value * 10 + (uint64_t)(data[i] - '0');
            sum += value;
            numbers++;
        } else {
            if (c == '(' && ++depth > deepest) deepest = depth;
            if (c == ')' && depth > 0) depth--;
            i++;
        }
    }
    return hash ^ words << 40 ^ numbers << 20 ^ sum ^ deepest << 60;
}

/* ---- the three ways ---- */

static struct {
    struct item *item;
    const void **list;
    int64_t count;
    work_fn work;
    leat_items items;
    leat_runtime *rt;
} bench;

static void items_work(int64_t from, int64_t step)
{
    for (int64_t i = from; i < bench.count; i += step)
        bench.item[i].result = bench.work(bench.item[i].data, bench.item[i].size);
}

static double way_serial(void)
{
    int64_t start_ns = bench_now_ns();
    items_work(0, 1);
    return (double)(bench_now_ns() - start_ns) / 1e9;
}

static void *thread_main(void *arg)
{
    items_work(*(int64_t *)arg, THREADS);
    return NULL;
}

static double way_threads(void)
{
    pthread_t thread[THREADS];
    int64_t from[THREADS], start_ns = bench_now_ns();
    for (int i = 0; i < THREADS; i++) {
        from[i] = i;
        if (pthread_create(&thread[i], NULL, thread_main, &from[i]) != 0) bench_die("pthread_create");
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    return (double)(bench_now_ns() - start_ns) / 1e9;
}

static leat_err items_prep(leat_task *t, void *shared, const void **prep_res)
{
    (void)t, (void)shared;
    *prep_res = &bench.items;
    return LEAT_OK;
}

static leat_err item_exec(leat_task *t, const void *prep_res, const void **exec_res)
{
    (void)t;
    struct item *item = (struct item *)prep_res;
    item->result = bench.work(item->data, item->size);
    *exec_res = item;
    return LEAT_OK;
}

static const leat_node_class worker = { .name = "Worker", .prep = items_prep, .exec = item_exec };

static double way_leat(void)
{
    leat_flow *flow = leat_flow_new(NULL);
    leat_flow_add(flow, &worker, &(leat_node_opts){ .batch = true, .in_flight_max = 64 });
    int64_t start_ns = bench_now_ns();
    if (leat_flow_run(bench.rt, flow, NULL, NULL) != LEAT_OK) bench_die("leat_flow_run");
    double seconds = (double)(bench_now_ns() - start_ns) / 1e9;
    leat_flow_free(flow);
    return seconds;
}

static uint64_t results_sum(void)
{
    uint64_t sum = 0;
    for (int64_t i = 0; i < bench.count; i++) {
        sum = sum * 31 + bench.item[i].result;
        bench.item[i].result = 0;
    }
    return sum;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const char *name, work_fn work, int repeats, const char *end)
{
    double (*const way[3])(void) = { way_serial, way_threads, way_leat };
    double seconds[3][REPEATS_MAX];
    uint64_t sum = 0;
    bench.work = work;
    for (int r = 0; r < repeats; r++) {
        for (int k = 0; k < 3; k++) {
            seconds[k][r] = way[k]();
            uint64_t now = results_sum();
            if (r + k > 0 && now != sum) bench_die("the ways do not agree");
            sum = now;
        }
    }
    for (int k = 0; k < 3; k++)
        qsort(seconds[k], (size_t)repeats, sizeof(double), by_value);
    double serial = seconds[0][repeats / 2], threads = seconds[1][repeats / 2], leat = seconds[2][repeats / 2];
    printf(
        "\"%s\":{\"serial_s\":%.4f,\"threads_s\":%.4f,\"leat_s\":%.4f,\"ceiling\":%.3f,\"speedup\":%.3f,\"share\":%.3f}%s",
        name, serial, threads, leat, serial / threads, serial / leat, threads / leat, end);
}

/* Random text: words, numbers, brackets. Sizes are even for hashing, and from an eighth to all of it for parsing. */
static void items_make(int64_t count, bool even)
{
    static unsigned char *text;
    uint64_t seed = 42;
    if (!text && !(text = malloc(4 * ITEM_BYTES))) bench_die("out of memory");
    for (size_t i = 0; i < 4 * ITEM_BYTES; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        text[i] = (unsigned char)"aeiounrstlm dhcg b ,.fk  0123456789()\n"[(seed >> 33) % 38];
    }
    for (int64_t i = 0; i < count; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        size_t size = even ? ITEM_BYTES : ITEM_BYTES / 8 + (size_t)((seed >> 33) % (ITEM_BYTES * 7 / 8));
        bench.item[i] = (struct item){ .data = text + (seed >> 40) % (3 * ITEM_BYTES), .size = size };
        bench.list[i] = &bench.item[i];
    }
}

int main(int argc, char **argv)
{
    bench.count = bench_arg_i64(argc, argv, "--items", 2000);
    int repeats = (int)bench_arg_i64(argc, argv, "--repeats", 5);
    bench.item = calloc((size_t)bench.count, sizeof *bench.item);
    bench.list = calloc((size_t)bench.count, sizeof *bench.list);
    if (!bench.item || !bench.list || repeats < 1 || repeats > REPEATS_MAX) bench_die("arguments");
    bench.items = (leat_items){ .item = bench.list, .count = (size_t)bench.count };
    leat_runtime_opts opts = { .worker_count = (uint32_t)bench_arg_i64(argc, argv, "--workers", THREADS) };
    if (leat_runtime_new(&bench.rt, &opts) != LEAT_OK) bench_die("runtime");
    if (work_sha((const unsigned char *)"abc", 3) != 0xba7816bf8f01cfeaU) bench_die("SHA-256 is wrong");
    printf("{\"items\":%lld,", (long long)bench.count);
    items_make(bench.count, true);
    measure("sha256", work_sha, repeats, ",");
    items_make(bench.count, false);
    measure("parser", work_parse, repeats, "}\n");
    leat_runtime_free(bench.rt);
    return 0;
}
