# Installs what goes with the programs: manual pages, the systemd units, a configuration and rules for
# logrotate to begin with, the licence.
file(GLOB breaker_pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bin/*.[1-9])
foreach(page IN LISTS breaker_pages)
  string(REGEX MATCH "[1-9]$" section ${page})
  install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()

# The flavours are one program with one page.
file(WRITE ${PROJECT_BINARY_DIR}/h2o-breaker-uv.8 ".so man8/h2o-breaker.8\n")
install(FILES ${PROJECT_BINARY_DIR}/h2o-breaker-uv.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)

install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/README.md
              ${CMAKE_CURRENT_LIST_DIR}/conf/h2o-breaker.conf.sample
        DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${CMAKE_CURRENT_LIST_DIR}/logrotate/h2o-breaker
        DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME h2o-breaker.logrotate)

# The unit names the server by its absolute path, which is known at installation only:
# `cmake --install --prefix` may choose another prefix than the one configured.
install(CODE "
  cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_PREFIX NORMALIZE OUTPUT_VARIABLE prefix)
  cmake_path(APPEND prefix \"${CMAKE_INSTALL_SBINDIR}\" OUTPUT_VARIABLE SBINDIR)
  configure_file(\"${CMAKE_CURRENT_LIST_DIR}/systemd/h2o-breaker.service.in\"
                 \"${PROJECT_BINARY_DIR}/h2o-breaker.service\" @ONLY)
  file(INSTALL \"${PROJECT_BINARY_DIR}/h2o-breaker.service\"
               \"${CMAKE_CURRENT_LIST_DIR}/systemd/h2o-breaker.socket\"
       DESTINATION \"\${CMAKE_INSTALL_PREFIX}/lib/systemd/system\")
")
