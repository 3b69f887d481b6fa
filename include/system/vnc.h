/*
 * VNC servers.
 */
#ifndef SYSTEM_VNC_H
#define SYSTEM_VNC_H

#include "qapi/qapi-types.h"
#include "util/error.h"

/*
 * Serve a console (the first if @o names none) for the life of the process.  BQL.  False and @errp if the
 * address cannot be listened on, an option is not available, or Quern was built without VNC.
 */
bool vnc_server_start(const QapiVncOptions *o, Error **errp) MUST_USE;

#endif
