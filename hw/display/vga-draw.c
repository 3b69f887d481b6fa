/*
 * VGA's picture: what the registers say is shown, drawn where video memory has changed.
 *
 * Reference: IBM VGA Technical Reference, CRT and attribute controllers.  Every address comes from
 * guest registers: offsets wrap within video memory, sizes are bounded by the registers' widths, and
 * a linear mode that does not fit is blank (dispi_mode), as is a picture beyond the console's bound.
 */
#include "hw/display/vga.h"

enum {
    SR1_8DOT = 0x01, SR1_HALF_CLOCK = 0x08, SR1_SCREEN_OFF = 0x20, GR6_GRAPHICS = 0x01, GR5_256 = 0x40, GR5_CGA = 0x20,
    AR_INDEX_ON = 0x20, AR10_BLINK = 0x08, AR10_FIXED_COLORS = 0x80, AR10_LINE_GRAPHICS = 0x04, CR17_ROW_BIT13 = 0x01,
    CR9_DOUBLE_SCAN = 0x80, CRA_CURSOR_OFF = 0x20,
};
#define NO_SPLIT    UINT_MAX
#define NO_CURSOR   UINT32_MAX
#define PAGE        4096u

static const uint8_t *vram(const Vga *s)
{
    return memory_region_get_ram_ptr(&s->vram);
}

/* --- the mode --- */

/* Visible rows of the CRT controller: 10 bits in three registers. */
static unsigned crt_rows(const Vga *s)
{
    return (s->cr[0x12] | (s->cr[7] & 0x02) << 7 | (s->cr[7] & 0x40) << 3) + 1;
}

static unsigned crt_line_compare(const Vga *s)
{
    return s->cr[0x18] | (s->cr[7] & 0x10) << 4 | (s->cr[9] & 0x40) << 3;
}

static void mode_text(const Vga *s, VgaMode *m)
{
    m->shape = VGA_TEXT;
    m->cell_height = (s->cr[9] & 0x1f) + 1;
    m->cell_width = s->sr[1] & SR1_8DOT ? 8 : 9;
    m->double_x = s->sr[1] & SR1_HALF_CLOCK;
    m->width = (s->cr[1] + 1u) * m->cell_width * (m->double_x ? 2 : 1);
    m->height = MAX(crt_rows(s) / m->cell_height, 1) * m->cell_height;
}

static void mode_graphics(const Vga *s, VgaMode *m)
{
    m->shape = s->gr[5] & GR5_256 ? VGA_CHAINED256 : s->gr[5] & GR5_CGA ? VGA_CGA4 : VGA_PLANAR16;
    m->double_x = m->shape == VGA_CHAINED256 || (s->sr[1] & SR1_HALF_CLOCK);
    m->row_repeat = ((s->cr[9] & 0x1f) + 1) << (s->cr[9] & CR9_DOUBLE_SCAN ? 1 : 0);
    m->width = (s->cr[1] + 1u) * 8 * (m->shape != VGA_CHAINED256 && m->double_x ? 2 : 1);
    m->height = crt_rows(s);
}

static void mode_linear(const Vga *s, VgaMode *m)
{
    DispiMode d = dispi_mode(&s->dispi);

    m->shape = !d.width ? VGA_BLANK : d.bpp == 4 ? VGA_PLANAR16 : VGA_LINEAR;
    m->width = d.width;
    m->height = d.height;
    m->bpp = d.bpp;
    m->base = d.bpp == 4 ? s->dispi.reg[DISPI_Y_OFFSET] * d.stride : d.base;
    m->stride = d.stride;
    m->row_repeat = 1;
    m->split = NO_SPLIT;
}

static VgaMode current_mode(const Vga *s)
{
    VgaMode m = { .row_repeat = 1, .split = crt_line_compare(s) };

    if (!(s->ar_index & AR_INDEX_ON) || (s->sr[1] & SR1_SCREEN_OFF)) {
        return (VgaMode){ .shape = VGA_BLANK, .row_repeat = 1, .split = NO_SPLIT };
    }
    if (dispi_enabled(&s->dispi)) {
        mode_linear(s, &m);
        return m;
    }
    m.base = (s->cr[0x0c] << 8 | s->cr[0x0d]) * 4u;
    m.stride = s->cr[0x13] * 8u;
    if (s->gr[6] & GR6_GRAPHICS) {
        mode_graphics(s, &m);
    } else {
        mode_text(s, &m);
    }
    m.split = m.split >= m.height ? NO_SPLIT : m.split;
    return m;
}

static bool same_mode(const VgaMode *a, const VgaMode *b)
{
    return a->shape == b->shape && a->width == b->width && a->height == b->height && a->base == b->base
           && a->stride == b->stride && a->bpp == b->bpp && a->row_repeat == b->row_repeat && a->double_x == b->double_x
           && a->cell_width == b->cell_width && a->cell_height == b->cell_height && a->split == b->split;
}

/* --- colors --- */

static uint32_t dac_pixel(const Vga *s, unsigned i)
{
    const uint8_t *c = &s->palette[(i & s->dac_mask) * 3];
    bool wide = s->dispi.reg[DISPI_ENABLE] & DISPI_8BIT_DAC;
    uint32_t rgb[3];

    for (unsigned k = 0; k < 3; k++) {
        rgb[k] = wide ? c[k] : (c[k] & 0x3f) << 2 | (c[k] & 0x3f) >> 4;
    }
    return rgb[0] << 16 | rgb[1] << 8 | rgb[2];
}

/* The 16 colors of text and planar modes go through the attribute controller. */
static unsigned attribute_color(const Vga *s, unsigned i)
{
    unsigned v = s->ar[i];

    return s->ar[0x10] & AR10_FIXED_COLORS ? (s->ar[0x14] & 0x0f) << 4 | (v & 0x0f)
                                           : (s->ar[0x14] & 0x0c) << 4 | (v & 0x3f);
}

static void refresh_colors(Vga *s, const VgaMode *m)
{
    bool by_attribute = m->shape == VGA_TEXT || m->shape == VGA_PLANAR16 || m->shape == VGA_CGA4;

    for (unsigned i = 0; i < 256; i++) {
        s->colors[i] = dac_pixel(s, by_attribute ? attribute_color(s, i & 15) : i);
    }
    s->colors_stale = false;
    s->redraw = true;
}

/* --- text --- */

/* Where the glyphs are: sequencer register 3 chooses among eight maps of plane 2, for two sets. */
static uint32_t font_offset(const Vga *s, bool second)
{
    unsigned v = s->sr[3];
    unsigned n = second ? (v >> 2 & 3) | (v >> 3 & 4) : (v & 3) | (v >> 2 & 4);
    static const uint16_t map[8] = { 0x0000, 0x4000, 0x8000, 0xc000, 0x2000, 0x6000, 0xa000, 0xe000 };

    return map[n] * 4u;
}

static void draw_cell(Vga *s, const VgaMode *m, unsigned col, unsigned row, uint32_t cell, bool cursor)
{
    const ConsoleSurface *surface = console_surface(s->console);
    unsigned ch = cell & 0xff, attr = cell >> 8 & 0xff, zoom = m->double_x ? 2 : 1, width = m->cell_width * zoom;
    bool two_fonts = font_offset(s, false) != font_offset(s, true);
    uint32_t glyph = font_offset(s, two_fonts && !(attr & 8)) + ch * 32 * 4 + 2;
    uint32_t fg = s->colors[attr & (two_fonts ? 7 : 15)];
    uint32_t bg = s->colors[attr >> 4 & (s->ar[0x10] & AR10_BLINK ? 7 : 15)];
    unsigned first = s->cr[0x0a] & 0x1f, last = s->cr[0x0b] & 0x1f;

    for (unsigned y = 0; y < m->cell_height; y++) {
        uint32_t *p = surface->pixels + (size_t)(row * m->cell_height + y) * surface->stride + col * width;
        unsigned bits = vram(s)[(glyph + y * 4) & (s->vram_size - 1)] << 1;

        if (s->ar[0x10] & AR10_LINE_GRAPHICS && ch >= 0xc0 && ch <= 0xdf) {
            bits |= bits >> 1 & 1;              /* the ninth dot repeats the eighth */
        }
        if (cursor && y >= first && y <= last) {
            bits = 0x1ff;
        }
        for (unsigned x = 0; x < width; x++) {
            p[x] = bits >> (8 - x / zoom) & 1 ? fg : bg;
        }
    }
}

static uint32_t cursor_cell(const Vga *s)
{
    bool off = (s->cr[0x0a] & CRA_CURSOR_OFF) || (s->cr[0x0a] & 0x1f) > (s->cr[0x0b] & 0x1f);

    return off ? NO_CURSOR : (s->cr[0x0e] << 8 | s->cr[0x0f]) * 4u;
}

/* Glyphs lie between the characters in video memory, so that pages do not tell which of them were written. */
static uint32_t font_sum(const Vga *s)
{
    uint32_t sum = 2166136261u;         /* FNV-1a */

    for (unsigned set = 0; set < 2; set++) {
        uint32_t at = font_offset(s, set) + 2;

        for (unsigned i = 0; i < 256 * 32; i++, at += 4) {
            sum = (sum ^ vram(s)[at & (s->vram_size - 1)]) * 16777619u;
        }
    }
    return sum;
}

static void notice_fonts(Vga *s)
{
    uint32_t sum = font_sum(s);

    s->redraw |= sum != s->fonts;
    s->fonts = sum;
}

static void draw_text(Vga *s, const VgaMode *m)
{
    unsigned cols = m->width / (m->cell_width * (m->double_x ? 2 : 1)), rows = m->height / m->cell_height;
    uint32_t cursor = cursor_cell(s);

    if (s->redraw || !s->cells) {
        g_free(s->cells);
        s->cells = g_new(uint32_t, (size_t)cols * rows);
        memset(s->cells, 0xff, (size_t)cols * rows * sizeof(uint32_t));
    }
    for (unsigned row = 0; row < rows; row++) {
        unsigned left = cols, right = 0;

        for (unsigned col = 0; col < cols; col++) {
            uint32_t at = (m->base + row * m->stride + col * 4) & (s->vram_size - 1);
            uint32_t cell = ld16_le(vram(s) + at) | (at == cursor) << 16;
            uint32_t *shown = &s->cells[row * cols + col];

            if (*shown != cell) {
                *shown = cell;
                draw_cell(s, m, col, row, cell, at == cursor);
                left = MIN(left, col);
                right = col + 1;
            }
        }
        if (right > left) {
            unsigned width = m->width / cols;

            console_changed(s->console, left * width, row * m->cell_height, (right - left) * width, m->cell_height);
        }
    }
}

/* --- graphics --- */

static uint32_t wrap(const Vga *s, uint32_t at)
{
    return at & (s->vram_size - 1);
}

static void draw_planar_row(const Vga *s, const VgaMode *m, uint32_t at, uint32_t *p)
{
    unsigned zoom = m->double_x ? 2 : 1, enabled = s->ar[0x12] & 15;

    for (unsigned x = 0; x < m->width; x += 8 * zoom, at += 4) {
        uint32_t planes = ld32_le(vram(s) + (wrap(s, at) & ~3u));

        for (unsigned i = 0; i < 8 * zoom && x + i < m->width; i++) {
            unsigned bit = 7 - i / zoom;
            unsigned c = (planes >> bit & 1) | (planes >> (bit + 7) & 2) | (planes >> (bit + 14) & 4) | (planes >> (bit + 21) & 8);

            *p++ = s->colors[c & enabled];
        }
    }
}

/* Two bits a pixel, from planes 0 and 1 by turns, as the CGA had them. */
static void draw_cga_row(const Vga *s, const VgaMode *m, uint32_t at, uint32_t *p)
{
    unsigned zoom = m->double_x ? 2 : 1;

    for (unsigned x = 0; x < m->width / zoom; x++) {
        uint8_t byte = vram(s)[wrap(s, at + x / 8 * 4 + (x / 4 & 1))];

        for (unsigned i = 0; i < zoom; i++) {
            *p++ = s->colors[byte >> (6 - 2 * (x & 3)) & 3];
        }
    }
}

static void draw_256_row(const Vga *s, const VgaMode *m, uint32_t at, uint32_t *p)
{
    for (unsigned x = 0; x < m->width; x++) {
        *p++ = s->colors[vram(s)[wrap(s, at + x / 2)]];
    }
}

static uint32_t expand5(unsigned v)
{
    return v << 3 | v >> 2;
}

static uint32_t linear_pixel(const Vga *s, const uint8_t *v, unsigned bpp)
{
    unsigned w;

    switch (bpp) {
    case 8:
        return s->colors[*v];
    case 15:
        w = ld16_le(v);
        return expand5(w >> 10 & 31) << 16 | expand5(w >> 5 & 31) << 8 | expand5(w & 31);
    case 16:
        w = ld16_le(v);
        return expand5(w >> 11) << 16 | ((w >> 5 & 63) << 2 | (w >> 9 & 3)) << 8 | expand5(w & 31);
    default:
        return v[0] | v[1] << 8 | v[2] << 16;
    }
}

static void draw_linear_row(const Vga *s, const VgaMode *m, uint32_t at, uint32_t *p)
{
    unsigned bytes = DIV_ROUND_UP(m->bpp, 8);

    for (unsigned x = 0; x < m->width; x++) {
        *p++ = linear_pixel(s, vram(s) + at + x * bytes, m->bpp);
    }
}

/* Where row @y of the picture is in video memory. */
static uint32_t row_address(const Vga *s, const VgaMode *m, unsigned y)
{
    unsigned from_split = y > m->split ? y - m->split - 1 : y;
    unsigned row = from_split / m->row_repeat;
    uint32_t at = (y > m->split ? 0 : m->base) + row * m->stride;

    if (m->shape == VGA_CGA4 && !(s->cr[0x17] & CR17_ROW_BIT13)) {
        /* address bit 13 is the row scan counter's: two interleaved banks of rows */
        row = from_split / 2;
        at = m->base + (row * m->stride | (from_split & 1) << 15);
    }
    return m->shape == VGA_LINEAR ? at : wrap(s, at);
}

static uint32_t row_bytes(const VgaMode *m)
{
    switch (m->shape) {
    case VGA_LINEAR:
        return m->width * DIV_ROUND_UP(m->bpp, 8);
    case VGA_CHAINED256:
        return m->width / 2;
    default:
        return m->width / 8 * 4;
    }
}

static bool row_is_dirty(const Vga *s, uint32_t at, uint32_t bytes)
{
    for (uint32_t page = at / PAGE; page <= (at + bytes - 1) / PAGE; page++) {
        uint32_t n = page % (s->vram_size / PAGE);

        if (s->dirty[n / 64] >> (n % 64) & 1) {
            return true;
        }
    }
    return false;
}

static void draw_row(const Vga *s, const VgaMode *m, uint32_t at, uint32_t *p)
{
    switch (m->shape) {
    case VGA_PLANAR16:
        draw_planar_row(s, m, at, p);
        break;
    case VGA_CGA4:
        draw_cga_row(s, m, at, p);
        break;
    case VGA_CHAINED256:
        draw_256_row(s, m, at, p);
        break;
    default:
        draw_linear_row(s, m, at, p);
        break;
    }
}

static void draw_graphics(Vga *s, const VgaMode *m)
{
    const ConsoleSurface *surface = console_surface(s->console);
    unsigned first = m->height, bytes = row_bytes(m);

    for (unsigned y = 0; y <= m->height; y++) {
        uint32_t at = y < m->height ? row_address(s, m, y) : 0;

        if (y < m->height && (s->redraw || row_is_dirty(s, at, bytes))) {
            draw_row(s, m, at, surface->pixels + (size_t)y * surface->stride);
            first = MIN(first, y);
        } else if (first < y) {
            console_changed(s->console, 0, first, m->width, y - first);
            first = m->height;
        }
    }
}

static void draw_blank(Vga *s)
{
    const ConsoleSurface *surface = console_surface(s->console);

    if (s->redraw) {
        memset(surface->pixels, 0, (size_t)surface->stride * surface->height * sizeof(uint32_t));
        console_changed(s->console, 0, 0, surface->width, surface->height);
    }
}

/* --- entry points --- */

void vga_invalidate(void *opaque)
{
    ((Vga *)opaque)->redraw = true;
}

void vga_update(void *opaque)
{
    Vga *s = opaque;
    VgaMode m = current_mode(s);
    bool written;

    memory_flush_coalesced();
    if (m.shape != VGA_BLANK && !console_fits(s->console, m.width, m.height)) {
        m = (VgaMode){ .shape = VGA_BLANK, .row_repeat = 1, .split = NO_SPLIT };
    }
    memset(s->dirty, 0, DIV_ROUND_UP(s->vram_size / PAGE, 64) * sizeof(unsigned long));
    written = memory_region_snapshot_and_clear_dirty(&s->vram, 0, s->vram_size, DIRTY_VGA, s->dirty);
    if (!same_mode(&m, &s->shown)) {
        s->shown = m;
        s->redraw = s->colors_stale = true;
        g_clear_pointer(&s->cells, g_free);
        if (m.shape != VGA_BLANK) {
            console_resize(s->console, m.width, m.height);
        }
    }
    if (s->colors_stale) {
        refresh_colors(s, &m);
    }
    if (m.shape == VGA_BLANK) {
        draw_blank(s);
    } else if (m.shape == VGA_TEXT) {
        if (written || s->redraw) {
            notice_fonts(s);
        }
        draw_text(s, &m);
    } else {
        draw_graphics(s, &m);
    }
    s->redraw = false;
}
