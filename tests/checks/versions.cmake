# The pair check of cmake/privet_versions.cmake, on made-up version headers: cmake -P versions.cmake
#
# Run again with -Dxtensor=... -Dxtl=... it is the child that may fail.
include(${CMAKE_CURRENT_LIST_DIR}/../../cmake/privet_versions.cmake)

if(DEFINED xtensor)
  privet_check_pair(${xtensor} ${xtl})
  return()
endif()

# expect_pair(<xtensor> <xtl> <regular expression of the sentence, or "good">)
function(expect_pair xtensor xtl sentence)
  execute_process(COMMAND ${CMAKE_COMMAND} -Dxtensor=${xtensor} -Dxtl=${xtl} -P ${CMAKE_CURRENT_FUNCTION_LIST_FILE}
    RESULT_VARIABLE code ERROR_VARIABLE said)
  string(REGEX REPLACE "[ \n]+" " " said "${said}")
  if(sentence STREQUAL "good" AND NOT code EQUAL 0)
    message(FATAL_ERROR "xtensor ${xtensor} with xtl ${xtl} should pass, and says: ${said}")
  elseif(NOT sentence STREQUAL "good" AND (code EQUAL 0 OR NOT said MATCHES "${sentence}"))
    message(FATAL_ERROR "xtensor ${xtensor} with xtl ${xtl} should say '${sentence}', and says: ${said}")
  endif()
endfunction()

expect_pair(0.24.3 0.7.2 good)
expect_pair(0.25.0 0.7.7 good)
expect_pair(0.26.0 0.8.0 good)
expect_pair(0.27.1 0.8.1 good)
expect_pair(0.24.3 0.8.0 "xtensor 0.24.3 does not work with xtl 0.8.0: xtensor up to 0.25 needs an xtl below 0.8")
expect_pair(0.25.0 0.8.1 "needs an xtl below 0.8")
expect_pair(0.26.0 0.7.7 "xtensor from 0.26 on needs xtl 0.8 or later")
expect_pair(0.23.10 0.7.2 "privet needs xtensor 0.24 or later and found 0.23.10")

# The versions are read from either place of the header.
set(scratch $ENV{TMPDIR})
if(NOT scratch)
  set(scratch /tmp)
endif()
string(RANDOM LENGTH 12 name)
set(scratch ${scratch}/privet_versions_${name})
file(WRITE ${scratch}/new/xtensor/core/xtensor_config.hpp
  "#define XTENSOR_VERSION_MAJOR 0\n#define XTENSOR_VERSION_MINOR 27\n#define XTENSOR_VERSION_PATCH 1\n")
file(WRITE ${scratch}/old/xtensor/xtensor_config.hpp
  "#define XTENSOR_VERSION_MAJOR 0\n#define XTENSOR_VERSION_MINOR 24\n#define XTENSOR_VERSION_PATCH 3\n")
set(places xtensor/xtensor_config.hpp xtensor/core/xtensor_config.hpp)
privet_read_version(new XTENSOR "${scratch}/empty;${scratch}/new" ${places})
privet_read_version(old XTENSOR "${scratch}/old" ${places})
privet_read_version(none XTENSOR "${scratch}/empty" ${places})
file(REMOVE_RECURSE ${scratch})
if(NOT "${new}|${old}|${none}" STREQUAL "0.27.1|0.24.3|")
  message(FATAL_ERROR "versions read: new '${new}', old '${old}', none '${none}'")
endif()

# The vcpkg port repeats the version, because its format asks for it.
file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/../../include/privet/core/version.hpp lines REGEX "PRIVET_VERSION_(MAJOR|MINOR|PATCH) ")
string(REGEX REPLACE "[^0-9;]" "" numbers "${lines}")
list(JOIN numbers "." in_header)
file(READ ${CMAKE_CURRENT_LIST_DIR}/../../packaging/vcpkg/vcpkg.json port)
string(JSON in_port GET "${port}" version)
if(NOT in_port STREQUAL in_header)
  message(FATAL_ERROR "packaging/vcpkg/vcpkg.json says ${in_port}, the header ${in_header}")
endif()
