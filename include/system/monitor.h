/*
 * Monitors: QMP for programs, a line-based one for people, each on a character device.
 */
#ifndef SYSTEM_MONITOR_H
#define SYSTEM_MONITOR_H

#include "system/chardev.h"

typedef enum MonitorKind { MONITOR_HMP, MONITOR_QMP, MONITOR_QMP_PRETTY } MonitorKind;

/* Put a monitor on @chr, for the life of the process. */
bool monitor_new(Chardev *chr, MonitorKind kind, Error **errp) MUST_USE;
/* One line of the human monitor; its output with line feeds.  @cpu: position in the CPU list, -1 = the monitor's present CPU. */
char *monitor_run_line(const char *line, int cpu);
/* Send what is still waiting, as far as the readers take it at once; before the process ends. */
void monitor_flush_all(void);

/* The machine is built, or waits to be: human monitors in focus show their prompt. */
void monitor_machine_ready(void);

#endif
