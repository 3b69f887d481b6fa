/*
 * JSON text (RFC 8259), strictly: parsed from a byte stream into Values, printed from Values.
 *
 * Strictly but for what QEMU takes, too: strings may stand between single quotes, and "\u0000" is allowed
 * (in a C string it is C0 80).  What is refused besides bad grammar: text that is not UTF-8, lone surrogates
 * and noncharacters, control characters in strings, duplicate keys, numbers beyond a double, and whatever
 * exceeds the limits.  Numbers become integers when they are written as such and fit 64 bits, else doubles.
 */
#ifndef QAPI_JSON_H
#define QAPI_JSON_H

#include "util/value.h"

#define JSON_MAX_DEPTH       1024           /* nested arrays and objects */
#define JSON_MAX_TOKENS      (2 * 1024 * 1024)  /* in one top-level value */
#define JSON_MAX_BYTES       (64 * MiB)     /* of one top-level value */

/*
 * Called for each complete top-level value (@v owned by the callee, @err NULL) and for each error
 * (@v NULL, @err owned by the callee).  How the parser goes on after an error: see json-parse.c.
 */
typedef void JsonEmit(void *opaque, Value *v, Error *err);

typedef struct JsonParser JsonParser;
JsonParser *json_parser_new(JsonEmit *emit, void *opaque);
void json_parser_free(JsonParser *p);
/* Less than JSON_MAX_TOKENS and JSON_MAX_BYTES, from now on. */
void json_parser_set_limits(JsonParser *p, unsigned tokens, size_t bytes);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(JsonParser, json_parser_free)
/* Any pieces, cut anywhere.  A byte 0xff is an error after which parsing begins anew, whatever was begun. */
void json_parser_feed(JsonParser *p, const char *buf, size_t len);
/* The same, but stops where json_parser_pause() was called from the emit function; gives how much was taken. */
size_t json_parser_feed_some(JsonParser *p, const char *buf, size_t len);
void json_parser_pause(JsonParser *p);
/* The stream ended: a started value is an error. */
void json_parser_end(JsonParser *p);
/* Forget a started value, begin again at line 1. */
void json_parser_reset(JsonParser *p);

/* Exactly one value with nothing but white space around it. */
Value *json_parse(const char *text, size_t len, Error **errp);
static inline Value *json_parse_str(const char *text, Error **errp)
{
    return json_parse(text, strlen(text), errp);
}

/* One line without a line end, or indented by four spaces when @pretty. */
void json_print(GString *out, const Value *v, bool pretty);
char *json_to_string(const Value *v, bool pretty);

#endif
