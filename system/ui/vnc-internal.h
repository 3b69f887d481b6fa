/*
 * A VNC server: what the library's threads and the main loop share.
 */
#ifndef SYSTEM_UI_VNC_INTERNAL_H
#define SYSTEM_UI_VNC_INTERNAL_H

#include "qapi/qapi-types.h"
#include "system/console.h"
#include "util/socket.h"
#include "util/timer.h"

#include <rfb/rfb.h>
#undef rfbInitServer

/* What is used of libvncserver; NULL if it is not installed. */
typedef struct VncLibrary {
    __typeof__(rfbGetScreen) *get_screen;
    __typeof__(rfbNewFramebuffer) *new_framebuffer;
    __typeof__(rfbMarkRectAsModified) *mark_modified;
    __typeof__(rfbNewClient) *new_client;
    __typeof__(rfbStartOnHoldClient) *start_client;
    __typeof__(rfbCloseClient) *close_client;
    __typeof__(rfbLogEnable) *log_enable;
    void (*encrypt_bytes)(unsigned char *bytes, char *password);
    void (*init_server)(rfbScreenInfoPtr screen);
} VncLibrary;

const VncLibrary *vnc_library(Error **errp);

typedef struct VncServer VncServer;

/* A connection, as the main loop knows it.  BQL, but for @rfb, which is the library's. */
typedef struct VncClient {
    VncServer *server;
    rfbClientPtr rfb;
    QapiVncClientInfo info;
    bool initialized;           /* has asked for a picture */
    unsigned buttons;           /* of its pointer, as last told */
} VncClient;

struct VncServer {
    /* constant after start */
    const VncLibrary *lib;
    char *id;
    rfbScreenInfoPtr screen;
    Console *console;
    int listener;
    SocketFile file;
    bool password_wanted;
    unsigned max_clients;
    uint64_t max_bytes;         /* of the picture */
    char *host, *service;       /* as query-vnc tells */
    QapiNetworkAddressFamily family;

    /* The picture, max_bytes of address space: never moves, so that client threads may read it always. */
    uint32_t *pixels;

    /* BQL */
    GPtrArray *clients;         /* of VncClient *, owned */
    Timer refresh;
    int x, y;                   /* the pointer, for mice that move */
    uint32_t held[8];           /* keys down, by scan code */
    ConsoleListener listen;

    /* password_lock: the client threads check what the main loop sets */
    GMutex password_lock;
    char *password;             /* NULL: nobody may enter */
    int64_t password_expires_s; /* wall clock; INT64_MAX: never */

    uint32_t n_clients;         /* connections being served; atomic */
    uint32_t n_pending;         /* events on their way to the main loop; atomic */
};

/* vnc-session.c: set the screen's hooks; the thread that accepts. */
void vnc_session_hooks(VncServer *s);
void *vnc_accept_thread(void *server);
/* Bring the picture up to date and go on doing so while there are clients. */
void vnc_refresh(void *server);

#endif
