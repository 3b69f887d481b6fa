/*
 * key=value,key=value text, as command-line options take it, to and from Values.
 *
 * A comma inside a value is doubled.  All values become strings; typing them is qapi_from_value's
 * job with QAPI_FROM_TEXT.
 */
#ifndef QAPI_KEYVAL_H
#define QAPI_KEYVAL_H

#include "util/value.h"

typedef enum KeyvalMode {
    KEYVAL_FLAT,        /* dots in keys mean nothing; "key" alone is key=on, "nokey" is key=off; the last of a key counts */
    KEYVAL_NESTED,      /* a.b=c makes {"a": {"b": "c"}}; a.0=x,a.1=y makes {"a": ["x", "y"]} */
} KeyvalMode;

/*
 * Parse @text into a dict.  @implied_key (may be NULL) names a first part without '='.
 * @help (may be NULL) is set when a part is "help" or "?", which is then left out.
 */
Value *keyval_parse(const char *text, const char *implied_key, KeyvalMode mode, bool *help, Error **errp);
/* The same, but text that begins with '{' is JSON. */
Value *keyval_or_json_parse(const char *text, const char *implied_key, KeyvalMode mode, bool *help, bool *is_json,
                            Error **errp);

#endif
