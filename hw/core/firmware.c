/*
 * Looking for firmware images by name.
 */
#include "hw/core/firmware.h"

#include "config-host.h"
#include "util/base.h"

char *firmware_find(const char *name)
{
    static const char *const dirs[] = { QUERN_DATADIR, "/usr/share/seabios", "/usr/share/qemu", "/usr/share/OVMF" };

    if (g_file_test(name, G_FILE_TEST_EXISTS)) {
        return g_strdup(name);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(dirs) && !strchr(name, '/'); i++) {
        g_autofree char *path = g_build_filename(dirs[i], name, NULL);

        if (g_file_test(path, G_FILE_TEST_EXISTS)) {
            return g_steal_pointer(&path);
        }
    }
    return NULL;
}
