# breaker_agree_lua: the C file that holds the script; the sources of libbreaker take it in.
set(breaker_agree_lua ${CMAKE_CURRENT_BINARY_DIR}/cluster/agree_lua.c)
add_custom_command(
  OUTPUT ${breaker_agree_lua}
  COMMAND ${CMAKE_COMMAND} -DINPUT=${CMAKE_CURRENT_SOURCE_DIR}/cluster/agree.lua
          -DOUTPUT=${breaker_agree_lua} -DNAME=agree_lua
          -P ${CMAKE_CURRENT_SOURCE_DIR}/cluster/embed.cmake
  DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cluster/agree.lua
          ${CMAKE_CURRENT_SOURCE_DIR}/cluster/embed.cmake
  COMMENT "Embedding agree.lua" VERBATIM)
