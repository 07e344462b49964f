/*
 * main.c: the explorer's command line.
 *
 *     explore                      names the cases
 *     explore CASE ...             searches; with LEAT_LONG set as far as the case's long form goes
 *     explore -b BOUND CASE ...    searches so far: switches,stale,both,random
 *     explore CASE BOUND CHOICES   replays what a search has printed, and says each step
 */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const explore_case *case_find(const char *name)
{
    for (const explore_case *const *c = explore_cases; *c; c++)
        if (strcmp((*c)->name, name) == 0) return *c;
    return NULL;
}

int main(int argc, char **argv)
{
    bool full = getenv("LEAT_LONG") != NULL;
    explore_bound bound, *given = NULL;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 1) {
        for (const explore_case *const *c = explore_cases; *c; c++)
            puts((*c)->name);
        return 0;
    }
    explore_threads_init();
    if (argc == 4 && argv[1][0] != '-' && argv[2][0] >= '0' && argv[2][0] <= '9') {
        const explore_case *c = case_find(argv[1]);
        char text[65536];
        snprintf(text, sizeof text, "%s %s", argv[2], argv[3]);
        return c ? explore_replay(c, text) : 2;
    }
    int failed = 0, first = 1;
    if (argc > 3 && strcmp(argv[1], "-b") == 0) {
        if (sscanf(argv[2], "%u,%u,%u,%u", &bound.switches, &bound.stale, &bound.both, &bound.random) != 4) return 2;
        given = &bound;
        first = 3;
    }
    for (int i = first; i < argc; i++) {
        size_t length = strlen(argv[i]);
        bool found = false;
        for (const explore_case *const *c = explore_cases; *c; c++) {
            /* "litmus_" names all cases that begin so. */
            if (strncmp((*c)->name, argv[i], length) != 0 || ((*c)->name[length] && argv[i][length - 1] != '_')) continue;
            found = true;
            failed |= explore_search(*c, given ? given : full ? &(*c)->full : &(*c)->quick);
        }
        if (!found) fprintf(stderr, "explore: there is no case %s\n", argv[i]);
        failed |= !found;
    }
    return failed != 0;
}
