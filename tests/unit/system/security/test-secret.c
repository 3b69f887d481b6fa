/*
 * Secrets: forms, decryption, what is refused.
 *
 * The key is that of NIST SP 800-38A, F.2.5; the encrypted text was made by
 * "openssl enc -aes-256-cbc -K ... -iv ... -base64" from the clear text below.
 */
#include "config-host.h"
#include "system/secret.h"
#include "qapi/keyval.h"

#define KEY   "qom-type=secret,id=key,format=base64,data=YD3rEBXKcb4rc67whX13gR81LAc7YQjXLZgQowkU3/Q="
#define IV    "AAECAwQFBgcICQoLDA0ODw=="
#define CRYPT "ITamFLnEyT5A2xCo61nNpuwiEZEkrDwDtmehS/63xJE="
#define CLEAR "correct horse battery staple"

static bool make(const char *keys, Error **errp)
{
    g_autoptr(Value) dict = keyval_parse(keys, NULL, KEYVAL_FLAT, NULL, &error_abort);

    return user_creatable_add(dict, errp) != NULL;
}

static void unmake(const char *id)
{
    g_assert_true(user_creatable_del(id, &error_abort));
}

static void assert_refused(const char *keys, const char *message)
{
    g_autoptr(Error) err = NULL;

    g_assert_false(make(keys, &err));
    g_assert_nonnull(strstr(error_get_pretty(err), message));
    g_assert_null(object_child(object_container("/objects"), "s"));
}

static void assert_holds(const char *keys, const void *bytes, size_t len)
{
    const Secret *s;

    g_assert_true(make(keys, &error_abort));
    s = secret_find("s", &error_abort);
    g_assert_cmpmem(s->bytes, s->len, bytes, len);
    unmake("s");
}

static void test_forms(void)
{
    g_autofree char *path = g_build_filename(g_get_tmp_dir(), "quern-secret-XXXXXX", NULL);
    g_autofree char *from_file = NULL, *base64_file = NULL;
    int fd = g_mkstemp(path);

    g_assert_cmpint(fd, >=, 0);
    g_assert_true(g_file_set_contents(path, "a\0b=", 4, NULL));
    from_file = g_strdup_printf("qom-type=secret,id=s,file=%s", path);
    assert_holds(from_file, "a\0b=", 4);
    g_assert_true(g_file_set_contents(path, "AAEC\n", 5, NULL));
    base64_file = g_strdup_printf("%s,format=base64", from_file);
    assert_holds(base64_file, "\0\1\2", 3);
    unlink(path);
    close(fd);
    assert_holds("qom-type=secret,id=s,data=hello", "hello", 5);
    assert_holds("qom-type=secret,id=s,data=", "", 0);
    assert_holds("qom-type=secret,id=s,data=aGVsbG8=,format=base64", "hello", 5);
}

static void test_encrypted(void)
{
#ifdef CONFIG_NETTLE
    g_assert_true(make(KEY, &error_abort));
    assert_holds("qom-type=secret,id=s,format=base64,keyid=key,iv=" IV ",data=" CRYPT, CLEAR, strlen(CLEAR));
    /* One bit of the first block more: garbage, but the padding at the end is still right. */
    assert_refused("qom-type=secret,id=s,format=base64,keyid=key,iv=" IV ",data=AAAAAAAAAAAAAAAAAAAAAA==", "padding");
    unmake("key");
#else
    g_test_skip("built without nettle");
#endif
}

static void test_refusals(void)
{
    assert_refused("qom-type=secret,id=s", "Either 'file' or 'data' must be provided");
    assert_refused("qom-type=secret,id=s,data=x,file=y", "'file' and 'data' are mutually exclusive");
    assert_refused("qom-type=secret,id=s,file=/nonexistent/x", "Unable to read /nonexistent/x: No such file");
    assert_refused("qom-type=secret,id=s,file=/dev/zero", "larger than");
    assert_refused("qom-type=secret,id=s,data=a*b,format=base64", "Base64 data 'a*b' is not valid");
    assert_refused("qom-type=secret,id=s,data=x,iv=" IV, "'iv' needs 'keyid'");
    assert_refused("qom-type=secret,id=s,data=x,keyid=nosuch", "No secret with id 'nosuch'");
    g_assert_true(make("qom-type=secret,id=short,data=abc", &error_abort));
    assert_refused("qom-type=secret,id=s,data=x,keyid=short", "should be 32 bytes in length, not 3");
    unmake("short");
    g_assert_true(make(KEY, &error_abort));
    assert_refused("qom-type=secret,id=s,data=x,keyid=key", "IV is required");
    assert_refused("qom-type=secret,id=s,data=x,keyid=key,iv=abcd", "IV should be 16 bytes in length not 3");
    assert_refused("qom-type=secret,id=s,data=x,keyid=key,iv=" IV, "Length 1 must be a multiple of block size 16");
    unmake("key");
    assert_refused("qom-type=secret_keyring,id=s", "Parameter 'serial' is missing");
    assert_refused("qom-type=secret_keyring,id=s,serial=0", "Unable to read serial key 00000000");
}

static void test_text(void)
{
    g_autoptr(Error) err = NULL;

    g_assert_true(make("qom-type=secret,id=t,data=word", &error_abort));
    g_assert_cmpstr(secret_find_text("t", &error_abort), ==, "word");
    unmake("t");
    g_assert_true(make("qom-type=secret,id=t,data=/w==,format=base64", &error_abort));
    g_assert_null(secret_find_text("t", &err));
    g_assert_cmpstr(error_get_pretty(err), ==, "Data from secret t is not valid UTF-8");
    unmake("t");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/secret/forms", test_forms);
    g_test_add_func("/secret/encrypted", test_encrypted);
    g_test_add_func("/secret/refusals", test_refusals);
    g_test_add_func("/secret/text", test_text);
    return g_test_run();
}
