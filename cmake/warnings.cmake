# Warnings are errors in our own code. Foreign headers come in as SYSTEM.
add_library(gpuscope_options INTERFACE)
target_compile_options(gpuscope_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wconversion
  -Wsign-conversion -Wcast-align -Wnull-dereference -Wformat=2 -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(gpuscope_options INTERFACE -Wthread-safety -Wno-missing-designated-field-initializers)
else()
  # g++ 12 sees null pointers in the standard library's own inlined code at -O2.
  target_compile_options(gpuscope_options INTERFACE -Wno-null-dereference)
endif()
if(CMAKE_UNITY_BUILD)  # a name of one file is no shadow over another's, and each file is the main one
  target_compile_options(gpuscope_options INTERFACE -Wno-shadow $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endif()
target_compile_definitions(gpuscope_options INTERFACE SPDLOG_FMT_EXTERNAL)
target_include_directories(gpuscope_options INTERFACE ${CMAKE_SOURCE_DIR}/src)

if(GPUSCOPE_SANITIZE)
  add_compile_options(-fsanitize=${GPUSCOPE_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${GPUSCOPE_SANITIZE})
  # For a program of others that loads a library of ours.
  if(GPUSCOPE_SANITIZE MATCHES "address")
    set(runtime libasan.so)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
      set(runtime libclang_rt.asan-x86_64.so)
    endif()
    execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-file-name=${runtime}
                    OUTPUT_VARIABLE GPUSCOPE_SANITIZER_RUNTIME OUTPUT_STRIP_TRAILING_WHITESPACE)
  endif()
  if(GPUSCOPE_SANITIZE STREQUAL "thread")
    add_compile_options(-Wno-tsan)
  endif()
endif()
if(GPUSCOPE_FUZZERS)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()
