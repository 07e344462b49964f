/* tree.c: walks folders; one level holds the sorted names of one folder, and the levels form the way to the current file. */
#include "tree.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../base/mem.h"
#include "../base/os.h"

struct leat_i_tree_level {
    struct leat_i_tree_level *outer;
    leat_i_buf names;   /* NUL-ended, one behind the other */
    const char **entry; /* sorted, into `names` */
    size_t count, at;
    size_t path_bytes; /* of the folder in the tree's path, "/" included */
};

static int entry_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void level_free(struct leat_i_tree_level *l)
{
    leat_i_buf_fini(&l->names);
    leat_i_free(l->entry);
    leat_i_free(l);
}

static int names_read(struct leat_i_tree_level *l, leat_i_os_dir *dir)
{
    const char *name;
    int rc;
    while ((rc = leat_i_os_dir_next(dir, &name)) > 0) {
        if (name[0] == '.') continue;
        if (!leat_i_buf_append(&l->names, name, strlen(name) + 1)) return -ENOMEM;
        l->count++;
    }
    return rc;
}

/* Opens the folder whose path stands in t->path. */
static int level_push(leat_i_tree *t)
{
    if (t->depth == LEAT_I_TREE_DEPTH_MAX) return -ELOOP;
    leat_i_os_dir *dir;
    int rc = leat_i_os_dir_open(&dir, t->path.data);
    if (rc < 0) return rc;
    struct leat_i_tree_level *l = leat_i_alloc_zeroed(sizeof *l);
    rc = l ? names_read(l, dir) : -ENOMEM;
    leat_i_os_dir_close(dir);
    if (rc == 0 && l->count > 0 && !(l->entry = leat_i_alloc(l->count * sizeof *l->entry))) rc = -ENOMEM;
    if (rc == 0 && t->path.data[t->path.size - 1] != '/' && !leat_i_buf_append(&t->path, "/", 1)) rc = -ENOMEM;
    if (rc < 0) {
        if (l) level_free(l);
        return rc;
    }
    const char *name = l->names.data;
    for (size_t i = 0; i < l->count; i++, name += strlen(name) + 1)
        l->entry[i] = name;
    if (l->count > 1) qsort(l->entry, l->count, sizeof *l->entry, entry_compare);
    l->path_bytes = t->path.size;
    l->outer = t->level;
    t->level = l;
    t->depth++;
    return 0;
}

int leat_i_tree_start(leat_i_tree *t, const char *path)
{
    leat_i_buf_clear(&t->path);
    /* A folder is the same with and without a slash at its end, and so are the names below it. */
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    struct leat_i_tree_level *l = leat_i_alloc_zeroed(sizeof *l);
    if (!l) return -ENOMEM;
    /* The path given is the one entry of a level of its own: so the walk has one way to take an entry. */
    l->entry = leat_i_alloc(sizeof *l->entry);
    if (!l->entry || !leat_i_buf_append(&l->names, path, size) || !leat_i_buf_append(&l->names, "", 1)) {
        level_free(l);
        return -ENOMEM;
    }
    l->entry[0] = l->names.data;
    l->count = 1;
    t->level = l;
    t->depth = 1;
    return 0;
}

static void level_pop(leat_i_tree *t)
{
    struct leat_i_tree_level *l = t->level;
    t->level = l->outer;
    t->depth--;
    level_free(l);
}

/* Looks at the entry in t->path: 1 = a file to give, 0 = nothing to give (a folder was entered, or it is something else). */
static int entry_look(leat_i_tree *t, bool given)
{
    struct stat st;
    int rc = given ? leat_i_os_stat(t->path.data, &st) : leat_i_os_lstat(t->path.data, &st);
    if (rc < 0) return rc;
    if (S_ISDIR(st.st_mode)) return level_push(t);
    if (S_ISLNK(st.st_mode)) {
        /* A link that leads nowhere is no document, and no reason to stop. */
        if (leat_i_os_stat(t->path.data, &st) < 0) st.st_mode = 0;
        t->links_left += S_ISDIR(st.st_mode);
        if (S_ISDIR(st.st_mode)) return 0;
    }
    if (S_ISREG(st.st_mode) || given) return 1;
    t->others_left++;
    return 0;
}

int leat_i_tree_next(leat_i_tree *t, const char **path)
{
    *path = NULL;
    while (t->level) {
        struct leat_i_tree_level *l = t->level;
        if (l->at == l->count) {
            level_pop(t);
            continue;
        }
        const char *name = l->entry[l->at++];
        t->path.size = l->path_bytes;
        if (!leat_i_buf_append(&t->path, name, strlen(name))) return -ENOMEM;
        int rc = entry_look(t, l->outer == NULL);
        *path = t->path.data;
        if (rc != 0) return rc;
    }
    return 0;
}

void leat_i_tree_fini(leat_i_tree *t)
{
    while (t->level)
        level_pop(t);
    leat_i_buf_fini(&t->path);
    memset(t, 0, sizeof *t);
}
