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

/*
 * The most that a server takes whose console's pictures have @picture_bytes (console_max_bytes()): a copy, those that
 * clients ask to be scaled (1/4, 1/9, ... of it), and what the library has for each client.
 */
#define VNC_MAX_CLIENTS     32
#define VNC_CLIENT_BYTES    (4 * MiB)       /* of the library's heap and stacks, whatever encodings a client asks for */
static inline uint64_t vnc_bound(uint64_t picture_bytes, unsigned max_clients)
{
    return 2 * picture_bytes + max_clients * (uint64_t)VNC_CLIENT_BYTES;
}

#endif
