# Builds and runs an outside project: -Dway=installed|subdirectory -Dprivet=SOURCES -Dbuilt=BUILD
# -Dscratch=DIR -Dcompiler=CXX
file(REMOVE_RECURSE ${scratch})
if(way STREQUAL "installed")
  execute_process(COMMAND ${CMAKE_COMMAND} --install ${built} --prefix ${scratch}/prefix
    OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
endif()
execute_process(COMMAND ${CMAKE_COMMAND} -G Ninja -S ${CMAKE_CURRENT_LIST_DIR}/${way} -B ${scratch}/build
  -DCMAKE_CXX_COMPILER=${compiler} -DCMAKE_PREFIX_PATH=${scratch}/prefix -Dprivet=${privet}
  COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_COMMAND} --build ${scratch}/build COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${scratch}/build/consumer COMMAND_ERROR_IS_FATAL ANY)
