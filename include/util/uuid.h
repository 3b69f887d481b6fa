/*
 * UUIDs (RFC 4122) as text and as bytes in text order.
 */
#ifndef UTIL_UUID_H
#define UTIL_UUID_H

#include "util/base.h"

#define UUID_LEN 16

/* "324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb87", any case; false and @uuid untouched if @text is none. */
bool uuid_parse(const char *text, uint8_t uuid[UUID_LEN]) MUST_USE;
/* In lower case.  Owned. */
char *uuid_format(const uint8_t uuid[UUID_LEN]);
/* The order in which firmware tables have it: the first three fields little-endian. */
void uuid_to_le(const uint8_t uuid[UUID_LEN], uint8_t le[UUID_LEN]);

#endif
