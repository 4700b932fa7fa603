# Compiler and linker flags, once for every target of ours.

add_library(causeway_flags INTERFACE)
target_compile_options(causeway_flags INTERFACE
    -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
    -fno-strict-aliasing -fno-omit-frame-pointer)
target_compile_definitions(causeway_flags INTERFACE _GNU_SOURCE)
if(CAUSEWAY_WERROR)
    target_compile_options(causeway_flags INTERFACE -Werror)
endif()

# Asserts stay on in every build: a broken promise must stop the program, not leak a stanza.
foreach(type RELEASE RELWITHDEBINFO MINSIZEREL)
    string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_${type} "${CMAKE_C_FLAGS_${type}}")
endforeach()

if(CAUSEWAY_SANITIZE)
    target_compile_options(causeway_flags INTERFACE
        -fsanitize=${CAUSEWAY_SANITIZE} -fno-sanitize-recover=all)
    target_link_options(causeway_flags INTERFACE -fsanitize=${CAUSEWAY_SANITIZE})
endif()

# The room objects are compiled the same way for a fuzzer, but without its main().
if(CAUSEWAY_FUZZERS)
    if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
        message(FATAL_ERROR "The fuzzers need clang (preset `fuzz`); try: ./dev fuzz")
    endif()
    target_compile_options(causeway_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

if(CAUSEWAY_COVERAGE)
    target_compile_options(causeway_flags INTERFACE --coverage)
    target_link_options(causeway_flags INTERFACE --coverage)
endif()

# Hardening belongs to what is installed; sanitizers bring their own checks instead.
if(CAUSEWAY_HARDEN)
    include(CheckPIESupported)
    check_pie_supported(LANGUAGES C)
    target_compile_options(causeway_flags INTERFACE
        -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
    target_link_options(causeway_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
endif()
