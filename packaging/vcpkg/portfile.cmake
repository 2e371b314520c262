# An overlay port that builds the checkout it lies in:
#   vcpkg install privet --overlay-ports=packaging/vcpkg
set(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../..")
set(VCPKG_BUILD_TYPE release) # headers only

vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS -DPRIVET_BUILD_TESTS=OFF -DPRIVET_BUILD_EXAMPLES=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH share/cmake/privet)
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
