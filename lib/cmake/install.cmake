# Installs libbreaker, its headers, and the package that all installed targets are part of.
include(${PROJECT_SOURCE_DIR}/lib/cmake/pkgconfig.cmake)

set(breaker_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/h2o-breaker)

install(TARGETS breaker_shared breaker_static EXPORT h2o-breakerTargets)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/lib/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h")
install(DIRECTORY ${breaker_made_include_dir}/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
breaker_install_pc(${PROJECT_SOURCE_DIR}/lib libbreaker)

install(EXPORT h2o-breakerTargets NAMESPACE breaker:: DESTINATION ${breaker_package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/lib/cmake/h2o-breakerConfig.cmake.in
  ${PROJECT_BINARY_DIR}/h2o-breakerConfig.cmake
  INSTALL_DESTINATION ${breaker_package_dir})
# Before 1.0 a minor version may break what was.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/h2o-breakerConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/h2o-breakerConfig.cmake
              ${PROJECT_BINARY_DIR}/h2o-breakerConfigVersion.cmake
        DESTINATION ${breaker_package_dir})
