/*
 * list.c: the items of a batch node and the param sets of a batch flow, added one by one in prep.
 *
 * The array doubles in the task's memory, which takes the outgrown ones back with everything else: twice the pointers at most.
 */
#include "walk.h"

#include <string.h>

#define ROOM_MIN 8

struct item_list {
    leat_items items; /* what *prep_res points to: the first member */
    size_t room;
};

struct set_list {
    leat_param_sets sets; /* as above */
    size_t room;
};

/* The array with room for one more element; NULL when memory is short, and the task knows. */
static void *list_grow(leat_task *t, const void *old, size_t count, size_t *room, size_t element_bytes)
{
    size_t more = *room ? 2 * *room : ROOM_MIN;
    void *grown = more > SIZE_MAX / element_bytes ? NULL : leat_task_alloc(t, more * element_bytes);
    if (!grown) {
        t->nomem = true;
        return NULL;
    }
    if (count > 0) memcpy(grown, old, count * element_bytes);
    *room = more;
    return grown;
}

void leat_items_add(leat_task *t, const void **prep_res, const void *item)
{
    leat_i_task_require(t, __func__);
    if (!prep_res) leat_i_wrong(__func__, "without the prep's result");
    struct item_list *list = (struct item_list *)(uintptr_t)*prep_res;
    if (!list && !(list = leat_task_alloc(t, sizeof *list))) return;
    *prep_res = list;
    leat_items *items = &list->items;
    if (items->count == list->room) {
        void *grown = list_grow(t, items->item, items->count, &list->room, sizeof *items->item);
        if (!grown) return;
        items->item = grown;
    }
    ((const void **)(uintptr_t)items->item)[items->count++] = item;
}

static const char *text_copy(leat_task *t, const char *text)
{
    char *copy = leat_i_arena_strndup(&t->arena, text, strlen(text));
    if (!copy) t->nomem = true;
    return copy;
}

/* A copy of `count` params; NULL when memory is short, and the task knows. */
static leat_param *params_copy(leat_task *t, const leat_param *param, size_t count)
{
    leat_param *copy = leat_task_alloc(t, count * sizeof *copy);
    for (size_t i = 0; copy && i < count; i++) {
        copy[i].key = text_copy(t, param[i].key);
        copy[i].value = param[i].value ? text_copy(t, param[i].value) : NULL;
    }
    return t->nomem ? NULL : copy;
}

void leat_param_sets_add(leat_task *t, const void **prep_res, const leat_param *params, size_t count)
{
    leat_i_task_require(t, __func__);
    if (!prep_res) leat_i_wrong(__func__, "without the prep's result");
    if (!params && count > 0) leat_i_wrong(__func__, "without params");
    for (size_t i = 0; i < count; i++)
        if (!params[i].key) leat_i_wrong(__func__, "with a param that has no key");
    struct set_list *list = (struct set_list *)(uintptr_t)*prep_res;
    if (!list && !(list = leat_task_alloc(t, sizeof *list))) return;
    *prep_res = list;
    leat_param_sets *sets = &list->sets;
    if (sets->count == list->room) {
        void *grown = list_grow(t, sets->set, sets->count, &list->room, sizeof *sets->set);
        if (!grown) return;
        sets->set = grown;
    }
    const leat_param *copy = params_copy(t, params, count);
    if (!copy) return;
    ((leat_param_set *)(uintptr_t)sets->set)[sets->count++] = (leat_param_set){ copy, count };
}
