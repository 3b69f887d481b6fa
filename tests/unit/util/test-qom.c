/*
 * The object model: properties, tree, hooks, hostile values.
 */
#include "util/qom/object.h"

typedef struct Toy {
    Object obj;
    bool flag;
    uint8_t small;
    uint64_t size, bits;
    int32_t balance;
    char *label;
    int colour;
    Object *peer;
    unsigned inits;
} Toy;

OBJECT_DECLARE(Toy, TOY, toy)
OBJECT_DECLARE(Toy, RED_TOY, red_toy)

static GString *order;

static void toy_init(Object *obj)
{
    TOY(obj)->inits++;
    g_string_append(order, "toy+");
}

static void toy_fini(Object *obj)
{
    g_string_append(order, "toy-");
}

static void red_toy_init(Object *obj)
{
    g_string_append(order, "red+");
}

static void red_toy_fini(Object *obj)
{
    g_string_append(order, "red-");
}

static bool label_changed(Object *obj, const Property *p, Error **errp)
{
    Toy *t = TOY(obj);

    if (t->label && !strcmp(t->label, "forbidden")) {
        error_setg(errp, "must not be 'forbidden'");
        return false;
    }
    return true;
}

static bool toy_complete(Object *obj, Error **errp)
{
    if (TOY(obj)->small == 13) {
        error_setg(errp, "13 brings bad luck");
        return false;
    }
    return true;
}

static const char *const colours[] = { "red", "green", "blue", NULL };

static const Property toy_properties[] = {
    PROP_BOOL("flag", Toy, flag, true),
    PROP_UINT8("small", Toy, small, 7, .min = 1, .max = 100, .unit = "mm"),
    PROP_SIZE("size", Toy, size, 4096, .power_of_2 = true),
    PROP_BIT64("bit5", Toy, bits, 5, true),
    PROP_INT32("balance", Toy, balance, -3),
    PROP_STRING("label", Toy, label, .changed = label_changed),
    PROP_ENUM("colour", Toy, colour, colours, 1, .settable_live = true),
    PROP_LINK("peer", Toy, peer, toy),
    PROP_FIXED(bool, "wings", false),
    PROP_FIXED(int32, "wheels", 4),
    PROP_FIXED_TEXT(str, "maker", NULL),
};

TYPE_DEFINE(Toy, toy, "toy", object,
    .init = toy_init,
    .fini = toy_fini,
    .complete = toy_complete,
    .properties = PROPS(toy_properties),
    .user_creatable = true,
)
TYPE_DEFINE(Toy, red_toy, "red-toy", toy,
    .init = red_toy_init,
    .fini = red_toy_fini,
)

static void assert_refused(void *obj, const char *name, const char *text, const char *message)
{
    g_autoptr(Error) err = NULL;

    g_assert_false(object_property_parse(obj, name, text, &err));
    g_assert_cmpstr(error_get_pretty(err), ==, message);
}

static void test_defaults_and_hook_order(void)
{
    Toy *t;

    g_string_truncate(order, 0);
    t = TOY(object_new(&red_toy_type));
    g_assert_true(t->flag);
    g_assert_cmpuint(t->small, ==, 7);
    g_assert_cmpuint(t->size, ==, 4096);
    g_assert_cmpuint(t->bits, ==, 1 << 5);
    g_assert_cmpint(t->balance, ==, -3);
    g_assert_cmpint(t->colour, ==, 1);
    object_unref(t);
    g_assert_cmpstr(order->str, ==, "toy+red+red-toy-");
}

static void test_wrong_values_are_named(void)
{
    Toy *t = TOY(object_new(&toy_type));

    assert_refused(t, "small", "0", "toy.small must be 1..100 mm, got 0");
    assert_refused(t, "small", "101", "toy.small must be 1..100 mm, got 101");
    assert_refused(t, "small", "-1", "toy.small must be 1..100 mm, got -1");
    assert_refused(t, "small", "7x", "toy.small must be an integer, got '7x'");
    assert_refused(t, "balance", "2147483648", "toy.balance must be -2147483648..2147483647, got 2147483648");
    assert_refused(t, "flag", "maybe", "toy.flag must be on or off, got 'maybe'");
    assert_refused(t, "size", "5K", "toy.size must be a power of two, got 5120");
    assert_refused(t, "size", "1Q", "toy.size must be a size in bytes, optionally with suffix K, M, G, T, P or E, got '1Q'");
    assert_refused(t, "size", "17E", "toy.size must be a size in bytes, optionally with suffix K, M, G, T, P or E, got '17E'");
    assert_refused(t, "colour", "pink", "toy.colour must be one of red, green, blue, got 'pink'");
    assert_refused(t, "nope", "1", "toy has no property 'nope'");
    assert_refused(t, "peer", "nobody", "toy.peer 'nobody' not found");
    object_unref(t);
}

static void test_fixed_choices(void)
{
    static const struct { const char *name, *taken, *refused, *message; } cases[] = {
        { "wings", "off", "on", "toy.wings must be off, nothing else is available, got on" },
        { "wheels", "4", "3", "toy.wheels must be 4, nothing else is available, got 3" },
        { "maker", "", "me", "toy.maker must be '', nothing else is available, got 'me'" },
    };
    Toy *t = TOY(object_new(&toy_type));

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Value) v = object_property_get(t, cases[i].name, &error_abort);

        g_assert_true(object_property_set(t, cases[i].name, v, &error_abort));
        g_assert_true(object_property_parse(t, cases[i].name, cases[i].taken, &error_abort));
        assert_refused(t, cases[i].name, cases[i].refused, cases[i].message);
    }
    object_unref(t);
}

static void test_sizes(void)
{
    static const struct { const char *text; uint64_t bytes; } cases[] = {
        { "1", 1 }, { "64K", 65536 }, { "1M", MiB }, { "2g", 2 * GiB }, { "0x1000", 4096 }, { "0.5K", 512 },
    };
    Toy *t = TOY(object_new(&toy_type));

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_assert_true(object_property_parse(t, "size", cases[i].text, &error_abort));
        g_assert_cmpuint(t->size, ==, cases[i].bytes);
    }
    object_unref(t);
}

static void test_refused_change_restores(void)
{
    Toy *t = TOY(object_new(&toy_type));

    g_assert_true(object_property_parse(t, "label", "fine", &error_abort));
    assert_refused(t, "label", "forbidden", "toy.label must not be 'forbidden'");
    g_assert_cmpstr(t->label, ==, "fine");
    object_unref(t);
}

static void test_frozen(void)
{
    Toy *t = TOY(object_new(&toy_type));

    t->obj.frozen = true;
    assert_refused(t, "small", "3", "toy.small cannot be changed once the device is in use");
    g_assert_true(object_property_parse(t, "colour", "blue", &error_abort));
    g_assert_cmpint(t->colour, ==, 2);
    object_unref(t);
}

static void test_tree_and_links(void)
{
    Object *home = object_container("/toys/box");
    Toy *a = TOY(object_new(&toy_type)), *b = TOY(object_new(&toy_type));
    g_autofree char *path = NULL;
    g_autoptr(Value) v = NULL;
    bool ambiguous;

    object_add_child(home, "toy[*]", a);
    object_add_child(home, "toy[*]", b);
    path = object_path(b);
    g_assert_cmpstr(path, ==, "/toys/box/toy[1]");
    g_assert_true(object_resolve_path(path, NULL) == &b->obj);
    g_assert_true(object_resolve_path("toy[0]", &ambiguous) == &a->obj);
    g_assert_false(ambiguous);
    g_assert_true(object_property_parse(a, "peer", "toy[1]", &error_abort));
    v = object_property_get(a, "peer", &error_abort);
    g_assert_cmpstr(value_get_string(v), ==, path);
    g_assert_cmpuint(b->obj.ref, ==, 3);
    assert_refused(a, "peer", "/toys", "toy.peer '/toys' is a container, want a toy");
    object_unparent(a);
    object_unref(a);
    g_assert_cmpuint(b->obj.ref, ==, 2);
    object_unparent(b);
    object_unref(b);
}

static Value *toy_opts(const char *id, const char *small)
{
    Value *opts = value_dict();

    value_dict_set_str(opts, "qom-type", "toy");
    value_dict_set_str(opts, "id", id);
    value_dict_set_str(opts, "small", small);
    return opts;
}

static void test_user_creatable(void)
{
    static const struct { const char *id, *small, *message; } bad[] = {
        { "t1", "99", "object id 't1' is already in use" },
        { "9t", "99", "'9t' is no valid id: want a letter, then letters, digits, '-', '.', '_'" },
        { "t2", "13", "13 brings bad luck" },
    };
    g_autoptr(Value) good = toy_opts("t1", "42");

    g_assert_nonnull(user_creatable_add(good, &error_abort));
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(Value) opts = toy_opts(bad[i].id, bad[i].small);
        g_autoptr(Error) err = NULL;

        g_assert_null(user_creatable_add(opts, &err));
        g_assert_cmpstr(error_get_pretty(err), ==, bad[i].message);
    }
    g_assert_null(object_child(object_container("/objects"), "t2"));
    g_assert_true(user_creatable_del("t1", &error_abort));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    order = g_string_new(NULL);
    g_test_add_func("/qom/defaults-and-hook-order", test_defaults_and_hook_order);
    g_test_add_func("/qom/wrong-values-are-named", test_wrong_values_are_named);
    g_test_add_func("/qom/fixed-choices", test_fixed_choices);
    g_test_add_func("/qom/sizes", test_sizes);
    g_test_add_func("/qom/refused-change-restores", test_refused_change_restores);
    g_test_add_func("/qom/frozen", test_frozen);
    g_test_add_func("/qom/tree-and-links", test_tree_and_links);
    g_test_add_func("/qom/user-creatable", test_user_creatable);
    return g_test_run();
}
