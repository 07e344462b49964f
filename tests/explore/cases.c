/* cases.c: the table of cases. */
#include "explore.h"

#define LITMUS_CASES(x)                                                                                           \
    x(sb_allowed) x(sb_fence) x(sb_one_fence_allowed) x(sb_seq_cst) x(mp) x(mp_fences) x(mp_no_release_allowed)   \
        x(mp_no_acquire_allowed) x(release_sequence) x(release_sequence_cut_allowed) x(iriw) x(iriw_weak_allowed) \
            x(ww_allowed) x(coherence) x(updates_are_atomic) x(publication) x(race_allowed) x(causality)
#define CASES(x)                                                                                                            \
    x(deque_take) x(deque_grow) x(inject_take) x(wake_submit) x(wake_both) x(wake_two) x(wake_home) x(runtime_submit)       \
        x(future_cancel) x(future_timeout) x(future_all) x(future_left) x(semaphore_take) x(gate_enter) x(blocking_call)    \
            x(fork_tree) x(fork_meet) x(fork_feed) x(stack_lists) x(park_cancel) x(gate_line) x(fork_retake) x(fork_busy)   \
                x(submit_detached) x(runtime_cancel) x(batch_run) x(batch_cancel) x(batch_meet) x(batch_stop)               \
                    x(clock_external) x(submit_end) x(handle_callback) x(clock_look) x(clock_jump) x(wake_held)             \
                        x(future_any) x(semaphore_limit) x(for_run) x(for_meet) x(descriptor_wait) x(descriptor_two)        \
                            x(handle_fd) x(semaphore_free) x(semaphore_stop) x(task_lists) x(handle_later) x(future_stuck)  \
                                x(fork_park) x(wake_parked) x(batch_again) x(future_joined) x(gate_heir) x(batch_forget)    \
                                    x(submit_root) x(wake_inbox) x(clock_woken) x(thief_third) x(thief_hint) x(thief_ended) \
                                        x(lock_sleep) x(gate_told) x(task_block) x(future_late) x(batch_late)               \
                                            x(clock_starve) x(clock_fed) x(limiter_told) x(limiter_leave) x(limiter_closed) \
                                                x(net_mail) x(net_op) x(submit_room) x(submit_more) x(submit_meet)          \
                                                    x(wake_stolen) x(handle_dropped)

#define LITMUS_DECLARE(name) extern const explore_case explore_litmus_##name;
#define LITMUS_ENTRY(name)   &explore_litmus_##name,
#define CASE_DECLARE(name)   extern const explore_case explore_##name;
#define CASE_ENTRY(name)     &explore_##name,

LITMUS_CASES(LITMUS_DECLARE)
CASES(CASE_DECLARE)

const explore_case *const explore_cases[] = { LITMUS_CASES(LITMUS_ENTRY) CASES(CASE_ENTRY) NULL };
