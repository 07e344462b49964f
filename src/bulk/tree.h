/*
 * tree.h: the files under a path, in the order of their bytes, folder by folder.
 *
 * Regular files, and links to them; links to folders are not followed (they may lead in circles), but counted. Names that start
 * with a dot are left out below the paths given: documents go to an endpoint, and .env or .git should not.
 */
#ifndef LEAT_I_BULK_TREE_H
#define LEAT_I_BULK_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/buf.h"

enum { LEAT_I_TREE_DEPTH_MAX = 128 };

typedef struct leat_i_tree {         /* zeroed memory is a tree with nothing in it */
    struct leat_i_tree_level *level; /* innermost first */
    size_t depth;
    leat_i_buf path;      /* of the entry given last */
    uint64_t links_left;  /* links to folders, not followed */
    uint64_t others_left; /* links that lead nowhere, pipes, sockets, devices */
} leat_i_tree;

/* Starts at `path`, a file or a folder. 0 or -ENOMEM. Only when the one before has been walked to its end. */
int leat_i_tree_start(leat_i_tree *t, const char *path);
/* 1 = `*path` is a file, valid until the next call; 0 = no more. Less than 0 = -errno: `*path` (a file or a folder) cannot be
 * read; the walk goes on with the next, unless it is -ENOMEM. */
int leat_i_tree_next(leat_i_tree *t, const char **path);
void leat_i_tree_fini(leat_i_tree *t);

#endif
