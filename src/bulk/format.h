/* format.h: the one list of what an input may be: leat_bulk_format, and its name for the command line and the settings of a run. */
#ifndef LEAT_I_FORMAT_H
#define LEAT_I_FORMAT_H

#include "leat/bulk.h"

#define LEAT_I_FORMAT_MAP(X) X(BATCH, "batch") X(BODY, "body") X(FILES, "files") X(LINES, "lines") X(CSV, "csv")

/* The elements of an array of names. */
#define LEAT_I_FORMAT_ELEMENT(code, name) [LEAT_BULK_##code] = name,
#define LEAT_I_FORMAT_NAMES               LEAT_I_FORMAT_MAP(LEAT_I_FORMAT_ELEMENT)

#endif
