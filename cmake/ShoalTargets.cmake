# The compile rules of every target, and the three ways to declare one: shoal_library, shoal_test, shoal_fuzz.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_FLAGS_DEV "-O1 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

add_link_options(-fuse-ld=lld)
if(SHOAL_SANITIZE)
  add_compile_options(-fsanitize=${SHOAL_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${SHOAL_SANITIZE})
endif()
if(SHOAL_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

set(SHOAL_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast
    -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough -Werror)

# The instruction sets of files that are written for one tier of engine/kernels.
set(SHOAL_AVX2 -O3 -mavx2 -mfma -mf16c)
set(SHOAL_AVX512 ${SHOAL_AVX2} -mavx512f -mavx512bw -mavx512vl -mavx512vnni)

# shoal_library(NAME name [SOURCES ...] [PUBLIC deps ...] [PRIVATE deps ...]); no SOURCES makes it header-only.
# A PUBLIC dependency is one that a header needs. Includes are written from the repository root: "server/core/log.hpp".
function(shoal_library)
  cmake_parse_arguments(ARG "" "NAME" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  if(ARG_SOURCES)
    add_library(${ARG_NAME} STATIC ${ARG_SOURCES})
    target_include_directories(${ARG_NAME} PUBLIC ${CMAKE_SOURCE_DIR})
    target_compile_options(${ARG_NAME} PRIVATE ${SHOAL_WARNINGS})
    target_link_libraries(${ARG_NAME} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
  else()
    add_library(${ARG_NAME} INTERFACE)
    target_include_directories(${ARG_NAME} INTERFACE ${CMAKE_SOURCE_DIR})
    target_link_libraries(${ARG_NAME} INTERFACE ${ARG_PUBLIC})
  endif()
endfunction()

# shoal_test(NAME name SOURCES ... LIBS ... [LABELS unit|net|...]); every test binary is a gtest binary run by ctest.
# Label "pure" marks what the asan preset runs, "lanes" what the tsan preset runs.
function(shoal_test)
  cmake_parse_arguments(ARG "" "NAME" "SOURCES;LIBS;LABELS" ${ARGN})
  add_executable(${ARG_NAME} ${ARG_SOURCES})
  target_include_directories(${ARG_NAME} PRIVATE ${CMAKE_SOURCE_DIR})
  target_compile_options(${ARG_NAME} PRIVATE ${SHOAL_WARNINGS})
  target_link_libraries(${ARG_NAME} PRIVATE ${ARG_LIBS} gtest gmock gtest_main Threads::Threads)
  add_test(NAME ${ARG_NAME} COMMAND ${ARG_NAME})
  set_tests_properties(${ARG_NAME} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT 120
                       ENVIRONMENT "SHOAL_SOURCE_DIR=${CMAKE_SOURCE_DIR}")
endfunction()

# shoal_fuzz(NAME name SOURCES ... LIBS ...): a libFuzzer target, built only with SHOAL_FUZZ; seeds live in tests/fuzz/corpus/<name>/.
function(shoal_fuzz)
  cmake_parse_arguments(ARG "" "NAME" "SOURCES;LIBS" ${ARGN})
  if(NOT SHOAL_FUZZ)
    return()
  endif()
  add_executable(${ARG_NAME} ${ARG_SOURCES})
  target_include_directories(${ARG_NAME} PRIVATE ${CMAKE_SOURCE_DIR})
  target_compile_options(${ARG_NAME} PRIVATE ${SHOAL_WARNINGS})
  target_link_libraries(${ARG_NAME} PRIVATE ${ARG_LIBS})
  target_link_options(${ARG_NAME} PRIVATE -fsanitize=fuzzer)
  set_property(GLOBAL APPEND PROPERTY SHOAL_FUZZ_TARGETS ${ARG_NAME})
endfunction()
