/* leat/leat.h: everything. */
#ifndef LEAT_LEAT_H
#define LEAT_LEAT_H

#include "base.h"
#include "task.h"
#include "fork.h"
#include "io.h"
#include "flow.h"
#include "trace.h"
#include "limiter.h"
#include "llm.h"
#include "bulk.h"
#include "mock.h"

#endif
