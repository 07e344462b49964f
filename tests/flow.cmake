leat_test(test_flow_node)
leat_test(test_flow_route)
leat_test(test_flow_params)
leat_test(test_flow_batch)
