/*
 * -preconfig: monitors answer before the machine is built, so that objects can be made and asked about; then
 * x-exit-preconfig builds and starts it.
 *
 * Meanwhile only commands that the schema marks 'allow-preconfig' are permitted (runstate_is_preconfig()).
 */
#include "system/cli/cli.h"

#include "qapi/qapi-commands.h"
#include "system/monitor.h"
#include "system/runstate.h"

static struct {
    void (*go_on)(Options *o);
    Options *options;               /* borrowed from main() */
} waiting;

bool preconfig_wait(void (*go_on)(Options *o), Options *o)
{
    waiting.go_on = go_on;
    waiting.options = o;
    runstate_set_preconfig(true);
    monitor_machine_ready();
    while (runstate_is_preconfig()) {
        if (system_main_loop_step(true)) {
            return false;
        }
    }
    return true;
}

bool qmp_x_exit_preconfig(Error **errp)
{
    if (!runstate_is_preconfig()) {
        error_setg(errp, "The command is permitted only before machine initialization");
        return false;
    }
    runstate_set_preconfig(false);
    waiting.go_on(waiting.options);
    return true;
}
