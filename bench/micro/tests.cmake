# The tests of this directory, label bench. A build with sanitizers has other counts.
foreach(name classify store)
  add_test(NAME bench/${name} COMMAND micro-${name} --once)
  set_tests_properties(bench/${name} PROPERTIES LABELS bench)
endforeach()
foreach(name refresh load)
  add_test(NAME bench/${name} COMMAND micro-${name})
  set_tests_properties(bench/${name} PROPERTIES LABELS bench)
endforeach()

find_program(BREAKER_VALGRIND valgrind)
find_program(BREAKER_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH)
if(BREAKER_VALGRIND AND BREAKER_PYTHON AND NOT BREAKER_SANITIZE)
  add_test(NAME bench/instructions
           COMMAND ${BREAKER_PYTHON} -B ${CMAKE_CURRENT_SOURCE_DIR}/micro.py --check
                   --build ${PROJECT_BINARY_DIR})
  set_tests_properties(bench/instructions PROPERTIES
    LABELS bench
    SKIP_RETURN_CODE 77
    TIMEOUT 300)
endif()
