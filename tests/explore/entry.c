/*
 * entry.c: where the shipped sources call the model.
 *
 * They are compiled with -fsanitize=thread, unchanged, and linked without ThreadSanitizer's runtime: these functions stand in its place.
 * So each plain access and each atomic operation comes here, with its order.
 */
#include "model.h"

#include <string.h>

const void *explore_caller;

#define HERE() (explore_caller = __builtin_return_address(0))
/* The order of the operation here, as far as it is left to it. */
#define ORDER(order) explore_order(__builtin_return_address(0), order)

#define PLAIN(bytes)                                  \
    void __tsan_read##bytes(void *p);                 \
    void __tsan_read##bytes(void *p)                  \
    {                                                 \
        HERE();                                       \
        explore_access(p, bytes, ACCESS_READ);        \
    }                                                 \
    void __tsan_write##bytes(void *p);                \
    void __tsan_write##bytes(void *p)                 \
    {                                                 \
        HERE();                                       \
        explore_access(p, bytes, ACCESS_WRITE);       \
    }                                                 \
    void __tsan_unaligned_read##bytes(void *p);       \
    void __tsan_unaligned_read##bytes(void *p)        \
    {                                                 \
        HERE();                                       \
        explore_access(p, bytes, ACCESS_READ);        \
    }                                                 \
    void __tsan_unaligned_write##bytes(void *p);      \
    void __tsan_unaligned_write##bytes(void *p)       \
    {                                                 \
        HERE();                                       \
        explore_access(p, bytes, ACCESS_WRITE);       \
    }                                                 \
    void __tsan_read_write##bytes(void *p);           \
    void __tsan_read_write##bytes(void *p)            \
    {                                                 \
        HERE();                                       \
        explore_access(p, bytes, ACCESS_WRITE);       \
    }                                                 \
    void __tsan_unaligned_read_write##bytes(void *p); \
    void __tsan_unaligned_read_write##bytes(void *p)  \
    {                                                 \
        HERE();                                       \
        explore_access(p, bytes, ACCESS_WRITE);       \
    }

PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

void __tsan_read_range(void *p, unsigned long bytes);
void __tsan_read_range(void *p, unsigned long bytes)
{
    HERE();
    explore_access(p, bytes, ACCESS_READ);
}

void __tsan_write_range(void *p, unsigned long bytes);
void __tsan_write_range(void *p, unsigned long bytes)
{
    HERE();
    explore_access(p, bytes, ACCESS_WRITE);
}

void __tsan_init(void);
void __tsan_init(void)
{
}

void __tsan_func_entry(void *caller);
void __tsan_func_entry(void *caller)
{
    (void)caller;
}

void __tsan_func_exit(void);
void __tsan_func_exit(void)
{
}

#define UPDATE(bits, name, what)                                                                 \
    uint##bits##_t __tsan_atomic##bits##_##name(uint##bits##_t *p, uint##bits##_t v, int order); \
    uint##bits##_t __tsan_atomic##bits##_##name(uint##bits##_t *p, uint##bits##_t v, int order)  \
    {                                                                                            \
        return (uint##bits##_t)explore_update(p, bits / 8, what, v, ORDER(order));               \
    }

#define CAS(bits, name, is_weak)                                                                                         \
    int __tsan_atomic##bits##_compare_exchange_##name(uint##bits##_t *p, uint##bits##_t *e, uint##bits##_t v, int order, \
                                                      int fail_order);                                                   \
    int __tsan_atomic##bits##_compare_exchange_##name(uint##bits##_t *p, uint##bits##_t *e, uint##bits##_t v, int order, \
                                                      int fail_order)                                                    \
    {                                                                                                                    \
        bool done;                                                                                                       \
        uint##bits##_t seen =                                                                                            \
            (uint##bits##_t)explore_cas(p, bits / 8, *e, v, ORDER(order), ORDER(fail_order), is_weak, &done);            \
        if (!done) *e = seen;                                                                                            \
        return done;                                                                                                     \
    }

/* clang's form: what was read, which is `e` in the case of a success; so a weak one must not fail without cause here. */
#define ATOMIC(bits)                                                                                                 \
    uint##bits##_t __tsan_atomic##bits##_load(uint##bits##_t *p, int order);                                         \
    uint##bits##_t __tsan_atomic##bits##_load(uint##bits##_t *p, int order)                                          \
    {                                                                                                                \
        return (uint##bits##_t)explore_load(p, bits / 8, ORDER(order));                                              \
    }                                                                                                                \
    void __tsan_atomic##bits##_store(uint##bits##_t *p, uint##bits##_t v, int order);                                \
    void __tsan_atomic##bits##_store(uint##bits##_t *p, uint##bits##_t v, int order)                                 \
    {                                                                                                                \
        explore_store(p, bits / 8, v, ORDER(order));                                                                 \
    }                                                                                                                \
    uint##bits##_t __tsan_atomic##bits##_compare_exchange_val(uint##bits##_t *p, uint##bits##_t e, uint##bits##_t v, \
                                                              int order, int fail_order);                            \
    uint##bits##_t __tsan_atomic##bits##_compare_exchange_val(uint##bits##_t *p, uint##bits##_t e, uint##bits##_t v, \
                                                              int order, int fail_order)                             \
    {                                                                                                                \
        bool done;                                                                                                   \
        return (uint##bits##_t)explore_cas(p, bits / 8, e, v, ORDER(order), ORDER(fail_order), false, &done);        \
    }                                                                                                                \
    CAS(bits, strong, false)                                                                                         \
    CAS(bits, weak, true)                                                                                            \
    UPDATE(bits, exchange, UPDATE_EXCHANGE)                                                                          \
    UPDATE(bits, fetch_add, UPDATE_ADD)                                                                              \
    UPDATE(bits, fetch_sub, UPDATE_SUB)                                                                              \
    UPDATE(bits, fetch_and, UPDATE_AND)                                                                              \
    UPDATE(bits, fetch_or, UPDATE_OR)                                                                                \
    UPDATE(bits, fetch_xor, UPDATE_XOR)

ATOMIC(8)
ATOMIC(16)
ATOMIC(32)
ATOMIC(64)

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_thread_fence(int order)
{
    explore_fence(ORDER(order));
}

/* The sources' memset and memcpy are renamed to these. */
void *explore_memset(void *to, int byte, size_t bytes);
void *explore_memset(void *to, int byte, size_t bytes)
{
    HERE();
    explore_access(to, bytes, ACCESS_WRITE);
    return memset(to, byte, bytes);
}

void *explore_memcpy(void *to, const void *from, size_t bytes);
void *explore_memcpy(void *to, const void *from, size_t bytes)
{
    HERE();
    explore_access(from, bytes, ACCESS_READ);
    explore_access(to, bytes, ACCESS_WRITE);
    return memcpy(to, from, bytes);
}
