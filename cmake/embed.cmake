# Writes a .cc that holds a file's bytes as a string_view. See gpuscope_embed() in library.cmake.
file(READ ${IN} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\\\x\\1" bytes "${hex}")
# Lines of 1,000 bytes: string literals next to each other are one.
string(REGEX REPLACE "((\\\\x[0-9a-f][0-9a-f]){1000})" "\\1\"\n    \"" bytes "${bytes}")
file(SIZE ${IN} size)
file(WRITE ${OUT} "#include <string_view>\nnamespace gpuscope::embedded {\n"
  "extern const std::string_view ${SYMBOL};\n"
  "const std::string_view ${SYMBOL}{\n    \"${bytes}\",\n    ${size}};\n}  // namespace gpuscope::embedded\n")
