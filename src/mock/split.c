/*
 * split.c: where sentences end, and which words count.
 *
 * A sentence ends at . ! ? before white space (unless the next word starts in lower case, or the dot belongs to an initial or a
 * title), at their CJK forms, at an empty line, and before a line that opens a list item or a "Field: value". A single line
 * break inside a paragraph ends nothing, since documents are wrapped; yet a sentence never runs past SENTENCE_WORDS_MAX words,
 * so that text without punctuation is cut too.
 */
#include "split.h"

#include <string.h>

#define SENTENCE_WORDS_MAX  60
#define STOP_WORD_BYTES_MAX 9
#define SENTENCE_WORDS_FEW  25 /* enough to end at a line break when no full stop came */

/* Words that say nothing about a text, by first letter, each with a blank after it. */
static const char *stop_words_of(char first)
{
    switch (first) {
    case 'a':
        return "about after also ";
    case 'b':
        return "because been before being between ";
    case 'c':
        return "could ";
    case 'd':
        return "does during ";
    case 'e':
        return "each either ";
    case 'f':
        return "from ";
    case 'h':
        return "have here however ";
    case 'i':
        return "into itself ";
    case 'j':
        return "just ";
    case 'm':
        return "more most must ";
    case 'n':
        return "neither ";
    case 'o':
        return "only other over ";
    case 's':
        return "same shall should some such ";
    case 't':
        return "than that their them then there therefore these they this those through ";
    case 'u':
        return "under upon ";
    case 'v':
        return "very ";
    case 'w':
        return "were what when where whether which while will with without would ";
    case 'y':
        return "your ";
    default:
        return "";
    }
}

static bool byte_is_space(unsigned char c)
{
    return c <= ' ' || c == 0x7f;
}

static bool byte_is_word(unsigned char c)
{
    return (unsigned)((c | 0x20) - 'a') < 26 || (unsigned)(c - '0') < 10 || c >= 0x80;
}

static bool byte_is_lower(unsigned char c)
{
    return (unsigned)(c - 'a') < 26;
}

/* Short ASCII words carry little (and, the, of); three letters count when they look like a name (GPL, SSD). */
static bool word_is_content(const char *w, size_t n)
{
    if (n < 3) return n > 0 && (unsigned char)w[0] >= 0x80;
    if (n == 3) return (unsigned char)w[0] >= 0x80 || ((unsigned)(w[0] - 'A') < 26 && (unsigned)(w[1] - 'A') < 26);
    if (n > STOP_WORD_BYTES_MAX) return true;
    char lower[STOP_WORD_BYTES_MAX + 1];
    for (size_t i = 0; i < n; i++)
        lower[i] = (char)(w[i] | 0x20);
    lower[n++] = ' ';
    for (const char *stop = stop_words_of(lower[0]); *stop; stop = strchr(stop, ' ') + 1)
        if (strncmp(stop, lower, n) == 0) return false;
    return true;
}

static uint32_t word_hash(const char *w, size_t n)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)w[i];
        h = (h ^ (c < 0x80 && (unsigned)(c - 'A') < 26 ? c | 0x20u : c)) * 16777619u;
    }
    return h ? h : 1;
}

/* Doubles an array of the arena; the old one stays behind until the arena goes. */
static bool room_grow(void **array, uint32_t *room, size_t item_bytes, leat_i_arena *arena)
{
    uint32_t next = *room ? *room * 2 : 64;
    void *grown = leat_i_arena_alloc(arena, next * item_bytes);
    if (!grown) return false;
    if (*room) memcpy(grown, *array, *room * item_bytes);
    *array = grown;
    *room = next;
    return true;
}

static bool word_add(leat_i_mock_split *s, uint32_t hash, leat_i_arena *arena)
{
    if (s->word_count == s->word_room && !room_grow((void **)&s->word, &s->word_room, sizeof *s->word, arena)) return false;
    s->word[s->word_count++] = hash;
    return true;
}

/* Three bytes of an ideographic full stop, or of the wide forms of ! and ?. */
static bool stop_is_cjk(const char *text, size_t size, size_t at)
{
    if (at + 3 > size) return false;
    return memcmp(text + at, "\xe3\x80\x82", 3) == 0 || memcmp(text + at, "\xef\xbc\x81", 3) == 0 ||
           memcmp(text + at, "\xef\xbc\x9f", 3) == 0;
}

/* Whether the line at `at` opens something new: empty, a list item, or "Field: value". */
static bool line_opens(const char *text, size_t size, size_t at)
{
    size_t from = at;
    while (at < size && (text[at] == ' ' || text[at] == '\t' || text[at] == '\r'))
        at++;
    if (at == size || text[at] == '\n') return true;
    unsigned char c = (unsigned char)text[at];
    if ((c == '-' || c == '*' || c == '#' || c == '|') && at + 1 < size) return true;
    size_t end = at;
    if ((unsigned)(c - '0') < 10) {
        while (end < size && (unsigned)((unsigned char)text[end] - '0') < 10)
            end++;
        return end < size && (text[end] == '.' || text[end] == ')');
    }
    if (at > from) return false;
    while (end < size && end - at < 24 && (((unsigned)((text[end] | 0x20) - 'a') < 26) || text[end] == '-'))
        end++;
    return end > at && end + 1 < size && text[end] == ':' && byte_is_space((unsigned char)text[end + 1]);
}

/* Whether the word before the dot at `at` is an initial or a part of "e.g.", or a title such as "Dr". */
static bool word_is_short_form(const char *text, size_t at, size_t word_size)
{
    if (word_size == 1) return (unsigned)((text[at - 1] | 0x20) - 'a') < 26;
    return word_size == 2 && (unsigned)(text[at - 2] - 'A') < 26 && byte_is_lower((unsigned char)text[at - 1]);
}

/* Whether the mark at `at` ends a sentence whose last word has `word_size` bytes. */
static bool mark_ends(const char *text, size_t size, size_t at, size_t word_size)
{
    unsigned char c = (unsigned char)text[at];
    if (c != '.' && c != '!' && c != '?') return false;
    if (c == '.' && word_is_short_form(text, at, word_size)) return false;
    size_t next = at + 1;
    while (next < size && strchr("\"')]", text[next]) && text[next] != '\0')
        next++;
    if (next < size && !byte_is_space((unsigned char)text[next])) return false;
    while (next < size && byte_is_space((unsigned char)text[next]))
        next++;
    return next == size || !byte_is_lower((unsigned char)text[next]);
}

/* Closes the sentence at `end`; one without words leaves no trace. */
static bool sentence_close(leat_i_mock_split *s, leat_i_mock_sentence *open, const char *text, size_t end,
                           leat_i_arena *arena)
{
    while (end > open->start && byte_is_space((unsigned char)text[end - 1]))
        end--;
    if (open->word_count > 0) {
        if (s->sentence_count == s->sentence_room &&
            !room_grow((void **)&s->sentence, &s->sentence_room, sizeof *s->sentence, arena))
            return false;
        open->end = (uint32_t)end;
        open->content_count = s->word_count - open->word_at;
        s->sentence[s->sentence_count++] = *open;
    }
    *open = (leat_i_mock_sentence){ .word_at = s->word_count };
    return true;
}

/* Steps over closing quotes and brackets that belong to the sentence. */
static size_t close_after(const char *text, size_t size, size_t at)
{
    while (at < size && (text[at] == '"' || text[at] == '\'' || text[at] == ')' || text[at] == ']'))
        at++;
    return at;
}

/* Whether the byte at `at` ends the open sentence; *next is where the rest goes on. */
static bool boundary_at(const leat_i_mock_sentence *open, const char *text, size_t size, size_t at, size_t word_size,
                        size_t *next)
{
    *next = at + 1;
    if (text[at] == '\n') return line_opens(text, size, at + 1) || open->word_count >= SENTENCE_WORDS_FEW;
    if (byte_is_space((unsigned char)text[at])) return open->word_count >= SENTENCE_WORDS_MAX;
    if (!mark_ends(text, size, at, word_size)) return false;
    *next = close_after(text, size, at + 1);
    return true;
}

/* Takes the word at `at` into the open sentence and gives its end. */
static bool word_take(leat_i_mock_split *s, leat_i_mock_sentence *open, const char *text, size_t size, size_t at,
                      leat_i_arena *arena, size_t *end)
{
    size_t n = 0;
    for (; at + n < size && byte_is_word((unsigned char)text[at + n]); n++)
        if ((unsigned char)text[at + n] >= 0x80 && stop_is_cjk(text, size, at + n)) break;
    *end = at + n;
    open->word_count++;
    return !word_is_content(text + at, n) || word_add(s, word_hash(text + at, n), arena);
}

bool leat_i_mock_split_text(leat_i_mock_split *s, const char *text, size_t size, leat_i_arena *arena)
{
    leat_i_mock_sentence open = { 0 };
    size_t word_size = 0, at = 0;
    bool started = false;
    *s = (leat_i_mock_split){ 0 };
    while (at < size) {
        unsigned char c = (unsigned char)text[at];
        size_t next = at + 1;
        bool ends = false;
        if (!started && !byte_is_space(c)) {
            open.start = (uint32_t)at;
            started = true;
        }
        if (c >= 0x80 && stop_is_cjk(text, size, at)) {
            next = at + 3;
            ends = true;
        } else if (byte_is_word(c)) {
            if (!word_take(s, &open, text, size, at, arena, &next)) return false;
            word_size = next - at;
        } else if (started) {
            ends = boundary_at(&open, text, size, at, word_size, &next);
            word_size = 0;
        }
        if (ends) {
            if (!sentence_close(s, &open, text, next, arena)) return false;
            started = false;
        }
        at = next;
    }
    return sentence_close(s, &open, text, size, arena);
}
