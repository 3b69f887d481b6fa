/*
 * Where data files are.  See system/datadir.h.
 */
#include "config-host.h"
#include "system/datadir.h"

static const char *const standard[] = { QUERN_DATADIR, "/usr/share/seabios", "/usr/share/qemu", "/usr/share/OVMF" };
static GPtrArray *added;                /* of char *, in order of -L; set at start */

void datadir_add(const char *path)
{
    if (!added) {
        added = g_ptr_array_new_with_free_func(g_free);
    }
    g_ptr_array_add(added, g_strdup(path));
}

static const char *folder(unsigned i)
{
    unsigned n = added ? added->len : 0;

    return i < n ? g_ptr_array_index(added, i) : i - n < ARRAY_SIZE(standard) ? standard[i - n] : NULL;
}

char *datadir_find(const char *name)
{
    if (g_file_test(name, G_FILE_TEST_EXISTS)) {
        return g_strdup(name);
    }
    for (unsigned i = 0; !strchr(name, '/') && folder(i); i++) {
        g_autofree char *path = g_build_filename(folder(i), name, NULL);

        if (g_file_test(path, G_FILE_TEST_EXISTS)) {
            return g_steal_pointer(&path);
        }
    }
    return NULL;
}

void datadir_print(FILE *f)
{
    for (unsigned i = 0; folder(i); i++) {
        fprintf(f, "%s\n", folder(i));
    }
}
