/* faults.c: the names of the faults. */
#include "faults.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *name, *sentence;
} faults[] = {
    { NULL, NULL },
#define FAULT_ROW(code, name, sentence) { name, sentence },
    LEAT_I_MOCK_FAULT_MAP(FAULT_ROW)
#undef FAULT_ROW
        { NULL, NULL },
};

const char *leat_i_mock_fault_name(leat_i_mock_fault_kind kind)
{
    return faults[kind].name;
}

const char *leat_i_mock_fault_sentence(leat_i_mock_fault_kind kind)
{
    return faults[kind].sentence;
}

leat_i_mock_fault_kind leat_i_mock_fault_of(const char *name)
{
    for (int i = 1; i < LEAT_I_MOCK_FAULT_COUNT; i++)
        if (strcmp(faults[i].name, name) == 0) return (leat_i_mock_fault_kind)i;
    return LEAT_I_MOCK_FAULT_NONE;
}
