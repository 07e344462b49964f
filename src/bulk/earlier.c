/* earlier.c: see earlier.h. */
#include "earlier.h"

#include <stdio.h>

leat_err leat_i_earlier_take(leat_i_settings *now, const leat_i_settings *old, uint64_t rows, leat_i_arena *arena)
{
    leat_error differs;
    size_t count = old ? old->earlier_count : 0;
    leat_i_earlier *list = leat_i_arena_alloc(arena, (count + 1) * sizeof *list);
    if (!list) return LEAT_NOMEM;
    now->earlier = list;
    now->earlier_count = 0;
    uint64_t last = 0;
    for (size_t i = 0; i < count; i++) {
        if (old->earlier[i].until_row <= last) continue; /* all of them have been taken out */
        list[now->earlier_count++] = old->earlier[i];
        last = old->earlier[i].until_row;
    }
    if (rows <= last || (old && !leat_i_settings_compare_making(old, now, &differs))) return LEAT_OK;
    leat_i_earlier *e = &list[now->earlier_count++];
    *e = (leat_i_earlier){ .until_row = rows, .known = old != NULL };
    if (!old) return LEAT_OK;
    e->settings = *old;
    e->settings.input = NULL;
    e->settings.earlier = NULL;
    e->settings.input_count = e->settings.earlier_count = 0;
    return LEAT_OK;
}

void leat_i_earlier_say(const leat_i_settings *now, const char *path, char *out, size_t size)
{
    uint64_t before = 0, rows = 0;
    leat_error first = { .code = LEAT_OK }, differs;
    for (size_t i = 0; i < now->earlier_count; i++) {
        const leat_i_earlier *e = &now->earlier[i];
        if (!e->known) snprintf(differs.text, sizeof differs.text, "the settings of some are not known");
        if (!e->known || leat_i_settings_compare_making(&e->settings, now, &differs)) {
            if (rows == 0) first = differs;
            rows += e->until_row - before;
        }
        before = e->until_row;
    }
    out[0] = 0;
    if (rows == 0) return;
    snprintf(out, size, "%llu rows of %.100s are not from these settings (%.150s); %.100s.leat tells which",
             (unsigned long long)rows, path, first.text, path);
}
