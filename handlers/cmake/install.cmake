# Installs both flavours of libh2o-breaker with their header and pkg-config files.
include(${PROJECT_SOURCE_DIR}/lib/cmake/pkgconfig.cmake)

foreach(flavour uv evloop)
  # Beside libbreaker, wherever the prefix is.
  set_target_properties(breaker_h2o_${flavour}_shared PROPERTIES INSTALL_RPATH "$ORIGIN")
  install(TARGETS breaker_h2o_${flavour}_shared breaker_h2o_${flavour}_static
          EXPORT h2o-breakerTargets)
endforeach()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/handlers/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h")
breaker_install_pc(${PROJECT_SOURCE_DIR}/handlers libh2o-breaker)
breaker_install_pc(${PROJECT_SOURCE_DIR}/handlers libh2o-breaker-evloop)
