# SPDX-License-Identifier: Apache-2.0
# What producers build against: libkeyhole.so with keyhole.h (Keyhole::keyhole), and for C++ the store's rooms as static
# libraries with their headers (Keyhole::store). find_package(Keyhole) or pkg-config keyhole.
include(CMakePackageConfigHelpers)

set(rooms base key guard db remote cache)
add_library(keyhole_store INTERFACE)
set_target_properties(keyhole_store PROPERTIES EXPORT_NAME store)
target_link_libraries(keyhole_store INTERFACE keyhole_cache keyhole_remote keyhole_guard keyhole_key keyhole_base)

set(targets keyhole_c keyhole_store)
foreach(room ${rooms})
  list(APPEND targets keyhole_${room})
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/store/${room}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    COMPONENT development FILES_MATCHING PATTERN "*.h")
endforeach()
install(FILES ${PROJECT_SOURCE_DIR}/store/c_api/include/keyhole.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  COMPONENT development)
install(TARGETS ${targets} EXPORT KeyholeTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library NAMELINK_COMPONENT development
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Keyhole)
install(EXPORT KeyholeTargets NAMESPACE Keyhole:: DESTINATION ${package_dir} COMPONENT development)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/KeyholeConfig.cmake.in ${PROJECT_BINARY_DIR}/KeyholeConfig.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/KeyholeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/KeyholeConfig.cmake ${PROJECT_BINARY_DIR}/KeyholeConfigVersion.cmake
  DESTINATION ${package_dir} COMPONENT development)
configure_file(${PROJECT_SOURCE_DIR}/cmake/keyhole.pc.in ${PROJECT_BINARY_DIR}/keyhole.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/keyhole.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
