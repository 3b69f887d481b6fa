/*
 * Parts of the house that a build may lack: each refuses here, and is overridden where it exists.
 */
#include "hw/core/machine.h"
#include "hw/i386/smbios.h"
#include "hw/nvram/fw_cfg.h"
#include "hw/rtc/rtc-config.h"

#define WEAK __attribute__((weak))

#define REFUSE(what) error_setg(errp, what " is not part of this build")

WEAK bool smbios_option_add(const Value *opts, Error **errp)
{
    REFUSE("SMBIOS");
    return false;
}

WEAK const TypeInfo fw_cfg_type = { .name = "fw_cfg", .parent = &device_type, .abstract = true };

WEAK bool fw_cfg_add_option(FwCfg *s, const Value *opts, Error **errp)
{
    REFUSE("fw_cfg");
    return false;
}

WEAK bool fw_cfg_add_file(FwCfg *s, const char *name, const void *data, size_t len, Error **errp)
{
    REFUSE("fw_cfg");
    return false;
}

WEAK bool rtc_config_set(const Value *opts, Error **errp)
{
    REFUSE("the real-time clock");
    return false;
}
