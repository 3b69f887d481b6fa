/*
 * Secrets: keys and passwords that other objects name by id.
 */
#ifndef SYSTEM_SECRET_H
#define SYSTEM_SECRET_H

#include "util/qom/object.h"

typedef struct Secret {
    Object obj;

    /* properties; constant once completed */
    int format;                 /* SecretFormat of what is loaded */
    char *keyid;                /* the secret that decrypts this one; NULL = not encrypted */
    char *iv;                   /* base64 of 16 bytes; with keyid */

    uint8_t *bytes;             /* in the clear, NUL-terminated beyond @len; wiped with the object */
    size_t len;
} Secret;

extern const TypeInfo secret_common_type;       /* "secret_common", abstract */
static inline Secret *SECRET(const void *obj)
{
    return (Secret *)object_check_cast(obj, &secret_common_type);
}

/* The secret /objects/@id; NULL and @errp if there is none.  Borrowed. */
const Secret *secret_find(const char *id, Error **errp);
/* The same as text: UTF-8 without NUL bytes. */
const char *secret_find_text(const char *id, Error **errp);

#endif
