# Versions of xtensor and xtl, read from their headers, and the pairs that compile together.

# privet_read_version(<out> <prefix> <include dirs> <header>...): "0.24.3", or empty if not found.
function(privet_read_version out prefix include_dirs)
  set(${out} "" PARENT_SCOPE)
  foreach(dir IN LISTS include_dirs)
    foreach(header IN LISTS ARGN)
      if(EXISTS "${dir}/${header}")
        set(numbers "")
        foreach(part MAJOR MINOR PATCH)
          file(STRINGS "${dir}/${header}" line REGEX "#define ${prefix}_VERSION_${part} ")
          string(REGEX REPLACE ".*_${part} +([0-9]+).*" "\\1" number "${line}")
          list(APPEND numbers ${number})
        endforeach()
        list(JOIN numbers "." version)
        set(${out} "${version}" PARENT_SCOPE)
        return()
      endif()
    endforeach()
  endforeach()
endfunction()

# privet_check_pair(<xtensor version> <xtl version>): stops unless the two belong together.
function(privet_check_pair xtensor xtl)
  if(xtensor VERSION_LESS 0.24)
    message(FATAL_ERROR "privet needs xtensor 0.24 or later and found ${xtensor}.")
  elseif(xtensor VERSION_LESS 0.26 AND xtl VERSION_GREATER_EQUAL 0.8)
    message(FATAL_ERROR "xtensor ${xtensor} does not work with xtl ${xtl}: "
      "xtensor up to 0.25 needs an xtl below 0.8. Take xtl 0.7, or xtensor 0.26 or later.")
  elseif(xtensor VERSION_GREATER_EQUAL 0.26 AND xtl VERSION_LESS 0.8)
    message(FATAL_ERROR "xtensor ${xtensor} does not work with xtl ${xtl}: "
      "xtensor from 0.26 on needs xtl 0.8 or later. Take xtl 0.8, or xtensor 0.25 or earlier.")
  endif()
endfunction()

# Checks the targets xtensor and xtl.
function(privet_check_versions)
  foreach(name xtensor xtl)
    get_target_property(dirs ${name} INTERFACE_INCLUDE_DIRECTORIES)
    string(REGEX REPLACE "\\$<BUILD_INTERFACE:([^>]*)>" "\\1" dirs "${dirs}")
    string(TOUPPER ${name} prefix)
    privet_read_version(${name}_version ${prefix} "${dirs}" ${name}/${name}_config.hpp ${name}/core/${name}_config.hpp)
  endforeach()
  if(xtensor_version AND xtl_version)
    privet_check_pair(${xtensor_version} ${xtl_version})
  endif()
endfunction()
