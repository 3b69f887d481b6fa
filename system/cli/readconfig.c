/*
 * -readconfig: options from a file of sections,
 *
 *     [device "net0"]
 *       driver = "virtio-net-pci"
 *
 * where a section is an option, its quoted word is the key "id", and each line is a key.
 */
#include "system/cli/cli.h"

#define MAX_CONFIG_BYTES (1 * MiB)

typedef struct Section {
    char *group;
    Value *dict;                /* NULL = no section yet */
} Section;

static bool finish_section(Options *o, Section *s, Error **errp)
{
    bool ok = !s->dict || options_apply_dict(o, s->group, g_steal_pointer(&s->dict), errp);

    g_clear_pointer(&s->group, g_free);
    return ok;
}

/* The text between quotes at the end of @s (which is cut before it); NULL if there is none. */
static char *take_quoted(char *s)
{
    size_t len = strlen(s);
    char *open;

    if (len < 2 || s[len - 1] != '"') {
        return NULL;
    }
    s[len - 1] = '\0';
    open = strchr(s, '"');
    if (!open) {
        return NULL;
    }
    *open = '\0';
    return open + 1;
}

static bool parse_header(Section *s, char *line, Error **errp)
{
    size_t len = strlen(line);
    char *id;

    if (line[len - 1] != ']') {
        error_setg(errp, "expected ']'");
        return false;
    }
    line[len - 1] = '\0';
    g_strstrip(line + 1);
    id = strchr(line, '"') ? take_quoted(line + 1) : NULL;
    s->group = g_strdup(g_strstrip(line + 1));
    s->dict = value_dict();
    if (id) {
        value_dict_set_str(s->dict, "id", id);
    }
    return true;
}

static bool parse_key(Section *s, char *line, Error **errp)
{
    char *eq = strchr(line, '=');
    char *value = eq ? take_quoted(eq + 1) : NULL;

    if (!eq || !value || !s->dict) {
        error_setg(errp, s->dict ? "expected KEY = \"VALUE\"" : "no section before the first key");
        return false;
    }
    *eq = '\0';
    value_dict_set_str(s->dict, g_strstrip(line), value);
    return true;
}

bool options_read_config(Options *o, const char *path, Error **errp)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    g_autoptr(GError) gerr = NULL;
    Section s = { 0 };
    Error *err = NULL;
    gsize len;

    if (!g_file_get_contents(path, &text, &len, &gerr)) {
        error_setg(errp, "%s", gerr->message);
        return false;
    }
    if (len > MAX_CONFIG_BYTES || memchr(text, 0, len)) {
        error_setg(errp, "'%s' is no configuration file", path);
        return false;
    }
    lines = g_strsplit(text, "\n", -1);
    for (unsigned i = 0; lines[i]; i++) {
        char *line = g_strstrip(lines[i]);
        bool ok = true;

        if (*line == '[') {
            ok = finish_section(o, &s, &err) && parse_header(&s, line, &err);
        } else if (*line && *line != '#') {
            ok = parse_key(&s, line, &err);
        }
        if (!ok) {
            error_prepend(&err, "%s:%u: ", path, i + 1);
            break;
        }
    }
    if (!err) {
        (void)!finish_section(o, &s, &err);
    }
    g_free(s.group);
    value_unref(s.dict);
    error_propagate(errp, err);
    return !err;
}
