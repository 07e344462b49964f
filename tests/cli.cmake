# The program's parts, then the program itself, driven from outside.
leat_test(test_cli_option SOURCES $<TARGET_OBJECTS:leat_cli_objects>)
leat_test(test_cli_args SOURCES $<TARGET_OBJECTS:leat_cli_objects>)

find_package(Python3 REQUIRED COMPONENTS Interpreter)
add_executable(cli_fault cli_fault.c)
target_include_directories(cli_fault PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(cli_fault PRIVATE leat_flags fault_server)
function(leat_cli_test name)
  add_test(NAME ${name} COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_SOURCE_DIR}/${name}.py $<TARGET_FILE:leat>
    $<TARGET_FILE:cli_fault>)
  set_tests_properties(${name} PROPERTIES TIMEOUT 300)
endfunction()
leat_cli_test(test_cli_words)
leat_cli_test(test_cli_input)
leat_cli_test(test_cli_resume)
leat_cli_test(test_cli_failures)
