# SPDX-License-Identifier: Apache-2.0
# A room is one static library with its public headers under include/keyhole/<room>/. A room sees the headers of the
# rooms that it names in USES and of no others: the direction of the dependencies is enforced here.

add_library(keyhole_options INTERFACE)
target_compile_features(keyhole_options INTERFACE cxx_std_20)
target_compile_options(keyhole_options INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
  -Wcast-align -Wunused -Wimplicit-fallthrough)
if(CMAKE_UNITY_BUILD) # several sources in one: what a source names for itself alone looks as if a header named it
  target_compile_options(keyhole_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endif()
if(KEYHOLE_WERROR)
  target_compile_options(keyhole_options INTERFACE -Werror)
endif()
if(KEYHOLE_SANITIZE)
  target_compile_options(keyhole_options INTERFACE -fsanitize=${KEYHOLE_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(keyhole_options INTERFACE -fsanitize=${KEYHOLE_SANITIZE})
endif()

# Loading a library takes a process time at each start: libcrypto, SQLite and the three for compression took 1.7 of the
# 3.7 ms in which a command began. A target with the property KEYHOLE_ARCHIVES takes of their archives what it uses,
# where there are archives. Rooms name them by these variables.
foreach(dependency "CRYPTO crypto OpenSSL::Crypto" "SQLITE sqlite3 SQLite::SQLite3" "ZSTD zstd PkgConfig::ZSTD"
        "ZLIB z ZLIB::ZLIB" "LZMA lzma LibLZMA::LibLZMA")
  separate_arguments(dependency)
  list(POP_FRONT dependency name file target)
  find_library(KEYHOLE_ARCHIVE_${name} lib${file}.a)
  mark_as_advanced(KEYHOLE_ARCHIVE_${name})
  set(KEYHOLE_${name} ${target})
  if(KEYHOLE_ARCHIVE_${name})
    set(KEYHOLE_${name} $<INSTALL_INTERFACE:${target}>
      $<BUILD_INTERFACE:$<IF:$<BOOL:$<TARGET_PROPERTY:KEYHOLE_ARCHIVES>>,${KEYHOLE_ARCHIVE_${name}},${target}>>)
  endif()
endforeach()

# keyhole_room(NAME SOURCES file... [USES target...] [PRIVATE_USES target...])
function(keyhole_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;USES;PRIVATE_USES" ${ARGN})
  add_library(keyhole_${name} STATIC ${ROOM_SOURCES})
  target_include_directories(keyhole_${name}
    PUBLIC $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
    PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(keyhole_${name} PUBLIC ${ROOM_USES} PRIVATE ${ROOM_PRIVATE_USES} $<BUILD_INTERFACE:keyhole_options>)
endfunction()

# keyhole_precompiled(NAME HEADERS header... USES target... [OPTIONS option...]): headers that each user would parse for
# seconds, parsed once. Users say `REUSE_FROM NAME`, and are compiled with the same options and definitions.
function(keyhole_precompiled name)
  cmake_parse_arguments(PCH "" "" "HEADERS;USES;OPTIONS" ${ARGN})
  file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp "// ${name}: holds the precompiled headers\n")
  add_library(${name} OBJECT ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp)
  target_link_libraries(${name} PRIVATE ${PCH_USES} keyhole_options)
  target_compile_options(${name} PRIVATE ${PCH_OPTIONS})
  target_precompile_headers(${name} PRIVATE ${PCH_HEADERS})
endfunction()

# A test's own code runs for a moment and is compiled on every machine: half the time without optimisation. The two
# definitions name a folder each, which would make each test's precompiled headers another.
set(KEYHOLE_TEST_OPTIONS $<$<CONFIG:Release>:-O0> $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>
  -UQT_TESTCASE_BUILDDIR -UQT_TESTCASE_SOURCEDIR)

# keyhole_test(NAME USES target... [ENVIRONMENT VAR=value...] [COST seconds]): tests/<room>/test_<name>.cpp, one Qt Test
# class a file. What takes long says so by COST and is begun first, so that no core waits for it at the end.
# A test that skips all or part of itself says so by QSKIP; `./dev test` counts and names these.
function(keyhole_test name)
  cmake_parse_arguments(TEST "" "COST" "USES;ENVIRONMENT;LABELS" ${ARGN})
  get_filename_component(room ${CMAKE_CURRENT_SOURCE_DIR} NAME)
  set(target test_${room}_${name})
  # moc is called without include paths: it needs the class alone, and parsing what the file includes would take most
  # of a test's build.
  set(moc ${CMAKE_CURRENT_BINARY_DIR}/moc/test_${name}.moc)
  add_custom_command(OUTPUT ${moc} DEPENDS test_${name}.cpp VERBATIM
    COMMAND Qt6::moc --no-warnings ${CMAKE_CURRENT_SOURCE_DIR}/test_${name}.cpp -o ${moc})
  add_executable(${target} test_${name}.cpp ${moc})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests UNITY_BUILD OFF)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests/support ${CMAKE_CURRENT_BINARY_DIR}/moc)
  target_compile_options(${target} PRIVATE ${KEYHOLE_TEST_OPTIONS})
  target_compile_definitions(${target} PRIVATE KEYHOLE_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
    KEYHOLE_BIN_DIR="${PROJECT_BINARY_DIR}/bin")
  target_link_libraries(${target} PRIVATE ${TEST_USES} Qt6::Test nlohmann_json::nlohmann_json keyhole_options)
  if(room STREQUAL inspector)
    target_link_libraries(${target} PRIVATE Qt6::Widgets) # what its precompiled headers were made with
    target_precompile_headers(${target} REUSE_FROM keyhole_widget_test_headers)
  else()
    target_precompile_headers(${target} REUSE_FROM keyhole_test_headers)
  endif()
  add_test(NAME ${room}.${name} COMMAND ${target})
  set_tests_properties(${room}.${name} PROPERTIES TIMEOUT 300 LABELS "${room};${TEST_LABELS}"
    ENVIRONMENT "QT_QPA_PLATFORM=offscreen;${TEST_ENVIRONMENT}")
  if(TEST_COST)
    set_tests_properties(${room}.${name} PROPERTIES COST ${TEST_COST})
  endif()
endfunction()
