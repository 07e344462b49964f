/* inside.h: whether a file lies, or will lie, below a folder. */
#ifndef LEAT_I_BULK_INSIDE_H
#define LEAT_I_BULK_INSIDE_H

#include <stdbool.h>

/* `file` need not exist. Links on the way are followed; false when something cannot be looked at. */
bool leat_i_path_is_inside(const char *file, const char *folder);

#endif
