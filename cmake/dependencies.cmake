# What we stand on. Each library becomes an imported target dep::NAME.

set(CAUSEWAY_HINT "run `./dev setup` to install what is missing from Debian's packages")

find_package(PkgConfig)
if(NOT PKG_CONFIG_FOUND)
    message(FATAL_ERROR "pkg-config is missing: ${CAUSEWAY_HINT}")
endif()

# causeway_need(NAME PKG-CONFIG-MODULE MINIMUM WHAT-FOR)
function(causeway_need name module minimum what)
    pkg_check_modules(dep_${name} QUIET IMPORTED_TARGET GLOBAL "${module}>=${minimum}")
    if(NOT dep_${name}_FOUND)
        message(FATAL_ERROR
            "${module} >= ${minimum} (${what}) was not found: ${CAUSEWAY_HINT}")
    endif()
    add_library(dep::${name} ALIAS PkgConfig::dep_${name})
endfunction()

causeway_need(expat   expat        2.5.0  "XML")
causeway_need(idn2    libidn2      2.3.0  "internationalised domains")
causeway_need(uv      libuv        1.40.0 "event loop")
causeway_need(openssl openssl      3.0.0  "TLS and certificates")
causeway_need(crypto  libcrypto    3.0.0  "hashes")
causeway_need(unbound libunbound   1.13.0 "DNS with DNSSEC")
causeway_need(ldns    ldns         1.8.0  "DNS answers")
causeway_need(curl    libcurl      7.85.0 "documents over HTTPS (POSH)")
causeway_need(yaml    yaml-0.1     0.2.2  "settings")
causeway_need(jansson jansson      2.13   "JSON")
if(CAUSEWAY_TESTS)
    causeway_need(cmocka cmocka    1.1.5  "unit tests")
endif()

# Debian 12 shipped expat without this call at first; the security update brought it. Without it
# an unfinished token is held back by the parser, or scanned again with every byte.
include(CheckSymbolExists)
set(CMAKE_REQUIRED_LIBRARIES PkgConfig::dep_expat)
check_symbol_exists(XML_SetReparseDeferralEnabled "expat.h" CAUSEWAY_EXPAT_DEFERRAL)
unset(CMAKE_REQUIRED_LIBRARIES)
if(NOT CAUSEWAY_EXPAT_DEFERRAL)
    unset(CAUSEWAY_EXPAT_DEFERRAL CACHE)
    message(FATAL_ERROR "This expat has no XML_SetReparseDeferralEnabled "
        "(Debian 12 brings it with its security updates): ${CAUSEWAY_HINT}")
endif()
