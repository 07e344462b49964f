/*
 * choice.c: the search over choices.
 *
 * An execution is a function of its choices. The exhaustive part walks their tree depth first: run, take the last choice that has
 * another answer, run again with that prefix. It begins with no deviation and allows one more each time, so that what is found first is
 * the shortest way to fail. The random part draws each choice; its seed is the number of the execution.
 *
 * Choices are printed without those that are 0: "12=1,40=2" is "the 12th choice was 1, the 40th was 2".
 */
#include "model.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CHOICES_MAX = 400000, TEXT_MAX = 1 << 16 };

static struct {
    uint16_t options, picked;
} choices[CHOICES_MAX];
static unsigned choice_count, prefix_count;
static explore_bound left;
static unsigned left_both;
static bool drawing, searching;
static uint64_t draw_state;
bool explore_tracing;
static bool quiet;

void explore_trace(const char *fmt, ...)
{
    va_list args;
    if (!explore_tracing) return;
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
}

void explore_quiet(bool on)
{
    quiet = on;
}

static uint64_t draw(void)
{
    return leat_i_rand_next(&draw_state);
}

bool explore_may(enum choice kind)
{
    if (quiet) return false;
    if (kind == CHOICE_FREE || drawing) return true;
    return left_both > 0 && (kind == CHOICE_SWITCH ? left.switches : left.stale) > 0;
}

static unsigned drawn(unsigned n, enum choice kind)
{
    if (kind == CHOICE_FREE) return (unsigned)(draw() % n);
    if (draw() % (kind == CHOICE_SWITCH ? 6 : 4) != 0) return 0;
    return 1 + (unsigned)(draw() % (n - 1));
}

unsigned explore_choose(unsigned n, enum choice kind)
{
    if (n <= 1 || !explore_may(kind)) return 0;
    if (choice_count == CHOICES_MAX) explore_fail(__FILE__, __LINE__, "too many choices in one execution");
    unsigned at = choice_count++;
    choices[at].options = (uint16_t)n;
    if (at >= prefix_count) choices[at].picked = (uint16_t)(drawing && searching ? drawn(n, kind) : 0);
    unsigned picked = choices[at].picked;
    if (picked >= n) explore_fail(__FILE__, __LINE__, "the choices do not fit this case");
    if (picked > 0 && kind != CHOICE_FREE && !drawing) {
        left_both--;
        (*(kind == CHOICE_SWITCH ? &left.switches : &left.stale))--;
    }
    return picked;
}

unsigned explore_any(unsigned n)
{
    return explore_choose(n, CHOICE_FREE);
}

static void choices_print(void)
{
    const char *separator = "";
    putchar('\'');
    if (drawing) fputs("any:", stdout); /* no bound: more choices are offered then */
    for (unsigned i = 0; i < choice_count; i++) {
        if (choices[i].picked == 0) continue;
        printf("%s%u=%u", separator, i, choices[i].picked);
        separator = ",";
    }
    puts("'");
}

static bool execute(const explore_case *c, explore_bound bound)
{
    left = bound;
    left_both = bound.both;
    choice_count = 0;
    quiet = false;
    return explore_execute(c);
}

/* Runs what has failed once more, and says each step. */
static void show_failure(const explore_case *c, explore_bound bound)
{
    printf("%s: fails. Replay: explore %s %u,%u,%u ", c->name, c->name, bound.switches, bound.stale, bound.both);
    choices_print();
    fflush(stdout);
    prefix_count = choice_count;
    searching = false;
    explore_tracing = true;
    if (execute(c, bound)) printf("%s: the replay did not fail: the case depends on more than its choices\n", c->name);
    explore_tracing = false;
    searching = true;
}

/* Prepares the next execution of the tree; false = it was the last one. */
static bool choices_next(void)
{
    while (choice_count > 0) {
        unsigned last = choice_count - 1;
        if (choices[last].picked + 1u < choices[last].options) {
            choices[last].picked++;
            prefix_count = choice_count;
            return true;
        }
        choice_count--;
    }
    return false;
}

static bool search_all(const explore_case *c, explore_bound bound, uint64_t *count)
{
    prefix_count = 0;
    drawing = false;
    do {
        ++*count;
        if (!execute(c, bound)) {
            if (!c->fails) show_failure(c, bound);
            return false;
        }
    } while (choices_next());
    return true;
}

static bool search_random(const explore_case *c, explore_bound bound, uint64_t *count)
{
    drawing = true;
    prefix_count = 0;
    for (unsigned seed = 1; seed <= bound.random; seed++) {
        draw_state = seed;
        ++*count;
        if (execute(c, bound)) continue;
        printf("%s: seed %u\n", c->name, seed);
        if (!c->fails) show_failure(c, bound);
        return false;
    }
    return true;
}

int explore_search(const explore_case *c, const explore_bound *bound)
{
    explore_bound most = *bound;
    uint64_t count = 0, drawn_count = 0;
    clock_t begin = clock();
    searching = true;
    bool good = true;
    for (unsigned both = 0; good && both <= most.both; both++) {
        explore_bound part = { most.switches < both ? most.switches : both, most.stale < both ? most.stale : both, both, 0 };
        good = search_all(c, part, &count);
    }
    good = good && search_random(c, most, &drawn_count);
    if (c->fails) {
        printf("%s: %s\n", c->name, good ? "should have failed" : "fails, as it must");
        return good;
    }
    if (good)
        printf("%s: all %" PRIu64 " executions with at most %u switches, %u stale reads, %u in all; %" PRIu64
               " random; %.1f s\n",
               c->name, count, most.switches, most.stale, most.both, drawn_count,
               (double)(clock() - begin) / CLOCKS_PER_SEC);
    return !good;
}

int explore_replay(const explore_case *c, const char *text)
{
    explore_bound bound = { 0 };
    int used = 0;
    if (sscanf(text, "%u,%u,%u %n", &bound.switches, &bound.stale, &bound.both, &used) != 3) return 2;
    text += used;
    drawing = strncmp(text, "any:", 4) == 0;
    if (drawing) text += 4;
    searching = false;
    explore_tracing = true;
    prefix_count = 0;
    memset(choices, 0, sizeof choices);
    unsigned at, picked;
    for (; sscanf(text, "%u=%u%n", &at, &picked, &used) == 2 && at < CHOICES_MAX; text += used + (text[used] == ',')) {
        choices[at].picked = (uint16_t)picked;
        prefix_count = at + 1;
    }
    return !execute(c, bound);
}
