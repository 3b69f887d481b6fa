/*
 * screendump: a console's picture as PPM or PNG.
 *
 * libpng is loaded when first needed, so that no other process pays for it.
 */
#include "qapi/qapi-commands.h"
#include "system/console.h"
#include "util/fdset.h"

#include "config-host.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#ifdef CONFIG_PNG
#include <dlfcn.h>
#include <png.h>
#endif

/* @row: 3 bytes a pixel. */
static void pack_row(const ConsoleSurface *s, unsigned y, uint8_t *row)
{
    const uint32_t *p = s->pixels + (size_t)y * s->stride;

    for (unsigned x = 0; x < s->width; x++) {
        *row++ = p[x] >> 16;
        *row++ = p[x] >> 8;
        *row++ = p[x];
    }
}

static bool write_ppm(FILE *f, const ConsoleSurface *s)
{
    g_autofree uint8_t *row = g_malloc((size_t)s->width * 3);

    fprintf(f, "P6\n%u %u\n255\n", s->width, s->height);
    for (unsigned y = 0; y < s->height; y++) {
        pack_row(s, y, row);
        fwrite(row, 3, s->width, f);
    }
    return !ferror(f);
}

#ifdef CONFIG_PNG
/* The simplified API of libpng: failures come back as a value. */
static bool write_png(FILE *f, const ConsoleSurface *s)
{
    g_autofree uint8_t *rgb = g_malloc((size_t)s->width * s->height * 3);
    void *lib = dlopen("libpng16.so.16", RTLD_NOW | RTLD_LOCAL);
    __typeof__(png_image_write_to_stdio) *write_to_stdio = lib ? dlsym(lib, "png_image_write_to_stdio") : NULL;
    png_image image = { .version = PNG_IMAGE_VERSION, .width = s->width, .height = s->height, .format = PNG_FORMAT_RGB };

    for (unsigned y = 0; y < s->height; y++) {
        pack_row(s, y, rgb + (size_t)y * s->width * 3);
    }
    errno = ENOPKG;
    return write_to_stdio && write_to_stdio(&image, f, 0, rgb, 0, NULL);
}
#endif

static bool save(FILE *f, const ConsoleSurface *s, QapiImageFormat format)
{
#ifdef CONFIG_PNG
    if (format == QAPI_IMAGE_FORMAT_PNG) {
        return write_png(f, s);
    }
#endif
    return write_ppm(f, s);
}

bool qmp_screendump(const QapiScreendumpArgs *args, Error **errp)
{
    Console *c;
    FILE *f;
    bool ok;
    int fd;

    if (args->has_head && !args->device) {
        error_setg(errp, "'head' must be specified together with 'device'");
        return false;
    }
    if (args->head < 0 || args->head > UINT16_MAX) {
        error_setg(errp, "head must be 0..65535, got %" PRId64, args->head);
        return false;
    }
#ifndef CONFIG_PNG
    if (args->has_format && args->format == QAPI_IMAGE_FORMAT_PNG) {
        error_setg(errp, "format png is not available: built without libpng");
        return false;
    }
#endif
    c = console_find(args->device, args->head, errp);
    if (!c) {
        return false;
    }
    fd = fdset_open(args->filename, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    f = fd < 0 ? NULL : fdopen(fd, "wb");
    if (!f) {
        error_setg_errno(errp, errno, "cannot open '%s'", args->filename);
        return false;
    }
    console_update(c);
    ok = save(f, console_surface(c), args->has_format ? args->format : QAPI_IMAGE_FORMAT_PPM);
    if (fclose(f) || !ok) {
        error_setg_errno(errp, errno, "cannot write '%s'", args->filename);
        return false;
    }
    return true;
}
