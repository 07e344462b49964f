# The server that misbehaves as ordered, for the tests of the client.
add_library(fault_server STATIC support/fault_conn.c support/fault_h2.c support/fault_records.c support/fault_reply.c support/fault_server.c
  support/fault_tls.c)
target_link_libraries(fault_server PRIVATE leat_flags PUBLIC PkgConfig::OPENSSL PkgConfig::ZLIB Threads::Threads)

leat_test(test_fault_server LIBRARIES fault_server)
leat_test(test_mock_extract)
leat_test(test_mock_script)
leat_test(test_mock_window)
leat_test(test_mock SOURCES support/http_call.c LIBRARIES PkgConfig::JANSSON PkgConfig::CURL)
leat_test(test_mock_load SOURCES support/http_call.c LIBRARIES PkgConfig::JANSSON PkgConfig::CURL)

# The real program, killed at chosen calls and at random times; with LEAT_LONG at every call. See the head of the script. Not with
# sanitizers: what is tested is what stays on the disk, and their start takes longer than the runs.
if(NOT LEAT_SANITIZE)
  add_library(kill_shim MODULE support/kill_shim.c)
  target_compile_definitions(kill_shim PRIVATE _GNU_SOURCE)
  target_compile_options(kill_shim PRIVATE -Wall -Wextra -fvisibility=default)
  target_link_libraries(kill_shim PRIVATE ${CMAKE_DL_LIBS})
  add_test(NAME kill_run COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_SOURCE_DIR}/kill_run.py $<TARGET_FILE:leat>
    $<TARGET_FILE:kill_shim>)
  set_tests_properties(kill_run PROPERTIES TIMEOUT 3000)
endif()
