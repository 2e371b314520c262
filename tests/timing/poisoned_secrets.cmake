# timing/poisoned_avx2 and timing/poisoned_sse2: poisoned_secrets.cpp under valgrind, for the kernels of four lanes
# and of one (valgrind 3.19 knows no AVX-512). Compiled as programs are, since what makes branches is the compiler.

set(poisoned_isas avx2 sse2)
set(poisoned_flags_avx2 -march=x86-64-v3)
set(poisoned_flags_sse2 -march=x86-64)

if(NOT (UNIX AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64" AND CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang"
        AND CMAKE_BUILD_TYPE STREQUAL "Release"))
  return() # the sanitizers are not for valgrind, which the build of Release is for
endif()

find_program(VALGRIND valgrind)
find_path(VALGRIND_INCLUDE_DIR NAMES valgrind/memcheck.h)
mark_as_advanced(VALGRIND VALGRIND_INCLUDE_DIR)
if(NOT VALGRIND OR NOT VALGRIND_INCLUDE_DIR)
  foreach(isa IN LISTS poisoned_isas)
    add_test(NAME timing/poisoned_${isa} COMMAND ${CMAKE_COMMAND} -E echo
      "skipped: valgrind is not installed. On Debian or Ubuntu: apt install valgrind")
    set_tests_properties(timing/poisoned_${isa} PROPERTIES SKIP_REGULAR_EXPRESSION "^skipped: ")
  endforeach()
  return()
endif()

if(NOT TARGET run_where)
  add_executable(run_where support/run_where.cpp)
  target_link_libraries(run_where PRIVATE privet_warnings)
  target_compile_options(run_where PRIVATE -march=x86-64)
endif()

foreach(isa IN LISTS poisoned_isas)
  set(name test_poisoned_${isa})
  add_executable(${name} timing/poisoned_secrets.cpp)
  target_link_libraries(${name} PRIVATE privet::files privet_warnings)
  target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_include_directories(${name} SYSTEM PRIVATE ${VALGRIND_INCLUDE_DIR})
  # The last -march counts. Of DWARF 5 from clang valgrind 3.19 does not read which functions were inlined.
  target_compile_options(${name} PRIVATE -O3 -gdwarf-4 ${poisoned_flags_${isa}})
  add_test(NAME timing/poisoned_${isa}
    COMMAND run_where ${isa} ${VALGRIND} --quiet --error-limit=no --num-callers=8
      --suppressions=${CMAKE_CURRENT_SOURCE_DIR}/timing/became_public.supp $<TARGET_FILE:${name}>)
  set_tests_properties(timing/poisoned_${isa} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600)
endforeach()
