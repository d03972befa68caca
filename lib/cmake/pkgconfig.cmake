# breaker_install_pc(DIRECTORY NAME): makes NAME.pc of DIRECTORY/NAME.pc.in. The prefix is worked out
# from where the file lies, because `cmake --install --prefix` comes after it was made.
function(breaker_install_pc directory name)
  set(pc_dir ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig)
  file(RELATIVE_PATH BREAKER_PREFIX_FROM_PC ${pc_dir} ${CMAKE_INSTALL_PREFIX})
  string(REGEX REPLACE "/$" "" BREAKER_PREFIX_FROM_PC "${BREAKER_PREFIX_FROM_PC}")
  configure_file(${directory}/${name}.pc.in ${PROJECT_BINARY_DIR}/pkgconfig/${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/pkgconfig/${name}.pc
          DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()
