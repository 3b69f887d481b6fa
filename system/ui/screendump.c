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
#include <setjmp.h>
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
#define PNG_FUNCTIONS(X) \
    X(create_write_struct) X(create_info_struct) X(destroy_write_struct) X(set_longjmp_fn) X(init_io) X(set_IHDR) X(set_filler) \
    X(set_bgr) X(write_info) X(write_row) X(write_end)

#define MEMBER(name) __typeof__(png_##name) *name;
typedef struct PngLibrary { PNG_FUNCTIONS(MEMBER) } PngLibrary;
#undef MEMBER

static bool load_png(PngLibrary *l)
{
    void *lib = dlopen("libpng16.so.16", RTLD_NOW | RTLD_LOCAL);
    bool all = lib != NULL;

#define LOAD(name) all = all && (l->name = dlsym(lib, "png_" #name)) != NULL;
    PNG_FUNCTIONS(LOAD)
#undef LOAD
    return all;
}

/* Row by row from the surface: it takes no memory by the picture's size. */
static bool write_png(FILE *f, const ConsoleSurface *s)
{
    PngLibrary l;
    png_structp png;
    png_infop info;

    errno = ENOPKG;
    if (!load_png(&l)) {
        return false;
    }
    png = l.create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    info = png ? l.create_info_struct(png) : NULL;
    if (!info || setjmp(*l.set_longjmp_fn(png, longjmp, sizeof(jmp_buf)))) {
        l.destroy_write_struct(&png, &info);
        return false;
    }
    l.init_io(png, f);
    l.set_IHDR(png, info, s->width, s->height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
    l.write_info(png, info);
    l.set_bgr(png);
    l.set_filler(png, 0, PNG_FILLER_AFTER);
    for (unsigned y = 0; y < s->height; y++) {
        l.write_row(png, (png_bytep)(s->pixels + (size_t)y * s->stride));
    }
    l.write_end(png, NULL);
    l.destroy_write_struct(&png, &info);
    return true;
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
