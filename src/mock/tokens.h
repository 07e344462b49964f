/*
 * tokens.h: a documented approximation of a tokenizer, for the usage that the endpoint reports and limits.
 *
 * A token is a piece of a word of at most six ASCII letters (fewer in other scripts: three letters of two bytes, one or two
 * of three bytes), a run of at most eight equal punctuation marks, or a line break, each with the blanks before it. English
 * prose comes to about four characters a token, as with the tokenizers of real models.
 */
#ifndef LEAT_I_MOCK_TOKENS_H
#define LEAT_I_MOCK_TOKENS_H

#include <stddef.h>
#include <stdint.h>

/* End of the token that starts at `at` (< size). Never splits a UTF-8 sequence of valid text. */
size_t leat_i_mock_token_end(const char *text, size_t size, size_t at);

uint64_t leat_i_mock_token_count(const char *text, size_t size);

#endif
