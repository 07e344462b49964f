/* exit_code.c: the table of exit codes, and which error gives which. */
#include "exit_code.h"

const leat_i_exit_row leat_i_exit_table[] = {
#define LEAT_EXIT_ROW(name, code, sentence) { code, sentence },
    LEAT_EXIT_MAP(LEAT_EXIT_ROW)
#undef LEAT_EXIT_ROW
};
const size_t leat_i_exit_count = sizeof leat_i_exit_table / sizeof *leat_i_exit_table;

int leat_i_exit_of(leat_err err)
{
    switch (err) {
    case LEAT_OK:
        return LEAT_I_EXIT_OK;
    case LEAT_USAGE:
        return LEAT_I_EXIT_USAGE;
    case LEAT_INPUT:
    case LEAT_MISMATCH:
        return LEAT_I_EXIT_INPUT;
    case LEAT_STOPPED:
        return LEAT_I_EXIT_RULE;
    case LEAT_DENIED:
    case LEAT_NET:
    case LEAT_HTTP:
    case LEAT_REPLY:
    case LEAT_TIMEOUT:
    case LEAT_LIMITED:
        return LEAT_I_EXIT_ENDPOINT;
    case LEAT_CANCELED:
        return LEAT_I_EXIT_INTERRUPT;
    default:
        return LEAT_I_EXIT_MACHINE;
    }
}
