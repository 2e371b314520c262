# tests/simd once more for the other instruction sets of x86 than this build's own: test_simd_sse2,
# test_simd_avx2, test_simd_avx512. An entry such as simd_avx2/gemm is skipped, under its name, where the
# processor lacks the instructions. NEON runs in the arm64 preset, and every file tests simd::scalar too.

if(NOT (UNIX AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64" AND CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang"))
  return()
endif()

set(simd_flags_sse2 -march=x86-64)
set(simd_flags_avx2 -march=x86-64-v3)
set(simd_flags_avx512 -march=x86-64-v4)

# The name that the header gives to the instructions of this build.
separate_arguments(flags NATIVE_COMMAND "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_RELEASE}")
execute_process(COMMAND ${CMAKE_CXX_COMPILER} ${flags} -x c++ -dM -E ${PROJECT_SOURCE_DIR}/include/privet/simd/isa.hpp
  OUTPUT_VARIABLE macros COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCH "#define PRIVET_ISA ([a-z0-9_]+)" own "${macros}")
set(own ${CMAKE_MATCH_1})

add_executable(run_where support/run_where.cpp)
target_link_libraries(run_where PRIVATE privet_warnings)
target_compile_options(run_where PRIVATE ${simd_flags_sse2})

file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/simd/*.test.cpp)
foreach(isa IN ITEMS sse2 avx2 avx512)
  if(own MATCHES "^${isa}")
    continue()
  endif()
  set(name test_simd_${isa})
  together(sources ${name} ${files})
  add_executable(${name} ${sources} $<TARGET_OBJECTS:test_support>)
  target_link_libraries(${name} PRIVATE test_support)
  # The last -march and the last -O count. The kernels are inlined by hand: -O3 would only take longer.
  target_compile_options(${name} PRIVATE ${simd_flags_${isa}} -O1)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU") # the intrinsics' own, as for -march=native
    target_compile_options(${name} PRIVATE -Wno-uninitialized -Wno-maybe-uninitialized)
  endif()
  foreach(file IN LISTS files)
    get_filename_component(stem ${file} NAME_WLE) # gemm.test
    string(REGEX REPLACE "\\.test$" "" label ${stem})
    add_test(NAME simd_${isa}/${label}
      COMMAND run_where ${isa} $<TARGET_FILE:${name}> --filenames-as-tags "[#${stem}]~[.]" --warn NoTests)
    set_tests_properties(simd_${isa}/${label} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900)
  endforeach()
endforeach()
