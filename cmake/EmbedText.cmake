# Writes OUT, a C++ file that defines SYMBOL (a qualified std::string_view) with the bytes of IN.
# Bytes, not a raw string: compilers limit the length of a literal.
file(READ ${IN} hex HEX)
string(REGEX REPLACE "(..)" "char(0x\\1)," bytes "${hex}")
string(REGEX REPLACE "::[^:]*$" "" space ${SYMBOL})
string(REGEX REPLACE "^.*::" "" name ${SYMBOL})
file(WRITE ${OUT}
     "#include <string_view>\nnamespace ${space} {\nnamespace { constexpr char ${name}_bytes[] = {${bytes}0}; }\n"
     "extern const std::string_view ${name};\nconst std::string_view ${name}{${name}_bytes, sizeof(${name}_bytes) - 1};\n}\n")
