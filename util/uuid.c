/*
 * UUIDs.  See util/uuid.h.
 */
#include "util/uuid.h"

bool uuid_parse(const char *text, uint8_t uuid[UUID_LEN])
{
    unsigned n = 0;

    if (!g_uuid_string_is_valid(text)) {
        return false;
    }
    for (const char *s = text; *s; s++) {
        if (*s != '-') {
            uuid[n / 2] = (uint8_t)(uuid[n / 2] << 4 | g_ascii_xdigit_value(*s));
            n++;
        }
    }
    return true;
}

char *uuid_format(const uint8_t u[UUID_LEN])
{
    return g_strdup_printf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
        u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
}

void uuid_to_le(const uint8_t uuid[UUID_LEN], uint8_t le[UUID_LEN])
{
    static const uint8_t order[UUID_LEN] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };

    for (unsigned i = 0; i < UUID_LEN; i++) {
        le[i] = uuid[order[i]];
    }
}
