# What the shared libraries export: the functions of their public headers, no more and no less, under
# a version of their own. The linker refuses a list that names what is not defined.
include_guard()

# Before 1.0 a minor version may change what is there, so a program finds its own or none.
set(breaker_soversion ${PROJECT_VERSION_MAJOR})
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(breaker_soversion ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
endif()

# breaker_exported(RESULT DIRECTORY…): the functions that are marked in the headers there.
function(breaker_exported result)
  set(names)
  foreach(directory IN LISTS ARGN)
    file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${directory}/*.h)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${headers})
    foreach(header IN LISTS headers)
      file(READ ${header} text)
      string(REGEX MATCHALL "\nBREAKER_EXPORT [^(]*\\(" marked "${text}")
      list(TRANSFORM marked REPLACE ".*[ *\n]([a-z0-9_]+)\\($" "\\1")
      list(APPEND names ${marked})
    endforeach()
  endforeach()
  list(SORT names)
  set(${result} ${names} PARENT_SCOPE)
endfunction()

# breaker_export(TARGET NODE DIRECTORY…)
function(breaker_export target node)
  breaker_exported(names ${ARGN})
  list(JOIN names ";\n    " names)
  set(script ${CMAKE_CURRENT_BINARY_DIR}/${target}.map)
  file(CONFIGURE OUTPUT ${script} @ONLY
       CONTENT "${node}_${breaker_soversion} {\nglobal:\n    ${names};\nlocal:\n    *;\n};\n")
  target_link_options(${target} PRIVATE -Wl,--version-script=${script} -Wl,--no-undefined-version)
  set_target_properties(${target} PROPERTIES LINK_DEPENDS ${script})
endfunction()
