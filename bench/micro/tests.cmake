# The tests of this directory, label bench.
foreach(name classify store)
  add_test(NAME bench/${name} COMMAND micro-${name} --once)
  set_tests_properties(bench/${name} PROPERTIES LABELS bench)
endforeach()
foreach(name refresh load)
  add_test(NAME bench/${name} COMMAND micro-${name})
  set_tests_properties(bench/${name} PROPERTIES LABELS bench)
endforeach()
