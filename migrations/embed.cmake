# Writes OUTPUT, a C++ file that holds every migration below SOURCE: the executable carries its schema.
# Run by the build whenever a .sql file changes: cmake -DSOURCE=migrations -DOUTPUT=embedded.cpp -P embed.cmake

cmake_minimum_required(VERSION 3.25)

set(text "// Made by migrations/embed.cmake from the .sql files; change those.\n\n")
string(APPEND text "#include \"migrations/migrator.h\"\n\n#include <array>\n\n")
string(APPEND text "namespace linkledger::migrations {\n\nnamespace {\n\n")

foreach(dialect sqlite postgres)
    file(GLOB ups RELATIVE "${SOURCE}/${dialect}" "${SOURCE}/${dialect}/*.up.sql")
    list(SORT ups)
    set(numbers "")
    set(entries "")
    foreach(up ${ups})
        if(NOT up MATCHES "^([0-9][0-9][0-9][0-9][0-9][0-9])_([a-z0-9_]+)\\.up\\.sql$")
            message(FATAL_ERROR "${dialect}/${up}: migrations are called NNNNNN_name.up.sql")
        endif()
        set(number "${CMAKE_MATCH_1}")
        set(name "${CMAKE_MATCH_2}")
        if(number IN_LIST numbers)
            message(FATAL_ERROR "${dialect}/${up}: number ${number} is used twice")
        endif()
        list(APPEND numbers "${number}")
        set(down "${SOURCE}/${dialect}/${number}_${name}.down.sql")
        if(NOT EXISTS "${down}")
            message(FATAL_ERROR "${dialect}/${up} has no .down.sql")
        endif()
        file(READ "${SOURCE}/${dialect}/${up}" up_sql)
        file(READ "${down}" down_sql)
        set(database "")
        if(dialect STREQUAL "sqlite")
            if(NOT up_sql MATCHES "^-- database: ([a-z0-9_-]+)\n")
                message(FATAL_ERROR "${dialect}/${up}: the first line is `-- database: NAME`")
            endif()
            set(database "${CMAKE_MATCH_1}")
        endif()
        string(REGEX REPLACE "^0+" "" plain_number "${number}")
        string(APPEND entries "    {${plain_number}, \"${name}\", \"${database}\",\n"
               "     R\"linkledger(${up_sql})linkledger\",\n     R\"linkledger(${down_sql})linkledger\"},\n")
    endforeach()
    list(LENGTH numbers count)
    string(APPEND text "constexpr std::array<migration, ${count}> ${dialect}_migrations{{\n${entries}}};\n\n")
endforeach()

string(APPEND text "}  // namespace\n\n"
       "std::span<migration const> embedded(sql::dialect dialect) {\n"
       "    if (dialect == sql::dialect::sqlite) return sqlite_migrations;\n"
       "    return postgres_migrations;\n}\n\n}  // namespace linkledger::migrations\n")
file(WRITE "${OUTPUT}" "${text}")
