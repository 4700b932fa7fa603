# Rooms: a room is a static library made of every .c file in its folder. Files of other rooms are
# included from src/ ("fed/fed.h"), headers of the core as <s2s/name.h>; which room may include
# which is checked by test/lint. A room's own folder is not in the path: app/yaml.h would hide
# libyaml's <yaml.h>.

# causeway_room(NAME DEPENDENCY...) makes library NAME from the calling folder's .c files. A room
# without files yet is an interface library, so that whoever links it need not care.
# EXCLUDE FILE... leaves files out.
function(causeway_room name)
    cmake_parse_arguments(room "" "" "EXCLUDE" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
    foreach(file ${room_EXCLUDE})
        list(REMOVE_ITEM sources ${CMAKE_CURRENT_SOURCE_DIR}/${file})
    endforeach()
    if(sources)
        add_library(${name} STATIC ${sources})
        target_include_directories(${name}
            PUBLIC ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
        target_link_libraries(${name} PUBLIC ${room_UNPARSED_ARGUMENTS} PRIVATE causeway_flags)
    else()
        add_library(${name} INTERFACE)
        target_include_directories(${name} INTERFACE
            ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
        target_link_libraries(${name} INTERFACE ${room_UNPARSED_ARGUMENTS})
    endif()
endfunction()

# causeway_program(NAME SOURCES file... LINK library...) makes one executable of ours. Its
# includes are written from src/ or include/: "io/conn.h", <s2s/stream.h>.
function(causeway_program name)
    cmake_parse_arguments(program "" "" "SOURCES;LINK" ${ARGN})
    add_executable(${name} ${program_SOURCES})
    target_include_directories(${name} PRIVATE
        ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(${name} PRIVATE ${program_LINK} causeway_flags)
endfunction()

# causeway_quote_path(TARGET FOLDER...) lets #include "x.h", but not <x.h>, find headers there.
function(causeway_quote_path name)
    foreach(folder ${ARGN})
        target_compile_options(${name} PRIVATE "SHELL:-iquote ${folder}")
    endforeach()
endfunction()
