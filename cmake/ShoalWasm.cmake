# wasm32 builds of engine/ beside the native ones, by the same compiler and from the same sources. clang only compiles
# here and wasm-ld links: as a driver clang would run whatever wasm-opt is on PATH, and old ones cannot read relaxed SIMD.
#   shoal_wasm_sources(file ...)     sources that belong to the library, called beside shoal_library
#   shoal_wasm_objects(out VARIANT v SOURCES ... [FLAGS ...])    objects of one variant
#   shoal_wasm_program(NAME n VARIANT v OBJECTS ... [REACTOR [THREADS]])   build/<preset>/<n>_<variant>.wasm, part of `all`
# Variants: simd128 runs wherever WASM SIMD does; relaxed_simd also needs the relaxed instructions.
set(SHOAL_WASM_VARIANTS simd128 relaxed_simd)
set(SHOAL_WASM_FLAGS_simd128 -msimd128)
set(SHOAL_WASM_FLAGS_relaxed_simd -msimd128 -mrelaxed-simd)
set(SHOAL_WASM_FLAGS -isystem ${SHOAL_GENERATED} --target=wasm32-wasi -stdlib=libc++ -fno-exceptions -std=c++23 -O3 -ffp-contract=off -I${CMAKE_SOURCE_DIR})
find_program(SHOAL_WASM_LD wasm-ld-19)
file(GLOB SHOAL_WASM_BUILTINS /usr/lib/llvm-19/lib/clang/*/lib/wasi/libclang_rt.builtins-wasm32.a)
set(SHOAL_WASM_LIBS /usr/lib/wasm32-wasi)

function(shoal_wasm_sources)
  foreach(source ${ARGN})
    set_property(GLOBAL APPEND PROPERTY SHOAL_WASM_SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/${source})
  endforeach()
endfunction()

function(shoal_wasm_objects out)
  cmake_parse_arguments(ARG "" "VARIANT" "SOURCES;FLAGS" ${ARGN})
  set(objects)
  foreach(source ${ARG_SOURCES})
    get_filename_component(source ${source} ABSOLUTE)
    file(RELATIVE_PATH name ${CMAKE_SOURCE_DIR} ${source})
    string(REPLACE ".." "outside" name ${name})
    set(object ${CMAKE_BINARY_DIR}/wasm/${ARG_VARIANT}/${name}.o)
    get_filename_component(folder ${object} DIRECTORY)
    file(MAKE_DIRECTORY ${folder})
    add_custom_command(
      OUTPUT ${object} DEPENDS ${source} DEPFILE ${object}.d VERBATIM
      COMMAND ${CMAKE_CXX_COMPILER_LAUNCHER} ${CMAKE_CXX_COMPILER} ${SHOAL_WASM_FLAGS} ${SHOAL_WASM_FLAGS_${ARG_VARIANT}}
              ${ARG_FLAGS} -MD -MF ${object}.d -c ${source} -o ${object}
      COMMENT "Building ${ARG_VARIANT} object ${name}")
    list(APPEND objects ${object})
  endforeach()
  set(${out} ${objects} PARENT_SCOPE)
endfunction()

function(shoal_wasm_program)
  cmake_parse_arguments(ARG "REACTOR;THREADS" "NAME;VARIANT" "OBJECTS" ${ARGN})
  set(output ${CMAKE_BINARY_DIR}/${ARG_NAME}_${ARG_VARIANT}.wasm)
  set(start ${SHOAL_WASM_LIBS}/crt1-command.o)
  if(ARG_REACTOR)
    set(start ${SHOAL_WASM_LIBS}/crt1-reactor.o --entry=_initialize --import-memory)
  endif()
  # A memory that instances share, each with a stack of its own. Debian's libc is not made for it, which the linker says
  # unless it is told not to check: only the first thread calls libc.
  if(ARG_THREADS)
    list(APPEND start --shared-memory --no-check-features --export=__stack_pointer)
  endif()
  # A stack of 1 MiB: kernels keep a tile's totals there. Memory may grow to 4 GiB; the embedder of a reactor brings the
  # memory and with it a bound.
  add_custom_command(
    OUTPUT ${output} DEPENDS ${ARG_OBJECTS} VERBATIM
    COMMAND ${SHOAL_WASM_LD} ${start} ${ARG_OBJECTS} -L${SHOAL_WASM_LIBS} -lc++ -lc++abi -lc ${SHOAL_WASM_BUILTINS}
            --gc-sections --strip-all -z stack-size=1048576 --stack-first --max-memory=4294967296 -o ${output}
    COMMENT "Linking ${ARG_NAME}_${ARG_VARIANT}.wasm")
  add_custom_target(${ARG_NAME}_${ARG_VARIANT}_wasm ALL DEPENDS ${output})
endfunction()
