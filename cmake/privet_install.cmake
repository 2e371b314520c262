# Headers, targets and package files: `cmake --install build/portable --prefix DIR`.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_DATADIR}/cmake/privet)
install(TARGETS privet EXPORT privet_targets FILE_SET HEADERS)
install(EXPORT privet_targets NAMESPACE privet:: DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/privetConfigVersion.cmake
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES
  cmake/privetConfig.cmake
  cmake/privet_dependencies.cmake
  cmake/privet_versions.cmake
  ${PROJECT_BINARY_DIR}/privetConfigVersion.cmake
  DESTINATION ${package_dir})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/licenses/privet)
