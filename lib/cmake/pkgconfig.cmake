# breaker_install_pc(DIRECTORY NAME): makes NAME.pc of DIRECTORY/NAME.pc.in. The prefix is worked out
# from where the file lies, because `cmake --install --prefix` comes after it was made; a directory
# that was configured as an absolute one is where it is, and tells nothing of the prefix.
function(breaker_install_pc directory name)
  foreach(dir LIBDIR INCLUDEDIR)
    set(BREAKER_PC_${dir} "\${prefix}/${CMAKE_INSTALL_${dir}}")
    if(IS_ABSOLUTE ${CMAKE_INSTALL_${dir}})
      set(BREAKER_PC_${dir} ${CMAKE_INSTALL_${dir}})
    endif()
  endforeach()
  if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR})
    set(BREAKER_PC_PREFIX ${CMAKE_INSTALL_PREFIX})
  else()
    file(RELATIVE_PATH up ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
    string(REGEX REPLACE "/$" "" up "${up}")
    set(BREAKER_PC_PREFIX "\${pcfiledir}/${up}")
  endif()
  configure_file(${directory}/${name}.pc.in ${PROJECT_BINARY_DIR}/pkgconfig/${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/pkgconfig/${name}.pc
          DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()
