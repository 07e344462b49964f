leat_test(test_task)
