/* Names that users give to things. */
#ifndef UTIL_IDENTIFIER_H
#define UTIL_IDENTIFIER_H

#include <stdbool.h>

/* A letter, then letters, digits, '-', '.', '_'. */
bool identifier_is_wellformed(const char *id);

#endif
