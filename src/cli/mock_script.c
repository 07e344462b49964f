/* mock_script.c: a script of the endpoint from the options that are short forms of its lines. */
#include "mock_script.h"

#include <stdio.h>
#include <string.h>

#include "../bulk/exit_code.h"
#include "../mock/faults.h"
#include "help.h"
#include "nearest.h"
#include "number.h"
#include "say.h"
#include "text_file.h"

enum { WORD_BYTES = 64 };

/* Copies what stands before `end` of a word's part; false when it is empty or too long to be right. */
static bool part_copy(char *to, const char *from, size_t size)
{
    if (size == 0 || size >= WORD_BYTES) return false;
    memcpy(to, from, size);
    to[size] = '\0';
    return true;
}

static int file_put(leat_i_buf *b, const char *path)
{
    leat_i_arena arena = { 0 };
    const char *text = "";
    char why[512];
    leat_err err = leat_i_text_file_read(path, &arena, &text, why, sizeof why);
    if (err)
        leat_i_say_error("mock", "--script: %s", why);
    else
        leat_i_buf_printf(b, "%s\n", text);
    leat_i_arena_fini(&arena);
    return leat_i_exit_of(err);
}

static int fault_refused(const char *name)
{
    leat_i_word_hint hint;
    const char *nearest = NULL;
    for (int i = 1; i < LEAT_I_MOCK_FAULT_COUNT; i++)
        nearest = leat_i_word_nearer(name, nearest, leat_i_mock_fault_name((leat_i_mock_fault_kind)i));
    leat_i_say_error("mock", "--fault: there is no fault '%s'%s", name,
                     leat_i_word_hint_put(hint, nearest, "; 'leat mock --list-faults' lists them"));
    return LEAT_I_EXIT_USAGE;
}

/* NAME, or NAME:SHARE. */
static int fault_put(leat_i_buf *b, const char *word)
{
    char name[WORD_BYTES];
    const char *colon = strchr(word, ':');
    double share = 1;
    if (!part_copy(name, word, colon ? (size_t)(colon - word) : strlen(word)) ||
        (colon && (!leat_i_number_double(colon + 1, &share) || !(share >= 0 && share <= 1)))) {
        leat_i_say_error("mock", "--fault takes NAME or NAME:SHARE with a share from 0 to 1, not '%s'", word);
        return LEAT_I_EXIT_USAGE;
    }
    if (leat_i_mock_fault_of(name) == LEAT_I_MOCK_FAULT_NONE) return fault_refused(name);
    leat_i_buf_printf(b, "{\"fault\":\"%s\",\"rate\":%.12g}\n", name, share);
    return LEAT_I_EXIT_OK;
}

/* "rpm:300": puts the member; false when it is none. */
static bool limit_member_put(leat_i_buf *b, const char *text, size_t size)
{
    static const char *const names[] = { "rpm", "tpm", "itpm", "otpm", "in_flight" };
    char word[WORD_BYTES];
    uint64_t n;
    if (!part_copy(word, text, size)) return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t length = strlen(names[i]);
        if (strncmp(word, names[i], length) != 0 || word[length] != ':') continue;
        if (strcmp(word + length + 1, "none") == 0) return leat_i_buf_printf(b, ",\"%s\":null", names[i]);
        if (!leat_i_number_whole(word + length + 1, &n) || n == 0 || n > (uint64_t)1e15) return false;
        return leat_i_buf_printf(b, ",\"%s\":%llu", names[i], (unsigned long long)n);
    }
    return false;
}

/* TIME=rpm:N,tpm:N,in_flight:N; an 's' may follow the time. */
static int limit_put(leat_i_buf *b, const char *word)
{
    char time[WORD_BYTES];
    double seconds = 0;
    const char *equals = strchr(word, '=');
    size_t size = equals ? (size_t)(equals - word) : 0;
    bool good = size > 0 && part_copy(time, word, word[size - 1] == 's' ? size - 1 : size) &&
                leat_i_number_double(time, &seconds) && seconds >= 0 && seconds <= 1e9;
    if (good) leat_i_buf_printf(b, "{\"from_s\":%.12g", seconds);
    for (const char *at = equals; good && *at;) {
        size_t part = strcspn(++at, ",");
        good = limit_member_put(b, at, part);
        at += part;
    }
    leat_i_buf_puts(b, "}\n");
    if (good) return LEAT_I_EXIT_OK;
    leat_i_say_error(
        "mock", "--limit-at takes SECONDS=LIMITS, such as 30=rpm:300 or 60=rpm:none,tpm:9000,in_flight:8, not '%s'", word);
    return LEAT_I_EXIT_USAGE;
}

int leat_i_mock_script_put(leat_i_buf *b, const char *path, const leat_i_list *faults, const leat_i_list *limits)
{
    int exit_code = path ? file_put(b, path) : LEAT_I_EXIT_OK;
    for (size_t i = 0; !exit_code && i < faults->count; i++)
        exit_code = fault_put(b, faults->item[i]);
    for (size_t i = 0; !exit_code && i < limits->count; i++)
        exit_code = limit_put(b, limits->item[i]);
    if (exit_code || !b->failed) return exit_code;
    leat_i_say_error("mock", "out of memory");
    return LEAT_I_EXIT_MACHINE;
}

static const struct {
    const char *what, *why;
} unplayed[] = {
#define UNPLAYED_ROW(what, why) { what, why },
    LEAT_I_MOCK_UNPLAYED_MAP(UNPLAYED_ROW)
#undef UNPLAYED_ROW
};

int leat_i_mock_faults_print(void)
{
    leat_i_buf b = { 0 };
    for (int i = 1; i < LEAT_I_MOCK_FAULT_COUNT; i++) {
        leat_i_mock_fault_kind kind = (leat_i_mock_fault_kind)i;
        leat_i_buf_printf(&b, "%-20s %s\n", leat_i_mock_fault_name(kind), leat_i_mock_fault_sentence(kind));
    }
    leat_i_buf_puts(&b, "\nWhat it cannot play:\n");
    for (size_t i = 0; i < sizeof unplayed / sizeof *unplayed; i++)
        leat_i_buf_printf(&b, "  %s: %s\n", unplayed[i].what, unplayed[i].why);
    return leat_i_help_print(&b);
}
