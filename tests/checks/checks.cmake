# Tests that read the sources, or build other projects with them. They need Python 3.

find_package(Python3 COMPONENTS Interpreter)
find_program(CLANGXX clang++)
if(NOT Python3_Interpreter_FOUND)
  message(STATUS "the source checks are left out: they need Python 3")
  return()
endif()
set(checks ${PROJECT_SOURCE_DIR}/tests/checks)
set(compilers ${CMAKE_CXX_COMPILER})
if(CLANGXX)
  list(APPEND compilers ${CLANGXX})
endif()

# add_check(<name> <command>...): label "source" lets `./dev test` run these before it builds.
function(add_check name)
  add_test(NAME checks/${name} COMMAND ${ARGN})
  set_tests_properties(checks/${name} PROPERTIES LABELS source TIMEOUT 3600)
endfunction()

add_check(floors ${Python3_EXECUTABLE} ${checks}/floors.py ${PROJECT_SOURCE_DIR})
add_check(floors_self_test ${Python3_EXECUTABLE} ${checks}/floors.py --self-test)
add_check(words ${Python3_EXECUTABLE} ${checks}/words.py ${PROJECT_SOURCE_DIR})
add_check(snippets ${Python3_EXECUTABLE} ${checks}/snippets.py ${PROJECT_SOURCE_DIR})
add_check(links ${Python3_EXECUTABLE} ${checks}/links.py ${PROJECT_SOURCE_DIR})
add_check(floor_headers ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/generate_floor_headers --check)
# One compiler is enough: what a header forgets to include, it forgets for every compiler.
add_check(headers_alone ${Python3_EXECUTABLE} ${checks}/headers_alone.py ${PROJECT_SOURCE_DIR}/include
  ${CMAKE_CXX_COMPILER})
add_check(versions ${CMAKE_COMMAND} -P ${checks}/versions.cmake)
set_tests_properties(checks/headers_alone PROPERTIES LABELS "" PROCESSORS 2 COST 300) # seconds: the longest begin first

# The linker merges what objects with different flags share (docs/simd/runtime-isa.md).
if(CMAKE_SYSTEM_NAME STREQUAL "Linux" AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64")
  add_check(mixed_flags ${Python3_EXECUTABLE} ${checks}/mixed_flags.py ${PROJECT_SOURCE_DIR}/include
    ${CMAKE_CXX_COMPILER})
  set_tests_properties(checks/mixed_flags PROPERTIES LABELS "" COST 90) # minutes of compiling
endif()

file(GLOB lean CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/hello*.cpp)
foreach(file IN LISTS lean)
  get_filename_component(name ${file} NAME_WE)
  add_check(include_tree_${name} ${Python3_EXECUTABLE} ${checks}/include_tree.py
    ${PROJECT_SOURCE_DIR}/include ${file} ${CMAKE_CXX_COMPILER})
  set_tests_properties(checks/include_tree_${name} PROPERTIES LABELS "" RUN_SERIAL ON) # it counts seconds
endforeach()

# Misuse that must not compile; the harness is tried on three samples of its own first.
set(harness ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/compile_fail/compile_fail.py
  --include ${PROJECT_SOURCE_DIR}/include)
file(GLOB misuses CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/compile_fail/*.cpp)
foreach(compiler IN LISTS compilers)
  get_filename_component(compiler_name ${compiler} NAME)
  set(options "")
  if(compiler STREQUAL CLANGXX)
    set(options --precompiled ${CMAKE_CURRENT_BINARY_DIR}/privet.pch)
    add_test(NAME compile_fail/precompile COMMAND ${harness} ${options} --precompile ${compiler})
    set_tests_properties(compile_fail/precompile PROPERTIES FIXTURES_SETUP precompiled TIMEOUT 900)
  elseif(CLANGXX) # which tries the good lines
    set(options --misuse-only)
  endif()
  add_test(NAME compile_fail/self_test/${compiler_name} COMMAND ${harness} --self-test ${compiler})
  foreach(file IN LISTS misuses)
    get_filename_component(code ${file} NAME_WE)
    # Seconds to ten each without a precompiled header: where clang++ tries all, g++ tries one of each code.
    if(CLANGXX AND NOT compiler STREQUAL CLANGXX AND code MATCHES "_")
      continue()
    endif()
    add_test(NAME compile_fail/${code}/${compiler_name} COMMAND ${harness} ${options} ${compiler} ${file})
    if(compiler STREQUAL CLANGXX)
      set_tests_properties(compile_fail/${code}/${compiler_name} PROPERTIES FIXTURES_REQUIRED precompiled)
    endif()
  endforeach()
endforeach()

# An outside project, twice: with an installed copy, and with this tree as a part of it.
foreach(way installed subdirectory)
  add_test(NAME consumer/${way} COMMAND ${CMAKE_COMMAND}
    -Dway=${way} -Dprivet=${PROJECT_SOURCE_DIR} -Dbuilt=${PROJECT_BINARY_DIR}
    -Dscratch=${CMAKE_CURRENT_BINARY_DIR}/consumer_${way} -Dcompiler=${CMAKE_CXX_COMPILER}
    -P ${PROJECT_SOURCE_DIR}/tests/consumer/consume.cmake)
endforeach()
