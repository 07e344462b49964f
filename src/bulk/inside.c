/* inside.c: goes up from the file's folder, ".." by "..", and compares what stands there, not how it is called. */
#include "inside.h"

#include <string.h>

#include "../base/buf.h"
#include "../base/os.h"

enum { LEVELS_MAX = 256 };

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* The folder that holds the file, by name. */
static bool parent_put(leat_i_buf *path, const char *file)
{
    const char *slash = strrchr(file, '/');
    if (!slash) return leat_i_buf_puts(path, ".");
    return leat_i_buf_append(path, file, slash == file ? 1 : (size_t)(slash - file));
}

bool leat_i_path_is_inside(const char *file, const char *folder)
{
    struct stat wanted, here, below = { 0 };
    leat_i_buf path = { 0 };
    bool inside = false;
    if (leat_i_os_stat(folder, &wanted) < 0 || !S_ISDIR(wanted.st_mode)) return false;
    bool good = parent_put(&path, file);
    for (int level = 0; good && !inside && level < LEVELS_MAX; level++) {
        if (leat_i_os_stat(path.data, &here) < 0) break;
        if (level && same(&here, &below)) break; /* The root is its own parent. */
        inside = same(&here, &wanted);
        below = here;
        good = leat_i_buf_puts(&path, "/..");
    }
    leat_i_buf_fini(&path);
    return inside;
}
