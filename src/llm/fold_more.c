/*
 * fold_more.c: members of a stream's chunks that this library does not know by name: log probabilities, annotations, sound, images,
 * reasons for reasoning, and what providers will think of next. They were asked for, and paid for, so none may be lost.
 *
 * Where pieces of one thing come chunk by chunk, lists are joined, objects member by member, and, in a message, texts too; what
 * names a thing (its id and the like) stays as it first came, and any other value as it last did.
 */
#include "form.h"

#include <string.h>

#include "../base/mem.h"

enum { DEPTH_MAX = 4 };

void leat_i_more_fini(leat_i_more *m)
{
    for (size_t i = 0; i < m->count; i++) {
        leat_i_buf_fini(&m->member[i].name), leat_i_buf_fini(&m->member[i].value);
        leat_i_more_fini(&m->member[i].inner);
    }
    leat_i_free(m->member);
    *m = (leat_i_more){ 0 };
}

static leat_i_more_member *member_of(leat_i_fold *f, leat_i_more *m, leat_i_json key)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->member[i].name.size == key.size && memcmp(m->member[i].name.data, key.at, key.size) == 0)
            return &m->member[i];
    leat_i_more_member *grown = leat_i_fold_grow(f, &m->member, &m->count, LEAT_I_MORE_MAX, sizeof *grown);
    if (grown && !leat_i_buf_append(&grown->name, key.at, key.size)) f->failed = true;
    return grown;
}

static void list_append(leat_i_fold *f, leat_i_buf *to, leat_i_json list)
{
    leat_i_json one;
    for (size_t at = 0; leat_i_json_next_element(list, &at, &one);)
        if ((to->size && !leat_i_buf_puts(to, ",")) || !leat_i_json_put_compact(to, one)) f->failed = true;
}

static bool member_take(leat_i_fold *f, leat_i_more_member *member, leat_i_json key, leat_i_json value, leat_i_more_way way,
                        int depth)
{
    static const char *const names[] = { "id", "type", "object", "format", "index", NULL };
    static const char *const none[] = { NULL };
    bool is_new = member->type == LEAT_I_JSON_NONE;
    bool grows = way != LEAT_I_MORE_LAST && (is_new || member->type == value.type) && depth < DEPTH_MAX;
    if (value.type == LEAT_I_JSON_STRING && way != LEAT_I_MORE_PIECES) grows = false;
    if (!is_new && way == LEAT_I_MORE_PIECES && leat_i_json_is_any(key, names)) return false;
    member->type = value.type;
    switch (grows ? value.type : LEAT_I_JSON_NONE) {
    case LEAT_I_JSON_STRING:
        return leat_i_fold_text(f, &member->value, NULL, value);
    case LEAT_I_JSON_ARRAY:
        list_append(f, &member->value, value);
        return value.size > 2;
    case LEAT_I_JSON_OBJECT:
        return leat_i_more_take(f, &member->inner, value, none, way, depth + 1);
    default: /* Whole, as it stands. */
        leat_i_more_fini(&member->inner);
        leat_i_fold_last(f, &member->value, value);
        member->type = LEAT_I_JSON_NULL;
        return leat_i_json_is_filled(value);
    }
}

bool leat_i_more_take(leat_i_fold *f, leat_i_more *m, leat_i_json object, const char *const *known, leat_i_more_way way,
                      int depth)
{
    leat_i_json key, value;
    bool any = false;
    for (size_t at = 0; leat_i_json_next_member(object, &at, &key, &value);) {
        if (value.type == LEAT_I_JSON_NULL || leat_i_json_is_any(key, known)) continue;
        leat_i_more_member *member = member_of(f, m, key);
        if (!member) return any;
        any |= member_take(f, member, key, value, way, depth);
    }
    return any;
}

static bool member_put(leat_i_buf *out, const leat_i_more_member *member)
{
    const char *value = member->value.data ? member->value.data : "";
    bool ok = leat_i_buf_append(out, member->name.data, member->name.size) && leat_i_buf_puts(out, ":");
    switch (member->type) {
    case LEAT_I_JSON_STRING:
        return ok && leat_i_fold_put_text(out, "", &member->value, true);
    case LEAT_I_JSON_ARRAY:
        return ok && leat_i_buf_puts(out, "[") && leat_i_buf_puts(out, value) && leat_i_buf_puts(out, "]");
    case LEAT_I_JSON_OBJECT:
        ok = ok && leat_i_buf_puts(out, "{");
        for (size_t i = 0; ok && i < member->inner.count; i++)
            ok = (!i || leat_i_buf_puts(out, ",")) && member_put(out, &member->inner.member[i]);
        return ok && leat_i_buf_puts(out, "}");
    default:
        return ok && leat_i_buf_puts(out, value);
    }
}

bool leat_i_more_put(leat_i_buf *out, const leat_i_more *m)
{
    bool ok = true;
    for (size_t i = 0; ok && i < m->count; i++)
        ok = leat_i_buf_puts(out, ",") && member_put(out, &m->member[i]);
    return ok;
}
