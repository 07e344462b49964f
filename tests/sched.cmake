leat_test(test_deque)
leat_test(test_fiber)
leat_test(test_park)
leat_test(test_task)
