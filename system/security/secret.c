/*
 * Secrets: "secret" (from the command line or a file) and "secret_keyring" (from the kernel's key ring).
 *
 * What is loaded may be base64, and may be encrypted with another secret (AES-256 in CBC mode, PKCS #7 padding), so
 * that nothing readable stands on a command line: management hands over one master key in a file and encrypts the rest.
 *
 * What must hold: the clear bytes are wiped before their memory is given back.
 */
#include "config-host.h"
#include "system/secret.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef CONFIG_NETTLE
#include <nettle/aes.h>
#include <nettle/cbc.h>
#endif

#define SECRET_MAX_BYTES (1 * MiB)      /* of a file: certificates and keys are a few KiB */

typedef enum SecretFormat { SECRET_FORMAT_RAW, SECRET_FORMAT_BASE64 } SecretFormat;
static const char *const format_names[] = { "raw", "base64", NULL };

/* Bytes that are wiped when let go. */
typedef struct Bytes {
    uint8_t *data;
    size_t len;
} Bytes;

static void bytes_clear(Bytes *b)
{
    if (b->data) {
        explicit_bzero(b->data, b->len);
    }
    g_clear_pointer(&b->data, g_free);
    b->len = 0;
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Bytes, bytes_clear)

/* Always with a NUL behind, so that text is text. */
static Bytes bytes_new(size_t len)
{
    return (Bytes){ .data = g_malloc0(len + 1), .len = len };
}

static Bytes bytes_copy(const void *data, size_t len)
{
    Bytes b = bytes_new(len);

    memcpy(b.data, data, len);
    return b;
}

/* --- base64 --- */

/* RFC 4648: white space is allowed between groups, anything else that is not of the alphabet is not. */
static bool is_base64(const char *s, size_t len)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/= \t\r\n";

    return !memchr(s, 0, len) && strspn(s, alphabet) == len;
}

/* @text is NUL-terminated beyond @len. */
static bool base64_to_bytes(const char *text, size_t len, Bytes *out, Error **errp)
{
    if (!is_base64(text, len)) {
        error_setg(errp, "Base64 data '%.*s' is not valid", (int)MIN(len, 32), text);
        return false;
    }
    *out = bytes_new(len);              /* enough: 3 bytes from 4 */
    memcpy(out->data, text, len);
    if (len) {
        gsize n = 0;

        g_base64_decode_inplace((char *)out->data, &n);
        explicit_bzero(out->data + n, len - n);
        out->len = n;
    }
    return true;
}

/* --- AES-256-CBC --- */

enum { KEY_BYTES = 32, BLOCK_BYTES = 16 };

#ifdef CONFIG_NETTLE
static bool aes_cbc_decrypt(const uint8_t *key, uint8_t *iv, const Bytes *in, Bytes *out, Error **errp)
{
    struct aes256_ctx aes;

    *out = bytes_new(in->len);
    aes256_set_decrypt_key(&aes, key);
    cbc_decrypt(&aes, (nettle_cipher_func *)aes256_decrypt, BLOCK_BYTES, iv, in->len, out->data, in->data);
    explicit_bzero(&aes, sizeof(aes));
    return true;
}
#else
static bool aes_cbc_decrypt(const uint8_t *key, uint8_t *iv, const Bytes *in, Bytes *out, Error **errp)
{
    error_setg(errp, "encrypted secrets are not available: this binary was built without nettle");
    return false;
}
#endif

/* PKCS #7 (RFC 5652, 6.3): the last byte says how many there are, and all of them say the same. */
static bool strip_padding(Bytes *b, Error **errp)
{
    uint8_t n = b->len ? b->data[b->len - 1] : 0;

    if (n == 0 || n > BLOCK_BYTES || n > b->len) {
        error_setg(errp, "Incorrect number of padding bytes (%u) found on decrypted data", n);
        return false;
    }
    for (size_t i = b->len - n; i < b->len; i++) {
        if (b->data[i] != n) {
            error_setg(errp, "Incorrect padding byte (%u) found on decrypted data, expected %u", b->data[i], n);
            return false;
        }
    }
    b->len -= n;
    b->data[b->len] = 0;
    return true;
}

static bool secret_decrypt(const Secret *s, const Bytes *in, Bytes *out, Error **errp)
{
    const Secret *key = secret_find(s->keyid, errp);
    g_auto(Bytes) iv = { 0 };

    if (!key) {
        return false;
    }
    if (key->len != KEY_BYTES) {
        error_setg(errp, "Key '%s' should be %d bytes in length, not %zu", s->keyid, KEY_BYTES, key->len);
        return false;
    }
    if (!s->iv) {
        error_setg(errp, "IV is required to decrypt secret");
        return false;
    }
    if (!base64_to_bytes(s->iv, strlen(s->iv), &iv, errp)) {
        return false;
    }
    if (iv.len != BLOCK_BYTES) {
        error_setg(errp, "IV should be %d bytes in length not %zu", BLOCK_BYTES, iv.len);
        return false;
    }
    if (in->len % BLOCK_BYTES) {
        error_setg(errp, "Length %zu must be a multiple of block size %d", in->len, BLOCK_BYTES);
        return false;
    }
    return aes_cbc_decrypt(key->bytes, iv.data, in, out, errp) && strip_padding(out, errp);
}

/* --- what both kinds share --- */

/* Decode and decrypt @loaded into the object. */
static bool secret_take(Secret *s, Bytes *loaded, Error **errp)
{
    g_auto(Bytes) raw = { 0 };
    g_auto(Bytes) clear = { 0 };

    if (s->iv && !s->keyid) {
        error_setg(errp, "'iv' needs 'keyid'");
        return false;
    }
    if (s->format == SECRET_FORMAT_BASE64) {
        if (!base64_to_bytes((const char *)loaded->data, loaded->len, &raw, errp)) {
            return false;
        }
    } else {
        SWAP(raw, *loaded);
    }
    if (s->keyid && !secret_decrypt(s, &raw, &clear, errp)) {
        return false;
    }
    if (s->keyid) {
        SWAP(raw, clear);
    }
    s->bytes = raw.data;
    s->len = raw.len;
    raw = (Bytes){ 0 };
    return true;
}

static void secret_fini(Object *obj)
{
    Secret *s = SECRET(obj);
    Bytes b = { s->bytes, s->len };

    bytes_clear(&b);
}

static const Property common_properties[] = {
    PROP_ENUM("format", Secret, format, format_names, SECRET_FORMAT_RAW, .shown = "QCryptoSecretFormat", .help = "form of what is given: raw bytes or base64"),
    PROP_STRING("keyid", Secret, keyid, .help = "id of the secret that decrypts this one"),
    PROP_STRING("iv", Secret, iv, .help = "initialization vector of the encryption, base64 of 16 bytes"),
};

TYPE_DEFINE_ABSTRACT(Secret, secret_common, "secret_common", object,
    .fini       = secret_fini,
    .properties = PROPS(common_properties),
)

const Secret *secret_find(const char *id, Error **errp)
{
    Object *obj = object_child(object_container("/objects"), id);

    if (!obj) {
        error_setg(errp, "No secret with id '%s'", id);
        return NULL;
    }
    if (!object_is(obj, &secret_common_type) || !SECRET(obj)->bytes) {
        error_setg(errp, "Object with id '%s' is not a secret", id);
        return NULL;
    }
    return SECRET(obj);
}

const char *secret_find_text(const char *id, Error **errp)
{
    const Secret *s = secret_find(id, errp);

    if (s && !g_utf8_validate((const char *)s->bytes, (gssize)s->len, NULL)) {
        error_setg(errp, "Data from secret %s is not valid UTF-8", id);
        return NULL;
    }
    return s ? (const char *)s->bytes : NULL;
}

/* --- secret --- */

typedef struct SecretData {
    Secret parent;
    char *data, *file;
} SecretData;

OBJECT_DECLARE(SecretData, SECRET_DATA, secret)

static bool read_file(const char *path, Bytes *out, Error **errp)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t n = 0;
    ssize_t got = -1;

    if (fd >= 0) {
        *out = bytes_new(SECRET_MAX_BYTES + 1);
        while (n <= SECRET_MAX_BYTES && (got = read(fd, out->data + n, SECRET_MAX_BYTES + 1 - n)) > 0) {
            n += (size_t)got;
        }
    }
    if (got < 0) {
        error_setg_errno(errp, errno, "Unable to read %s", path);
    } else if (n > SECRET_MAX_BYTES) {
        error_setg(errp, "%s is larger than the %llu bytes that a secret may have", path, SECRET_MAX_BYTES);
    } else {
        g_auto(Bytes) all = *out;

        *out = bytes_copy(all.data, n);
    }
    if (fd >= 0) {
        close(fd);
    }
    return got >= 0 && n <= SECRET_MAX_BYTES;
}

static bool secret_complete(Object *obj, Error **errp)
{
    SecretData *s = SECRET_DATA(obj);
    g_auto(Bytes) loaded = { 0 };

    if (s->file && s->data) {
        error_setg(errp, "'file' and 'data' are mutually exclusive");
        return false;
    }
    if (!s->file && !s->data) {
        error_setg(errp, "Either 'file' or 'data' must be provided");
        return false;
    }
    if (s->file) {
        if (!read_file(s->file, &loaded, errp)) {
            return false;
        }
    } else {
        loaded = bytes_copy(s->data, strlen(s->data));
    }
    return secret_take(&s->parent, &loaded, errp);
}

/* The core frees the strings after this. */
static void secret_data_fini(Object *obj)
{
    SecretData *s = SECRET_DATA(obj);

    if (s->data) {
        explicit_bzero(s->data, strlen(s->data));
    }
}

static const Property secret_properties[] = {
    PROP_STRING("data", SecretData, data, .help = "the secret itself"),
    PROP_STRING("file", SecretData, file, .help = "the file that holds it"),
};

TYPE_DEFINE(SecretData, secret, "secret", secret_common,
    .desc           = "a key or password",
    .complete       = secret_complete,
    .fini           = secret_data_fini,
    .properties     = PROPS(secret_properties),
    .user_creatable = true,
)

/* --- secret_keyring --- */

typedef struct SecretKeyring {
    Secret parent;
    int32_t serial;
} SecretKeyring;

OBJECT_DECLARE(SecretKeyring, SECRET_KEYRING, secret_keyring)

enum { KEYCTL_READ_OP = 11 };           /* linux/keyctl.h */

static bool keyring_complete(Object *obj, Error **errp)
{
    SecretKeyring *s = SECRET_KEYRING(obj);
    g_auto(Bytes) loaded = { 0 };
    long size = syscall(SYS_keyctl, KEYCTL_READ_OP, s->serial, NULL, 0, 0);

    if (size >= 0) {
        loaded = bytes_new((size_t)size);
        if (syscall(SYS_keyctl, KEYCTL_READ_OP, s->serial, loaded.data, size, 0) != size) {
            size = -1;                  /* it changed in between */
        }
    }
    if (size < 0) {
        error_setg_errno(errp, errno, "Unable to read serial key %08x", (unsigned)s->serial);
        return false;
    }
    return secret_take(&s->parent, &loaded, errp);
}

static const Property keyring_properties[] = {
    PROP_INT32("serial", SecretKeyring, serial, 0, .help = "serial number of the key", .required = true),
};

TYPE_DEFINE(SecretKeyring, secret_keyring, "secret_keyring", secret_common,
    .desc           = "a key in the kernel's key ring",
    .complete       = keyring_complete,
    .properties     = PROPS(keyring_properties),
    .user_creatable = true,
)
