# gpuscope_library(<folder> SOURCES … [DEPENDS gpuscope_x …] [FOREIGN Some::lib …]
#                  [TESTS x_test.cc …] [BENCHES x_bench.cc …] [FUZZERS x_fuzzer.cc …]
#                  [ALONE x.cc …])
#
# Makes the static library gpuscope_<folder>; its tests as one program <folder>_test, each test
# case known to ctest with the folder as its label; each benchmark and each fuzzer as a program.
# FOREIGN libraries stay private: no other folder sees their headers. The sanitized builds compile
# several files as one, since reading headers is most of the work; ALONE are those whose names without
# linkage another file has, too.
include(GoogleTest)
add_custom_target(fuzzers)
add_custom_target(benches)
add_custom_target(unit_tests)

function(gpuscope_library folder)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;FOREIGN;TESTS;BENCHES;FUZZERS;ALONE" ${ARGN})
  set_source_files_properties(${ARG_ALONE} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  set(target gpuscope_${folder})
  add_library(${target} STATIC ${ARG_SOURCES})
  target_link_libraries(${target} PUBLIC ${ARG_DEPENDS} PRIVATE gpuscope_options ${ARG_FOREIGN})
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR}/src)

  if(ARG_TESTS)
    gpuscope_test(${folder}_test LABEL ${folder} SOURCES ${ARG_TESTS}
                  LINK ${target} ${ARG_FOREIGN})
  endif()
  foreach(bench IN LISTS ARG_BENCHES)
    get_filename_component(name ${bench} NAME_WE)
    add_executable(${name} EXCLUDE_FROM_ALL ${bench})
    target_link_libraries(${name} PRIVATE ${target} gpuscope_options benchmark::benchmark_main)
    add_dependencies(benches ${name})
  endforeach()
  if(GPUSCOPE_FUZZERS)
    foreach(fuzzer IN LISTS ARG_FUZZERS)
      get_filename_component(name ${fuzzer} NAME_WE)
      add_executable(${name} ${fuzzer})
      target_link_libraries(${name} PRIVATE ${target} gpuscope_options ${ARG_FOREIGN})
      target_link_options(${name} PRIVATE -fsanitize=fuzzer)
      set_target_properties(${name} PROPERTIES
                            RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzzers)
      add_dependencies(fuzzers ${name})
    endforeach()
  endif()
endfunction()

# gpuscope_test(<name> LABEL <label> SOURCES … LINK …): a GoogleTest program. A release build makes
# what users run; its tests come with the target unit_tests.
function(gpuscope_test name)
  cmake_parse_arguments(ARG "" "LABEL" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  add_dependencies(unit_tests ${name})
  if(CMAKE_BUILD_TYPE STREQUAL Release)
    set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
  target_link_libraries(${name} PRIVATE gpuscope_options ${ARG_LINK} GTest::gmock_main)
  # What is tested is optimized and checked in full. The tests themselves are not: that would be more
  # than half of what a build takes.
  target_compile_options(${name} PRIVATE -O0)
  if(GPUSCOPE_SANITIZE MATCHES "undefined")
    target_compile_options(${name} PRIVATE -fno-sanitize=undefined)
  endif()
  target_compile_definitions(${name} PRIVATE GPUSCOPE_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                                             GPUSCOPE_BINARY_DIR="${CMAKE_BINARY_DIR}")
  gtest_discover_tests(${name} TEST_PREFIX ${ARG_LABEL}. DISCOVERY_MODE PRE_TEST
                       PROPERTIES LABELS ${ARG_LABEL} TIMEOUT 120 PROCESSORS 2)
endfunction()

# gpuscope_embed(<target> <symbol> <file>): `extern const std::string_view gpuscope::embedded::<symbol>`
# holds the file's text. Declare it where it is used.
function(gpuscope_embed target symbol file)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/embedded_${symbol}.cc)
  get_filename_component(in ${file} ABSOLUTE)
  add_custom_command(OUTPUT ${out} DEPENDS ${in} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    COMMAND ${CMAKE_COMMAND} -DIN=${in} -DOUT=${out} -DSYMBOL=${symbol}
            -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    COMMENT "Embedding ${file}")
  target_sources(${target} PRIVATE ${out})
endfunction()
