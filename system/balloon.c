/*
 * Which balloon the machine has.  BQL.
 */
#include "system/balloon.h"
#include "hw/core/machine.h"

static const BalloonOps *balloon_ops;
static void *balloon_opaque;
static void (*change_notify)(uint64_t actual_bytes);

bool balloon_register(const BalloonOps *ops, void *opaque, Error **errp)
{
    if (balloon_ops) {
        error_setg(errp, "only one balloon device is supported");
        return false;
    }
    balloon_ops = ops;
    balloon_opaque = opaque;
    return true;
}

void balloon_unregister(void *opaque)
{
    if (balloon_opaque == opaque) {
        balloon_ops = NULL;
        balloon_opaque = NULL;
    }
}

static bool have_balloon(Error **errp)
{
    if (!balloon_ops) {
        error_set(errp, ERROR_CLASS_DEVICE_NOT_ACTIVE, "No balloon device has been activated");
    }
    return balloon_ops != NULL;
}

bool balloon_set_target(uint64_t bytes, Error **errp)
{
    uint64_t ram = current_machine()->ram_size;

    if (!have_balloon(errp)) {
        return false;
    }
    if (!bytes || bytes > ram) {
        error_setg(errp, "balloon target must be 1..%" PRIu64 " bytes, got %" PRIu64, ram, bytes);
        return false;
    }
    balloon_ops->set_target(balloon_opaque, bytes);
    return true;
}

bool balloon_get_actual(uint64_t *bytes, Error **errp)
{
    if (!have_balloon(errp)) {
        return false;
    }
    *bytes = balloon_ops->actual_bytes(balloon_opaque);
    return true;
}

void balloon_set_change_notify(void (*fn)(uint64_t actual_bytes))
{
    change_notify = fn;
}

void balloon_changed(uint64_t actual_bytes)
{
    if (change_notify) {
        change_notify(actual_bytes);
    }
}
