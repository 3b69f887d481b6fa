/*
 * Completion for the human monitor: what the last word of a line may become.
 *
 * The first word is a command; what the second may be depends on it (rows below).
 */
#include "system/monitor/internal.h"

#include "hw/core/qdev.h"

/* Candidates are filtered by @prefix as they come. */
typedef struct Search {
    const char *prefix;
    GPtrArray *found;           /* of char *, owned */
} Search;

static void candidate(Search *s, const char *name)
{
    if (g_str_has_prefix(name, s->prefix)) {
        g_ptr_array_add(s->found, g_strdup(name));
    }
}

static void add_name(const char *name, void *opaque)
{
    candidate(opaque, name);
}

static bool add_device_type(const TypeInfo *type, void *opaque)
{
    if (!((const DeviceInfo *)type->info)->not_user_creatable && !type->info->hidden) {
        candidate(opaque, type->name);
    }
    return true;
}

static bool add_object_type(const TypeInfo *type, void *opaque)
{
    if (type->info->user_creatable && !type->info->hidden) {
        candidate(opaque, type->name);
    }
    return true;
}

static bool add_child(Object *child, void *opaque)
{
    g_autofree char *path = object_path(child);

    candidate(opaque, strrchr(path, '/') + 1);
    return true;
}

static void commands(Search *s)
{
    hmp_foreach_command(add_name, s);
}

static void subjects(Search *s)
{
    hmp_foreach_subject(add_name, s);
}

static void device_types(Search *s)
{
    type_foreach(&device_type, false, add_device_type, s);
}

static void object_types(Search *s)
{
    type_foreach(NULL, false, add_object_type, s);
}

static void devices(Search *s)
{
    object_foreach_child(object_container("/machine/peripheral"), false, add_child, s);
}

static void objects(Search *s)
{
    object_foreach_child(object_container("/objects"), false, add_child, s);
}

static const struct {
    const char *command;
    void (*candidates)(Search *s);
} second_words[] = {
    { "help", commands },
    { "info", subjects },
    { "device_add", device_types },
    { "device_del", devices },
    { "object_add", object_types },
    { "object_del", objects },
};

static int compare(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

GPtrArray *hmp_complete(const char *line, size_t *word_at)
{
    GPtrArray *found = g_ptr_array_new_with_free_func(g_free);
    size_t start = strspn(line, " "), first = strcspn(line + start, " ");
    size_t second = start + first + strspn(line + start + first, " ");
    Search s = { line + start, found };

    *word_at = start;
    if (!line[start + first]) {
        commands(&s);
    } else if (!strchr(line + second, ' ')) {
        s.prefix = line + second;
        *word_at = second;
        for (unsigned i = 0; i < ARRAY_SIZE(second_words); i++) {
            if (strlen(second_words[i].command) == first && !strncmp(second_words[i].command, line + start, first)) {
                second_words[i].candidates(&s);
            }
        }
    }
    g_ptr_array_sort(found, compare);
    return found;
}
