# What privet stands on, found the same way in this tree and from an installed copy.
#
# xtensor, xtl and xsimd are headers only, so where no CMake package answers (a cross compiler
# does not look into the host's package folder) the folder that holds the headers will do.

include_guard()
include(${CMAKE_CURRENT_LIST_DIR}/privet_versions.cmake)

# Whoever links privet from another directory must see these targets too.
set(privet_saved_global "${CMAKE_FIND_PACKAGE_TARGETS_GLOBAL}")
set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)

# privet_header_only(<target> <header>...): makes <target> exist, or stops with what to install.
function(privet_header_only name package)
  if(NOT TARGET ${name})
    find_package(${name} CONFIG QUIET)
  endif()
  if(NOT TARGET ${name})
    find_path(PRIVET_${name}_INCLUDE_DIR NAMES ${ARGN})
    mark_as_advanced(PRIVET_${name}_INCLUDE_DIR)
    if(NOT PRIVET_${name}_INCLUDE_DIR)
      message(FATAL_ERROR "privet needs ${name}. On Debian or Ubuntu: apt install ${package}")
    endif()
    add_library(${name} INTERFACE IMPORTED GLOBAL)
    target_include_directories(${name} INTERFACE ${PRIVET_${name}_INCLUDE_DIR})
  endif()
endfunction()

privet_header_only(xtl xtl-dev xtl/xtl_config.hpp)
privet_header_only(xtensor libxtensor-dev xtensor/xtensor_config.hpp xtensor/core/xtensor_config.hpp)
privet_header_only(xsimd libxsimd-dev xsimd/xsimd.hpp)
privet_check_versions()

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

# privet::files = privet and what its readers and writers of files use: nlohmann/json, and zlib
# where the target system has it.
function(privet_add_files_target)
  find_package(nlohmann_json CONFIG QUIET GLOBAL)
  find_package(ZLIB QUIET GLOBAL)
  if(NOT TARGET nlohmann_json::nlohmann_json)
    message(STATUS "privet::files is left out: nlohmann/json (nlohmann-json3-dev) was not found")
    return()
  endif()
  add_library(privet::files INTERFACE IMPORTED GLOBAL)
  target_link_libraries(privet::files INTERFACE privet::privet nlohmann_json::nlohmann_json)
  if(TARGET ZLIB::ZLIB)
    target_link_libraries(privet::files INTERFACE ZLIB::ZLIB)
  endif()
endfunction()

# privet::sodium = libsodium, for the headers of crypto/ that include crypto/sodium.hpp: signatures and files
# sealed under a passphrase. Nothing else needs it.
function(privet_add_sodium_target)
  if(NOT TARGET privet::sodium)
    find_path(PRIVET_SODIUM_INCLUDE_DIR NAMES sodium.h)
    find_library(PRIVET_SODIUM_LIBRARY NAMES sodium)
    mark_as_advanced(PRIVET_SODIUM_INCLUDE_DIR PRIVET_SODIUM_LIBRARY)
    if(NOT PRIVET_SODIUM_INCLUDE_DIR OR NOT PRIVET_SODIUM_LIBRARY)
      message(STATUS "privet::sodium is left out: libsodium (libsodium-dev) was not found")
      return()
    endif()
    add_library(privet::sodium INTERFACE IMPORTED GLOBAL)
    target_include_directories(privet::sodium INTERFACE ${PRIVET_SODIUM_INCLUDE_DIR})
    target_link_libraries(privet::sodium INTERFACE ${PRIVET_SODIUM_LIBRARY})
  endif()
endfunction()

# privet::images = libpng and libjpeg, for whoever includes data/image_file.hpp. Nothing else needs them.
function(privet_add_images_target)
  if(NOT TARGET privet::images)
    find_package(PNG QUIET GLOBAL)
    find_package(JPEG QUIET GLOBAL)
    if(NOT TARGET PNG::PNG OR NOT TARGET JPEG::JPEG)
      message(STATUS "privet::images is left out: libpng (libpng-dev) or libjpeg (libjpeg-dev) was not found")
      return()
    endif()
    add_library(privet::images INTERFACE IMPORTED GLOBAL)
    target_link_libraries(privet::images INTERFACE PNG::PNG JPEG::JPEG)
  endif()
endfunction()

set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL "${privet_saved_global}")
