/*
 * Authorization: who is allowed, by each kind of object; files that change; what is refused.
 */
#include "system/authz.h"
#include "qapi/keyval.h"

#include <sys/stat.h>
#include <utime.h>

static bool make(const char *keys, Error **errp)
{
    g_autoptr(Value) dict = keyval_parse(keys, NULL, KEYVAL_NESTED, NULL, &error_abort);

    return user_creatable_add(dict, errp) != NULL;
}

static void unmake(void)
{
    g_assert_true(user_creatable_del("a", &error_abort));
}

static bool allowed(const char *identity)
{
    return authz_is_allowed_by_id("a", identity, NULL);
}

static void assert_refused(const char *keys, const char *message)
{
    g_autoptr(Error) err = NULL;

    g_assert_false(make(keys, &err));
    g_assert_nonnull(strstr(error_get_pretty(err), message));
    g_assert_null(object_child(object_container("/objects"), "a"));
}

static void test_simple(void)
{
    g_assert_true(make("qom-type=authz-simple,id=a,identity=CN=fred", &error_abort));
    g_assert_true(allowed("CN=fred"));
    g_assert_false(allowed("CN=fre"));
    g_assert_false(allowed(""));
    unmake();
    assert_refused("qom-type=authz-simple,id=a", "Parameter 'identity' is missing");
}

static void test_first_matching_rule_decides(void)
{
    g_assert_true(make("qom-type=authz-list,id=a,policy=allow,rules.0.match=bob,rules.0.policy=deny,"
                       "rules.1.match=b*,rules.1.policy=allow,rules.1.format=glob,"
                       "rules.2.match=?oe,rules.2.policy=deny,rules.2.format=glob,"
                       "rules.3.match=d*,rules.3.policy=deny,rules.3.format=exact", &error_abort));
    g_assert_false(allowed("bob"));
    g_assert_true(allowed("bobby"));
    g_assert_false(allowed("joe"));
    g_assert_true(allowed("dave"));             /* exact: no pattern */
    g_assert_false(allowed("d*"));
    g_assert_true(allowed("fred"));             /* the list's policy */
    unmake();
}

static void test_denies_by_default(void)
{
    g_assert_true(make("qom-type=authz-list,id=a", &error_abort));
    g_assert_false(allowed("fred"));
    unmake();
    g_assert_true(make("qom-type=authz-list,id=a,rules.0.match=fred,rules.0.policy=allow", &error_abort));
    g_assert_true(allowed("fred"));
    g_assert_false(allowed("bob"));
    unmake();
}

static void test_unknown_objects_admit_nobody(void)
{
    g_autoptr(Error) err = NULL;

    g_assert_false(authz_is_allowed_by_id("nosuch", "fred", &err));
    g_assert_cmpstr(error_get_pretty(err), ==, "No authorization object with id 'nosuch'");
    g_assert_true(make("qom-type=rng-builtin,id=a", &error_abort));
    g_assert_false(allowed("fred"));
    unmake();
}

static void test_wrong_rules(void)
{
    assert_refused("qom-type=authz-list,id=a,policy=perhaps", "perhaps");
    assert_refused("qom-type=authz-list,id=a,rules.0.match=x", "'rules[0].policy' is missing");
    assert_refused("qom-type=authz-list,id=a,rules.0.match=x,rules.0.policy=allow,rules.0.format=regex", "regex");
    assert_refused("qom-type=authz-list,id=a,rules.0.match=x,rules.0.policy=allow,rules.0.color=red", "color");
}

static void write_list(const char *path, const char *text, int age_s)
{
    struct utimbuf t = { 0 };
    struct stat st;

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_assert_cmpint(stat(path, &st), ==, 0);
    t.actime = t.modtime = st.st_mtime - age_s;
    g_assert_cmpint(utime(path, &t), ==, 0);
}

static void test_file_is_read_again(void)
{
    g_autofree char *dir = g_dir_make_tmp("quern-authz-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "list", NULL);
    g_autofree char *keys = g_strdup_printf("qom-type=authz-list-file,id=a,filename=%s", path);
    g_autofree char *fixed = g_strdup_printf("%s,refresh=off", keys);

    write_list(path, "{ \"rules\": [ { \"match\": \"fred\", \"policy\": \"allow\" } ] }", 30);
    g_assert_true(make(keys, &error_abort));
    g_assert_true(allowed("fred"));
    g_assert_false(allowed("bob"));
    write_list(path, "{ \"policy\": \"allow\", \"rules\": [ { \"match\": \"fred\", \"policy\": \"deny\" } ] }", 20);
    g_assert_false(allowed("fred"));
    g_assert_true(allowed("bob"));
    write_list(path, "{ \"policy\": ", 10);          /* broken: nobody */
    freopen("/dev/null", "w", stderr);
    g_assert_false(allowed("bob"));
    unlink(path);
    g_assert_false(allowed("bob"));
    write_list(path, "{ \"policy\": \"allow\" }", 0);
    g_assert_true(allowed("fred"));
    unmake();
    g_assert_true(make(fixed, &error_abort));
    write_list(path, "{}", 40);
    g_assert_true(allowed("fred"));
    unmake();
    write_list(path, "[]", 0);
    assert_refused(keys, "must contain a JSON object");
    unlink(path);
    assert_refused(keys, "Unable to read");
    rmdir(dir);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/authz/simple", test_simple);
    g_test_add_func("/authz/first-matching-rule-decides", test_first_matching_rule_decides);
    g_test_add_func("/authz/denies-by-default", test_denies_by_default);
    g_test_add_func("/authz/unknown-objects-admit-nobody", test_unknown_objects_admit_nobody);
    g_test_add_func("/authz/wrong-rules", test_wrong_rules);
    g_test_add_func("/authz/file-is-read-again", test_file_is_read_again);
    return g_test_run();
}
