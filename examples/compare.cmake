# Runs PROGRAM with ARGUMENTS and the file INPUT (if there is one) as its standard input, and compares its standard output with the
# file EXPECTED, byte for byte.
if(NOT EXISTS ${INPUT})
  set(INPUT /dev/null)
endif()
execute_process(COMMAND ${PROGRAM} ${ARGUMENTS} INPUT_FILE ${INPUT} OUTPUT_VARIABLE out ERROR_VARIABLE err RESULT_VARIABLE code)
file(READ ${EXPECTED} expected)
if(NOT code EQUAL 0)
  message(FATAL_ERROR "exit code ${code}\n${out}${err}")
endif()
if(NOT out STREQUAL expected)
  message(FATAL_ERROR "printed:\n${out}\nexpected:\n${expected}\n${err}")
endif()
