# Writes OUTPUT, a C file with the text of INPUT, a Lua script, as breaker__NAME, its length as
# breaker__NAME_len and its SHA-1, by which Redis knows it, as breaker__NAME_sha. Lines that are
# comments become empty: nobody reads them over there, and the numbers of lines in errors stay right.
# Run at build time:
# cmake -DINPUT=… -DOUTPUT=… -DNAME=… -P embed.cmake
file(READ ${INPUT} text)
string(REGEX REPLACE "\n *--[^\n]*" "\n" text "\n${text}")
string(SUBSTRING "${text}" 1 -1 text)
string(LENGTH "${text}" len)
string(SHA1 sha "${text}")
string(HEX "${text}" bytes)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1', " bytes "${bytes}")
string(REPEAT "........" 11 line)
string(REGEX REPLACE "(${line})" "\\1\n    " bytes "${bytes}")
string(REPLACE " \n" "\n" bytes "${bytes}")
file(WRITE ${OUTPUT} "#include \"cluster/script.h\"

const char breaker__${NAME}[] = {
    ${bytes}'\\0'};
const size_t breaker__${NAME}_len = ${len};
const char breaker__${NAME}_sha[] = \"${sha}\";
")
