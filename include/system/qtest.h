/*
 * The qtest server: a line protocol by which a test outside touches the machine in the guest's place.
 */
#ifndef SYSTEM_QTEST_H
#define SYSTEM_QTEST_H

#include "system/chardev.h"

/*
 * Serve on the character device @text ("unix:PATH", "stdio", ...).  @log_path gets what was said; NULL =
 * standard error, "none" = nothing.
 */
bool qtest_server_new(const char *text, const char *log_path, Error **errp) MUST_USE;

#endif
