# The program's parts, then the program itself, driven from outside.
leat_test(test_cli_option SOURCES $<TARGET_OBJECTS:leat_cli_objects>)
