# breaker_scripts: the C files that hold the scripts for Redis; the sources of libbreaker take them
# in.
foreach(script agree members)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/cluster/${script}_lua.c)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DINPUT=${CMAKE_CURRENT_SOURCE_DIR}/cluster/${script}.lua
            -DOUTPUT=${output} -DNAME=${script}_lua
            -P ${CMAKE_CURRENT_SOURCE_DIR}/cluster/embed.cmake
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cluster/${script}.lua
            ${CMAKE_CURRENT_SOURCE_DIR}/cluster/embed.cmake
    COMMENT "Embedding ${script}.lua" VERBATIM)
  list(APPEND breaker_scripts ${output})
endforeach()
