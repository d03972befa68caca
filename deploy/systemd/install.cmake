# Installs the unit. It names the server by its absolute path, which is known at installation only:
# `cmake --install --prefix` may choose another prefix than the one configured.
install(CODE "
  set(unit_template \"${CMAKE_CURRENT_LIST_DIR}/h2o-breaker.service.in\")
  set(unit \"${PROJECT_BINARY_DIR}/h2o-breaker.service\")
  cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_PREFIX NORMALIZE OUTPUT_VARIABLE unit_prefix)
  cmake_path(APPEND unit_prefix \"${CMAKE_INSTALL_BINDIR}\" OUTPUT_VARIABLE unit_bindir)
  file(READ \"\${unit_template}\" unit_text)
  string(REPLACE \"@BINDIR@\" \"\${unit_bindir}\" unit_text \"\${unit_text}\")
  file(WRITE \"\${unit}\" \"\${unit_text}\")
  file(INSTALL \"\${unit}\" DESTINATION \"\${CMAKE_INSTALL_PREFIX}/lib/systemd/system\")
")
