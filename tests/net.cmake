leat_test(test_url)
leat_test(test_mailbox)
leat_test(test_http LIBRARIES fault_server)
leat_test(test_http_cancel LIBRARIES fault_server)
