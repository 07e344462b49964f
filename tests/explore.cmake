# The explorer (explore/): the shipped sources of the scheduler, the limiter and the hand-over to the net's loop, instrumented as for ThreadSanitizer, linked with a model of threads and
# of C11's memory instead of its runtime. A sanitizer build, and one for another machine, is not what it stands on.
if(LEAT_SANITIZE OR LEAT_FUZZ OR CMAKE_CROSSCOMPILING)
  return()
endif()

# deque.c, fork.c, gate.c, loop.c, semaphore.c and worker.c are part of case_deque.c, case_thief.c, case_lock.c (both), case_net.c and world.c, which call their
# static functions.
set(explore_units base/arena.c base/buf.c base/err.c base/heap.c limit/adapt.c limit/budget.c limit/ceiling.c limit/grants.c limit/health.c limit/limiter.c
  limit/member.c limit/pace.c limit/refusals.c limit/spread.c limit/window.c net/mailbox.c
  sched/batch.c sched/blocking.c sched/clock.c sched/descriptor.c sched/detached.c sched/for.c sched/future.c
  sched/handle.c sched/idle.c sched/misuse.c sched/park.c sched/runtime.c sched/stack.c sched/task.c sched/task_pool.c sched/task_user.c)
set(explore_sources ${CMAKE_SOURCE_DIR}/src/sched)
list(TRANSFORM explore_units PREPEND ${CMAKE_SOURCE_DIR}/src/)
set(explore_cases case_clock.c case_deque.c case_for.c case_fork.c case_io.c case_limiter.c case_lock.c case_net.c case_runtime.c case_stack.c case_submit.c case_thief.c case_wake.c litmus.c stubs.c world.c)
list(TRANSFORM explore_cases PREPEND explore/)
add_library(explore_shipped OBJECT ${explore_cases} ${explore_units})
target_compile_definitions(explore_shipped PRIVATE LEAT_EXPLORE=1 memset=explore_memset memcpy=explore_memcpy
  __builtin_memcpy=explore_memcpy __errno_location=explore_errno pthread_mutex_init=explore_mutex_init pthread_mutex_destroy=explore_mutex_destroy
  pthread_mutex_lock=explore_mutex_lock pthread_mutex_unlock=explore_mutex_unlock pthread_cond_wait=explore_cond_wait
  pthread_cond_timedwait=explore_cond_timedwait pthread_cond_signal=explore_cond_signal
  pthread_cond_broadcast=explore_cond_broadcast pthread_join=explore_pthread_join pthread_once=explore_once
  epoll_create1=explore_epoll_create1
  epoll_ctl=explore_epoll_ctl epoll_wait=explore_epoll_wait poll=explore_poll fcntl=explore_fcntl
  pthread_key_create=explore_key_create pthread_setspecific=explore_setspecific)
target_compile_options(explore_shipped PRIVATE -O1 -g -U_FORTIFY_SOURCE -fno-optimize-sibling-calls -fsanitize=thread -fno-builtin-memset -fno-builtin-memcpy
  "SHELL:-include string.h" -Wno-missing-prototypes -Wno-unused-function)

target_include_directories(explore_shipped BEFORE PRIVATE explore/ck) # where Concurrency Kit has assembly

add_executable(explore explore/main.c explore/cases.c explore/choice.c explore/descriptors.c explore/doors.c explore/entry.c explore/memory.c explore/race.c explore/sites.c
  explore/threads.c ${explore_sources}/fiber.c $<TARGET_OBJECTS:explore_shipped>)
target_compile_definitions(explore PRIVATE LEAT_EXPLORE=1)
target_compile_options(explore PRIVATE $<$<COMPILE_LANGUAGE:C>:-O2>)
target_link_libraries(explore PRIVATE leat_flags Threads::Threads m)
if(LEAT_FIBER STREQUAL "ucontext")
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
  target_sources(explore PRIVATE ${explore_sources}/switch_x86_64.S)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  target_sources(explore PRIVATE ${explore_sources}/switch_aarch64.S)
endif()
foreach(target explore explore_shipped)
  set_target_properties(${target} PROPERTIES INTERPROCEDURAL_OPTIMIZATION OFF) # the calls to the model must stay calls
  target_compile_options(${target} PRIVATE -fno-lto)
  target_link_libraries(${target} PRIVATE leat_flags)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
  if(NOT LEAT_CHECKS)
    target_compile_definitions(${target} PRIVATE LEAT_CHECKS=1)
  endif()
endforeach()

foreach(cases litmus batch blocking clock deque descriptor for fork future gate handle inject limiter lock net park runtime semaphore stack submit task thief wake)
  add_test(NAME explore_${cases} COMMAND explore ${cases}_)
  set_tests_properties(explore_${cases} PROPERTIES TIMEOUT 3000 LABELS "explore")
endforeach()
