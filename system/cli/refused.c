/*
 * Options of QEMU 10.0 that are known and refused: what they ask for is not there, and to go on without it would
 * not be what was asked.  Whoever builds one of these things takes its row away.
 */
#include "system/cli/cli.h"

typedef struct RefusedOption {
    const char *name;
    bool takes_arg;
    const char *why;
} RefusedOption;

static const RefusedOption refused[] = {
    { "chroot",               true,  "use -run-with chroot=DIR" },
    { "dump-vmstate",         true,  "the description of saved states is not available" },
    { "enable-sync-profile",  false, "profiling of locks is not available" },
    { "fda",                  true,  "floppy disks are not available" },
    { "fdb",                  true,  "floppy disks are not available" },
    { "fsdev",                true,  "9p file systems are not available" },
    { "full-screen",          false, "there is no display that could fill the screen" },
    { "gdb",                  true,  "the gdb server is not available" },
    { "icount",               true,  "instruction counting is not available" },
    { "iscsi",                true,  "iSCSI is not available" },
    { "jitdump",              false, "jit dumps for perf are not available" },
    { "k",                    true,  "keyboard layouts are not available: there is no display" },
    { "loadvm",               true,  "saved states are not available" },
    { "mtdblock",             true,  "the machine has no parallel flash slot" },
    { "only-migratable",      false, "migration is not available" },
    { "pflash",               true,  "parallel flash is not available; -bios takes a firmware image" },
    { "plugin",               true,  "TCG plugins are not available" },
    { "qtest",                true,  "the qtest protocol is not available" },
    { "qtest-log",            true,  "the qtest protocol is not available" },
    { "runas",                true,  "use -run-with user=NAME" },
    { "s",                    false, "the gdb server is not available" },
    { "sd",                   true,  "the machine has no SD card slot" },
    { "shim",                 true,  "a shim for UEFI secure boot is not available" },
    { "spice",                true,  "SPICE is not available" },
    { "tpmdev",               true,  "TPM devices are not available" },
    { "usbdevice",            true,  "give -device qemu-xhci and -device usb-tablet, usb-mouse or usb-kbd" },
    { "virtfs",               true,  "9p file systems are not available" },
    { "win2k-hack",           false, "IDE disks are not available" },
    { "xen-attach",           false, "Xen is not available" },
    { "xen-domid",            true,  "Xen is not available" },
    { "xen-domid-restrict",   false, "Xen is not available" },
};

const char *option_refusal(const char *name, bool *takes_arg)
{
    for (unsigned i = 0; i < ARRAY_SIZE(refused); i++) {
        if (!strcmp(refused[i].name, name)) {
            *takes_arg = refused[i].takes_arg;
            return refused[i].why;
        }
    }
    return NULL;
}
