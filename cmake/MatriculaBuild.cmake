# How every target of the project is compiled: warnings, sanitizers, linker, compiler cache; and the two helpers that
# make a room (a folder with one static library) and embed a text file.

add_library(matricula_warnings INTERFACE)
target_compile_options(matricula_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
                       # Designated initialisers leave the rest at their defaults on purpose.
                       -Wno-missing-field-initializers)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE_PROGRAM})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-fpch-preprocess)
  endif()
endif()

foreach(linker mold lld)
  find_program(LINKER_${linker} NAMES ${linker} ld.${linker})
  if(LINKER_${linker})
    add_link_options(-fuse-ld=${linker})
    break()
  endif()
endforeach()

if(MATRICULA_SANITIZE)
  add_compile_options(-fsanitize=${MATRICULA_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${MATRICULA_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # With sanitizers g++ 12 sees uninitialised members in every std::expected (GCC bug 105562 and its kin).
    add_compile_options(-Wno-maybe-uninitialized)
  endif()
  if(MATRICULA_SANITIZE MATCHES "undefined")
    # vptr checks read typeinfo that the packaged libraries do not all export.
    add_compile_options(-fno-sanitize=vptr -fno-sanitize-recover=undefined)
    add_link_options(-fno-sanitize=vptr)
  endif()
endif()
if(MATRICULA_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()
if(MATRICULA_FUZZ)
  # Every object is instrumented for coverage; only the fuzz targets link the driver.
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_link_options(-fsanitize=fuzzer-no-link)
endif()

# A folder of sources becomes the static library matricula_<room>; headers are found as "<room>/...".
function(matricula_room room)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${room}/*.cpp)
  add_library(matricula_${room} STATIC ${sources})
  target_include_directories(matricula_${room} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(matricula_${room} PRIVATE matricula_warnings)
endfunction()

# Makes `extern const std::string_view <symbol>;` hold the text of `file`.
function(matricula_embed target file symbol)
  string(REPLACE "::" "_" name ${symbol})
  set(out ${PROJECT_BINARY_DIR}/embedded/${name}.cpp)
  add_custom_command(
    OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -DIN=${PROJECT_SOURCE_DIR}/${file} -DOUT=${out} -DSYMBOL=${symbol} -P
            ${PROJECT_SOURCE_DIR}/cmake/EmbedText.cmake
    DEPENDS ${PROJECT_SOURCE_DIR}/${file} ${PROJECT_SOURCE_DIR}/cmake/EmbedText.cmake)
  target_sources(${target} PRIVATE ${out})
  set_source_files_properties(${out} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
endfunction()
