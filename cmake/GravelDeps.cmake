# SPDX-License-Identifier: Apache-2.0
# Every foreign library: its pkg-config name, and the package that brings it on Debian and on EL. A missing one is named by its
# package, all of them at once.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

set(GRAVEL_MISSING_DEB "")
set(GRAVEL_MISSING_EL "")

function(gravel_need name pc deb el)
	pkg_check_modules(${name} QUIET IMPORTED_TARGET ${pc})
	if(NOT ${name}_FOUND)
		set(GRAVEL_MISSING_DEB ${GRAVEL_MISSING_DEB} ${deb} PARENT_SCOPE)
		set(GRAVEL_MISSING_EL ${GRAVEL_MISSING_EL} ${el} PARENT_SCOPE)
	endif()
endfunction()

# A program that the build runs, likewise.
function(gravel_need_program name program deb el)
	find_program(${name} ${program})
	if(NOT ${name})
		set(GRAVEL_MISSING_DEB ${GRAVEL_MISSING_DEB} ${deb} PARENT_SCOPE)
		set(GRAVEL_MISSING_EL ${GRAVEL_MISSING_EL} ${el} PARENT_SCOPE)
	endif()
endfunction()

gravel_need(XXHASH libxxhash libxxhash-dev xxhash-devel)
gravel_need(ZSTD libzstd libzstd-dev libzstd-devel)
gravel_need(ZLIB zlib zlib1g-dev zlib-devel)
gravel_need(YAML yaml-0.1 libyaml-dev libyaml-devel)
gravel_need(PROTOBUFC libprotobuf-c libprotobuf-c-dev protobuf-c-devel)
gravel_need_program(GRAVEL_PROTOC_C protoc-c protobuf-c-compiler protobuf-c-compiler)
gravel_need(NATS libnats libnats-dev "nats.c (build it from source: no EL package exists)")
gravel_need(CURL libcurl libcurl4-openssl-dev libcurl-devel)
gravel_need(JANSSON jansson libjansson-dev jansson-devel)
gravel_need(CARES libcares libc-ares-dev c-ares-devel)
gravel_need(PCRE2 libpcre2-8 libpcre2-dev pcre2-devel)
gravel_need(CRYPTO libcrypto libssl-dev openssl-devel)
gravel_need(SQLITE sqlite3 libsqlite3-dev sqlite-devel)
gravel_need(MHD libmicrohttpd libmicrohttpd-dev libmicrohttpd-devel)
if(GRAVEL_TESTS)
	gravel_need(CMOCKA cmocka libcmocka-dev libcmocka-devel)
endif()

if(GRAVEL_MISSING_DEB)
	string(REPLACE ";" " " deb "${GRAVEL_MISSING_DEB}")
	string(REPLACE ";" " " el "${GRAVEL_MISSING_EL}")
	message(FATAL_ERROR "Libraries are missing. Install them with\n  apt-get install ${deb}\nor on EL\n  dnf install ${el}")
endif()
