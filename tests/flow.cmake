leat_test(test_flow_node)
