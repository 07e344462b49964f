pkg_check_modules(OPENSSL REQUIRED IMPORTED_TARGET openssl)

# The server that misbehaves as ordered, for the tests of the client.
add_library(fault_server STATIC support/fault_conn.c support/fault_records.c support/fault_reply.c support/fault_server.c
  support/fault_tls.c)
target_link_libraries(fault_server PRIVATE leat_flags PUBLIC PkgConfig::OPENSSL PkgConfig::ZLIB Threads::Threads)

leat_test(test_fault_server LIBRARIES fault_server)
leat_test(test_mock_extract)
leat_test(test_mock_window)
leat_test(test_mock SOURCES support/http_call.c LIBRARIES PkgConfig::JANSSON PkgConfig::CURL)
leat_test(test_mock_load SOURCES support/http_call.c LIBRARIES PkgConfig::JANSSON PkgConfig::CURL)
