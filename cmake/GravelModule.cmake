# SPDX-License-Identifier: Apache-2.0
set(GRAVEL_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes
    -Wmissing-prototypes -Wold-style-definition -Wvla -Wformat=2 -Wundef -Wpointer-arith -Wcast-qual -Wwrite-strings
    -Wswitch-enum)
if(GRAVEL_WERROR)
	list(APPEND GRAVEL_WARNINGS -Werror)
endif()

set(GRAVEL_SAN_FLAGS "")
if(GRAVEL_SANITIZE STREQUAL "address")
	set(GRAVEL_SAN_FLAGS -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
elseif(GRAVEL_SANITIZE STREQUAL "thread")
	set(GRAVEL_SAN_FLAGS -fsanitize=thread -fno-omit-frame-pointer)
elseif(GRAVEL_SANITIZE)
	message(FATAL_ERROR "GRAVEL_SANITIZE is '${GRAVEL_SANITIZE}': use address, thread or nothing")
endif()
if(GRAVEL_FUZZ)
	list(APPEND GRAVEL_SAN_FLAGS -fsanitize=fuzzer-no-link)
endif()

# What every target of ours is compiled with.
function(gravel_flags target)
	target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/include)
	target_compile_definitions(${target} PRIVATE _GNU_SOURCE GRAVEL_VERSION="${PROJECT_VERSION}")
	target_compile_options(${target} PRIVATE ${GRAVEL_WARNINGS} ${GRAVEL_SAN_FLAGS})
	target_link_options(${target} PRIVATE ${GRAVEL_SAN_FLAGS})
endfunction()

# gravel_module(NAME SOURCES a.c ... DEPS module ... FOREIGN PkgConfig::X ...)
# A module of docs/ARCHITECTURE.md. Its dependencies must be targets already: the order in the top file is the order of the
# layers, so an upward edge does not configure. FOREIGN libraries are private to it.
function(gravel_module name)
	cmake_parse_arguments(M "" "" "SOURCES;DEPS;FOREIGN" ${ARGN})
	add_library(gravel_${name} STATIC ${M_SOURCES})
	gravel_flags(gravel_${name})
	foreach(dep ${M_DEPS})
		if(NOT TARGET gravel_${dep})
			message(FATAL_ERROR "module ${name} depends on ${dep}, which stands above it")
		endif()
		target_link_libraries(gravel_${name} PUBLIC gravel_${dep})
	endforeach()
	target_link_libraries(gravel_${name} PRIVATE ${M_FOREIGN} Threads::Threads m)
endfunction()
