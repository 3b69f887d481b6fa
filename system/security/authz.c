/*
 * Authorization objects: see system/authz.h.
 *
 * A list's rules are tried in order; the first that matches decides, else the list's policy, which is to deny unless
 * something else was said.  A list in a file is read again when the file has changed; while the file cannot be used,
 * nobody is allowed.
 */
#include "system/authz.h"

#include "qapi/json.h"
#include "qapi/qapi-types.h"

#include <fnmatch.h>
#include <sys/stat.h>

#define AUTHZ_DEFINE(CType, snake, type_name, ...) \
    TYPE_DEFINE_FAMILY(AuthzInfo, CType, snake, type_name, authz, false, __VA_ARGS__)

TYPE_DEFINE_FAMILY(AuthzInfo, Authz, authz, "authz", object, true, .desc = "who may come in")

bool authz_is_allowed(Authz *authz, const char *identity)
{
    return ((const AuthzInfo *)authz->obj.type->info)->is_allowed(authz, identity);
}

bool authz_is_allowed_by_id(const char *id, const char *identity, Error **errp)
{
    Object *obj = object_child(object_container("/objects"), id);

    if (!obj || !object_is(obj, &authz_type)) {
        error_setg(errp, obj ? "Object '%s' is not an authorization object" : "No authorization object with id '%s'", id);
        return false;
    }
    if (!authz_is_allowed(AUTHZ(obj), identity)) {
        error_setg(errp, "'%s' is not allowed by authorization object '%s'", identity, id);
        return false;
    }
    return true;
}

/* --- rules --- */

static bool rule_matches(const QapiQAuthZListRule *r, const char *identity)
{
    return r->has_format && r->format == QAPI_Q_AUTH_Z_LIST_FORMAT_GLOB ? !fnmatch(r->match, identity, 0)
                                                                        : !strcmp(r->match, identity);
}

static bool rules_allow(const QapiQAuthZListRules *list, const char *identity)
{
    for (size_t i = 0; list->rules && i < list->rules->len; i++) {
        const QapiQAuthZListRule *r = &list->rules->at[i];

        if (rule_matches(r, identity)) {
            return r->policy == QAPI_Q_AUTH_Z_LIST_POLICY_ALLOW;
        }
    }
    return list->has_policy && list->policy == QAPI_Q_AUTH_Z_LIST_POLICY_ALLOW;
}

/* --- authz-simple --- */

typedef struct AuthzSimple {
    Authz parent;
    char *identity;
} AuthzSimple;

OBJECT_DECLARE(AuthzSimple, AUTHZ_SIMPLE, authz_simple)

static bool simple_is_allowed(Authz *authz, const char *identity)
{
    return !strcmp(AUTHZ_SIMPLE(authz)->identity, identity);
}

static const Property simple_properties[] = {
    PROP_STRING("identity", AuthzSimple, identity, .required = true, .help = "the one that is allowed"),
};

AUTHZ_DEFINE(AuthzSimple, authz_simple, "authz-simple",
    .desc           = "allows one identity",
    .is_allowed     = simple_is_allowed,
    .properties     = PROPS(simple_properties),
    .user_creatable = true,
)

/* --- authz-list --- */

static const char *const policy_names[] = { "deny", "allow", NULL };

typedef struct AuthzList {
    Authz parent;
    int policy;
    Value *rules;                       /* as given, a list; NULL = none */
    QapiQAuthZListRules *parsed;        /* the same; never NULL once rules were set */
} AuthzList;

OBJECT_DECLARE(AuthzList, AUTHZ_LIST, authz_list)

static QapiQAuthZListRules *parse_rules(const Value *rules, Error **errp)
{
    g_autoptr(Value) dict = value_dict();

    value_dict_set(dict, "rules", value_deep_copy(rules));
    return qapi_parse_q_auth_z_list_rules(dict, 0, errp);
}

static bool set_rules(Object *obj, const Property *p, const Value *v, Error **errp)
{
    AuthzList *s = AUTHZ_LIST(obj);
    QapiQAuthZListRules *parsed = parse_rules(v, errp);

    if (!parsed) {
        return false;
    }
    qapi_free_q_auth_z_list_rules(s->parsed);
    s->parsed = parsed;
    value_unref(s->rules);
    s->rules = value_deep_copy(v);
    return true;
}

static Value *get_rules(Object *obj, const Property *p)
{
    const AuthzList *s = AUTHZ_LIST(obj);

    return s->rules ? value_ref(s->rules) : value_list();
}

static bool list_is_allowed(Authz *authz, const char *identity)
{
    const AuthzList *s = AUTHZ_LIST(authz);
    QapiQAuthZListRules none = { 0 }, *list = s->parsed ? s->parsed : &none;

    list->has_policy = true;
    list->policy = (QapiQAuthZListPolicy)s->policy;
    return rules_allow(list, identity);
}

static void list_fini(Object *obj)
{
    AuthzList *s = AUTHZ_LIST(obj);

    qapi_free_q_auth_z_list_rules(s->parsed);
    value_unref(s->rules);
}

static const Property list_properties[] = {
    PROP_ENUM("policy", AuthzList, policy, policy_names, 0, .settable_live = true, .shown = "QAuthZListPolicy",
              .help = "for whom no rule matches"),
    PROP_CUSTOM(any, "rules", get_rules, set_rules, .settable_live = true, .shown = "QAuthZListRule",
                .help = "list of { match, policy, format }; the first that matches decides"),
};

AUTHZ_DEFINE(AuthzList, authz_list, "authz-list",
    .desc           = "allows by a list of rules",
    .is_allowed     = list_is_allowed,
    .fini           = list_fini,
    .properties     = PROPS(list_properties),
    .user_creatable = true,
)

/* --- authz-list-file --- */

#define LIST_FILE_MAX_BYTES (16 * MiB)

typedef struct AuthzListFile {
    Authz parent;
    char *filename;
    bool refresh;
    struct stat seen;                   /* of the file when it was read */
    QapiQAuthZListRules *list;          /* NULL = it cannot be used: nobody is allowed */
} AuthzListFile;

OBJECT_DECLARE(AuthzListFile, AUTHZ_LIST_FILE, authz_list_file)

static QapiQAuthZListRules *load_list(const char *filename, Error **errp)
{
    g_autoptr(GError) gerr = NULL;
    g_autofree char *text = NULL;
    g_autoptr(Value) v = NULL;
    gsize len;

    if (!g_file_get_contents(filename, &text, &len, &gerr)) {
        error_setg(errp, "Unable to read '%s': %s", filename, gerr->message);
        return NULL;
    }
    if (len > LIST_FILE_MAX_BYTES) {
        error_setg(errp, "'%s' has %zu bytes, a list at most %llu", filename, len, LIST_FILE_MAX_BYTES);
        return NULL;
    }
    v = json_parse(text, len, errp);
    if (v && value_type(v) != VALUE_DICT) {
        error_setg(errp, "File '%s' must contain a JSON object", filename);
        return NULL;
    }
    return v ? qapi_parse_q_auth_z_list_rules(v, 0, errp) : NULL;
}

static bool has_changed(const struct stat *a, const struct stat *b)
{
    return a->st_ino != b->st_ino || a->st_size != b->st_size || a->st_mtim.tv_sec != b->st_mtim.tv_sec
        || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec;
}

static void reload_if_changed(AuthzListFile *s)
{
    struct stat now = { 0 };
    Error *err = NULL;

    if (stat(s->filename, &now) == 0 && !has_changed(&now, &s->seen)) {
        return;
    }
    qapi_free_q_auth_z_list_rules(s->list);
    s->seen = now;
    s->list = load_list(s->filename, &err);
    if (err) {
        error_report_err(err);
    }
}

static bool list_file_is_allowed(Authz *authz, const char *identity)
{
    AuthzListFile *s = AUTHZ_LIST_FILE(authz);

    if (s->refresh) {
        reload_if_changed(s);
    }
    return s->list && rules_allow(s->list, identity);
}

static bool list_file_complete(Object *obj, Error **errp)
{
    AuthzListFile *s = AUTHZ_LIST_FILE(obj);

    if (stat(s->filename, &s->seen) < 0) {
        error_setg_errno(errp, errno, "Unable to read '%s'", s->filename);
        return false;
    }
    s->list = load_list(s->filename, errp);
    return s->list != NULL;
}

static void list_file_fini(Object *obj)
{
    qapi_free_q_auth_z_list_rules(AUTHZ_LIST_FILE(obj)->list);
}

static const Property list_file_properties[] = {
    PROP_STRING("filename", AuthzListFile, filename, .required = true, .help = "JSON: { policy, rules }"),
    PROP_BOOL("refresh", AuthzListFile, refresh, true, .help = "read it again when it has changed"),
};

AUTHZ_DEFINE(AuthzListFile, authz_list_file, "authz-list-file",
    .desc           = "allows by a list of rules in a file",
    .is_allowed     = list_file_is_allowed,
    .complete       = list_file_complete,
    .fini           = list_file_fini,
    .properties     = PROPS(list_file_properties),
    .user_creatable = true,
)
