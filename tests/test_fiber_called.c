/* test_fiber_called.c: test_fiber.c with the switch as a function, as it is in the builds with sanitizers, which annotate it there. */
#include "test_fiber.c"

_Static_assert(!LEAT_FIBER_INLINE, "this is about the function");
