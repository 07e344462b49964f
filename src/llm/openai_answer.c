/*
 * openai_answer.c: answers in OpenAI's form: chat and legacy completions, embeddings; of other paths any object that is no error.
 */
#include "form.h"

/* What is looked at in an answer, picked out in the pass that checks it: a long reply is read once, not once a level. */
enum {
    IN_CHOICES,
    IN_USAGE,
    IN_ERROR,
    IN_DATA,
    IN_CHOICE,
    IN_FINISH,
    IN_CHOICE_TEXT,
    IN_MESSAGE,
    IN_CONTENT,
    IN_TOOL_CALLS,
    IN_FUNCTION_CALL,
    IN_REFUSAL,
    IN_AUDIO,
    IN_IMAGES,
    IN_CHOICE_ERROR,
    IN_PROMPT_TOKENS,
    IN_COMPLETION_TOKENS,
    IN_INPUT_TOKENS,
    IN_OUTPUT_TOKENS,
    IN_TOTAL_TOKENS,
    IN_COUNT
};

static const leat_i_json_pick answer_picks[IN_COUNT] = {
    [IN_CHOICES] = { -1, "choices" },
    [IN_USAGE] = { -1, "usage" },
    [IN_ERROR] = { -1, "error" },
    [IN_DATA] = { -1, "data" },
    [IN_CHOICE] = { IN_CHOICES, "0" },
    [IN_FINISH] = { IN_CHOICE, "finish_reason" },
    [IN_CHOICE_TEXT] = { IN_CHOICE, "text" },
    [IN_MESSAGE] = { IN_CHOICE, "message" },
    [IN_CONTENT] = { IN_MESSAGE, "content" },
    [IN_TOOL_CALLS] = { IN_MESSAGE, "tool_calls" },
    [IN_FUNCTION_CALL] = { IN_MESSAGE, "function_call" },
    [IN_REFUSAL] = { IN_MESSAGE, "refusal" },
    [IN_AUDIO] = { IN_MESSAGE, "audio" },
    [IN_IMAGES] = { IN_MESSAGE, "images" }, /* OpenRouter */
    [IN_CHOICE_ERROR] = { IN_CHOICE, "error" },
    [IN_PROMPT_TOKENS] = { IN_USAGE, "prompt_tokens" },
    [IN_COMPLETION_TOKENS] = { IN_USAGE, "completion_tokens" },
    [IN_INPUT_TOKENS] = { IN_USAGE, "input_tokens" },
    [IN_OUTPUT_TOKENS] = { IN_USAGE, "output_tokens" },
    [IN_TOTAL_TOKENS] = { IN_USAGE, "total_tokens" },
};

/* What usage says beyond its sums, in the places that OpenAI and those who are compatible with it have for that. */
static void usage_details(leat_i_answer *a, leat_i_json usage)
{
    static const char *const keys[] = { "prompt_tokens_details",     "input_tokens_details",  "prompt_cache_hit_tokens",
                                        "completion_tokens_details", "output_tokens_details", "cost" };
    leat_i_json v[6];
    leat_i_json_get_many(usage, keys, v, 6);
    if (!leat_i_tokens_read(leat_i_json_get(v[0].type ? v[0] : v[1], "cached_tokens"), &a->tokens_cached))
        (void)leat_i_tokens_read(v[2], &a->tokens_cached); /* DeepSeek. */
    (void)leat_i_tokens_read(leat_i_json_get(v[3].type ? v[3] : v[4], "reasoning_tokens"), &a->tokens_reasoning);
    double cost; /* OpenRouter. */
    if (leat_i_json_double(v[5], &cost) && cost >= 0 && cost < 1e9) a->cost = cost;
}

static void answer_usage(leat_i_answer *a, const leat_i_json *v)
{
    if (v[IN_USAGE].type != LEAT_I_JSON_OBJECT) return;
    uint64_t total = 0;
    bool in =
        leat_i_tokens_read(v[IN_PROMPT_TOKENS], &a->tokens_in) || leat_i_tokens_read(v[IN_INPUT_TOKENS], &a->tokens_in);
    bool out = leat_i_tokens_read(v[IN_COMPLETION_TOKENS], &a->tokens_out) ||
               leat_i_tokens_read(v[IN_OUTPUT_TOKENS], &a->tokens_out);
    /* Embeddings have no output; a total that is larger than its parts counts hidden reasoning, and not to us. */
    if (!out && in && leat_i_tokens_read(v[IN_TOTAL_TOKENS], &total) && total > a->tokens_in)
        a->tokens_out = total - a->tokens_in;
    a->has_usage = in;
    usage_details(a, v[IN_USAGE]);
}

static leat_i_case case_of_finish(leat_i_json finish, bool may_lack_finish)
{
    static const char *const filtered[] = { "content_filter", "SAFETY", "safety",  "RECITATION", "PROHIBITED_CONTENT",
                                            "BLOCKLIST",      "SPII",   "refusal", NULL };
    static const char *const cut[] = { "length",     "max_tokens", "max_output_tokens", "MAX_TOKENS", "model_length",
                                       "incomplete", NULL };
    static const char *const failed[] = { "error", "insufficient_system_resource", "abort", NULL };
    if (finish.type != LEAT_I_JSON_STRING) return may_lack_finish ? LEAT_I_CASE_OK : LEAT_I_CASE_TRUNCATED;
    if (leat_i_json_str_eq(finish, "stop")) return LEAT_I_CASE_OK;
    if (leat_i_json_is_any(finish, cut)) return LEAT_I_CASE_LENGTH;
    if (leat_i_json_is_any(finish, filtered)) return LEAT_I_CASE_FILTERED_ANSWER;
    if (leat_i_json_is_any(finish, failed)) return LEAT_I_CASE_SERVER_LATE;
    return LEAT_I_CASE_OK;
}

static leat_i_case answer_choice(leat_i_answer *a, const leat_i_json *v, bool may_lack_finish, leat_i_arena *scratch)
{
    if (v[IN_CHOICE].type != LEAT_I_JSON_OBJECT) return LEAT_I_CASE_MALFORMED;
    /* OpenRouter: the provider behind it gave up, and what there is of a text is not all of it. */
    if (v[IN_CHOICE_ERROR].type == LEAT_I_JSON_OBJECT && leat_i_fault_in(&a->fault, v[IN_CHOICE], scratch))
        return leat_i_case_of_fault(a->fault.kind, leat_i_json_is_filled(v[IN_CONTENT]));
    bool has_message = v[IN_MESSAGE].type == LEAT_I_JSON_OBJECT;
    a->text = has_message ? v[IN_CONTENT] : v[IN_CHOICE_TEXT];
    if (!has_message && v[IN_CHOICE_TEXT].type != LEAT_I_JSON_STRING) return LEAT_I_CASE_MALFORMED;
    leat_i_case what = case_of_finish(v[IN_FINISH], may_lack_finish);
    if (what != LEAT_I_CASE_OK) return what;
    bool has_other = leat_i_json_is_filled(v[IN_TOOL_CALLS]) || leat_i_json_is_filled(v[IN_FUNCTION_CALL]) ||
                     leat_i_json_is_filled(v[IN_REFUSAL]) || leat_i_json_is_filled(v[IN_AUDIO]) ||
                     leat_i_json_is_filled(v[IN_IMAGES]);
    bool has_text = a->text.type == LEAT_I_JSON_ARRAY ? leat_i_json_parts_hold(a->text) : leat_i_json_is_filled(a->text);
    return has_text || has_other ? LEAT_I_CASE_OK : LEAT_I_CASE_EMPTY;
}

static leat_i_case answer_object(leat_i_answer *a, const leat_i_answer_to *to, leat_i_json root, const leat_i_json *v,
                                 leat_i_arena *scratch)
{
    const char *path = to->path;
    leat_i_json_type choices = v[IN_CHOICES].type, error = v[IN_ERROR].type;
    leat_i_case what;
    answer_usage(a, v);
    bool embeds = leat_i_path_ends(path, "/embeddings");
    if (choices == LEAT_I_JSON_ARRAY && v[IN_CHOICE].type != LEAT_I_JSON_NONE && !embeds)
        return answer_choice(a, v, to->may_lack_finish, scratch);
    if (error != LEAT_I_JSON_NONE && error != LEAT_I_JSON_NULL && leat_i_answer_is_fault(a, root, scratch, &what))
        return what;
    if ((choices == LEAT_I_JSON_ARRAY || choices == LEAT_I_JSON_NULL) && !embeds) return LEAT_I_CASE_EMPTY;
    if (embeds)
        return v[IN_DATA].type == LEAT_I_JSON_ARRAY
                   ? leat_i_answer_embeddings(a, v[IN_DATA], "embedding", to->inputs, scratch)
                   : LEAT_I_CASE_MALFORMED;
    if (leat_i_path_ends(path, "/responses")) return leat_i_response_judge(a, root);
    if (!leat_i_path_ends(path, "/completions")) return LEAT_I_CASE_OK;
    /* No choices: an error in a form of its own, or something else altogether. */
    return leat_i_answer_is_fault(a, root, scratch, &what) ? what : LEAT_I_CASE_MALFORMED;
}

const leat_i_form leat_i_form_openai = { answer_picks, IN_COUNT, answer_object, &leat_i_fold_chat };
const leat_i_form leat_i_form_responses = { answer_picks, IN_COUNT, answer_object, &leat_i_fold_responses };
