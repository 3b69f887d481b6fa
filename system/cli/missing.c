/*
 * Parts of the house that a build may lack: each refuses here, and is overridden where it exists.
 */
#include "hw/i386/smbios.h"

__attribute__((weak)) bool smbios_option_add(const Value *opts, Error **errp)
{
    error_setg(errp, "SMBIOS is not part of this build");
    return false;
}
