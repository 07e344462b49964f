/*
 * main.c: the explorer's command line.
 *
 *     explore                      names the cases
 *     explore CASE ...             searches; with LEAT_LONG set as far as the case's long form goes
 *     explore -b BOUND CASE ...    searches so far: switches,stale,both,random
 *     explore -w LIST ...          the rest, with some orders made weaker than the sources say (sites.c); -s prints what came up
 *     explore CASE BOUND CHOICES   replays what a search has printed, and says each step
 */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const explore_case *case_find(const char *name)
{
    for (const explore_case *const *c = explore_cases; *c; c++)
        if (strcmp((*c)->name, name) == 0) return *c;
    return NULL;
}

/* Those that `name` stands for: "litmus_" names all cases that begin so. Gives what main does. */
static int cases_search(const char *name, const explore_bound *given, bool full)
{
    size_t length = strlen(name);
    int failed = 0, found = 0;
    for (const explore_case *const *c = explore_cases; *c; c++) {
        if (strncmp((*c)->name, name, length) != 0 || ((*c)->name[length] && name[length - 1] != '_')) continue;
        found = 1;
        failed |= explore_search(*c, given ? given : full ? &(*c)->full : &(*c)->quick);
    }
    if (!found) fprintf(stderr, "explore: there is no case %s\n", name);
    return failed | !found;
}

static int replay(const char *name, const char *bound, const char *choices)
{
    const explore_case *c = case_find(name);
    char text[65536];
    snprintf(text, sizeof text, "%s %s", bound, choices);
    return c ? explore_replay(c, text) : 2;
}

int main(int argc, char **argv)
{
    bool full = getenv("LEAT_LONG") != NULL, sites = false;
    explore_bound bound, *given = NULL;
    int option, failed = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    while ((option = getopt(argc, argv, "b:sw:")) != -1) {
        if (option == 's') {
            sites = true;
        } else if (option == 'b') {
            if (sscanf(optarg, "%u,%u,%u,%u", &bound.switches, &bound.stale, &bound.both, &bound.random) != 4) return 2;
            given = &bound;
        } else if (option != 'w' || !explore_sites_weaken(optarg)) {
            return 2;
        }
    }
    if (optind == argc)
        for (const explore_case *const *c = explore_cases; *c; c++)
            puts((*c)->name);
    explore_threads_init();
    if (argc - optind == 3 && argv[optind + 1][0] >= '0' && argv[optind + 1][0] <= '9')
        return replay(argv[optind], argv[optind + 1], argv[optind + 2]);
    for (int i = optind; i < argc; i++)
        failed |= cases_search(argv[i], given, full);
    if (sites) explore_sites_print();
    return failed;
}
