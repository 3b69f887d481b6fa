/*
 * An EDID 1.4 base block: one detailed timing, the common established ones, name and limits.
 */
#include "hw/display/edid.h"

#define REFRESH_HZ  75
#define DPI         100

/* "RHT": three letters of five bits, manufacturers' registry. */
static const uint8_t head[] = { 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0x49, 0x14, 0x34, 0x12, 0, 0, 0, 0, 42, 24, 1, 4 };

static uint8_t millimetres_to_cm(unsigned pixels)
{
    return MIN(pixels * 254 / DPI / 100, 255);
}

/* 3.10.2: 18 bytes. */
static void detailed_timing(uint8_t *d, unsigned width, unsigned height)
{
    unsigned hblank = MAX(width * 35 / 100, 16), vblank = MAX(height * 35 / 1000, 8), hsync = width * 25 / 100 / 8 + 1;
    unsigned hfront = MAX(width * 25 / 100 / 4, 1), vfront = 5, vsync = 5;
    uint64_t clock_10khz = (uint64_t)(width + hblank) * (height + vblank) * REFRESH_HZ / 10000;
    unsigned mm_x = width * 254 / DPI / 10, mm_y = height * 254 / DPI / 10;

    hfront = MIN(hfront, hblank - 2);
    hsync = MIN(hsync, hblank - hfront - 1);
    vblank = MAX(vblank, vfront + vsync + 1);
    st16_le(d, MIN(clock_10khz, UINT16_MAX));
    d[2] = width;
    d[3] = hblank;
    d[4] = (width >> 8) << 4 | (hblank >> 8 & 15);
    d[5] = height;
    d[6] = vblank;
    d[7] = (height >> 8) << 4 | (vblank >> 8 & 15);
    d[8] = hfront;
    d[9] = hsync;
    d[10] = (vfront & 15) << 4 | (vsync & 15);
    d[11] = (hfront >> 8 & 3) << 6 | (hsync >> 8 & 3) << 4;
    d[12] = mm_x;
    d[13] = mm_y;
    d[14] = (mm_x >> 8 & 15) << 4 | (mm_y >> 8 & 15);
    d[17] = 0x18;                               /* digital separate sync */
}

/* 3.10.3: a display descriptor of text, padded as the standard wants. */
static void text_descriptor(uint8_t *d, uint8_t tag, const char *text)
{
    size_t n = strlen(text);

    memset(d, 0, 18);
    d[3] = tag;
    memset(d + 5, ' ', 13);
    memcpy(d + 5, text, MIN(n, 13));
    if (n < 13) {
        d[5 + n] = '\n';
    }
}

static void range_descriptor(uint8_t *d)
{
    static const uint8_t limits[] = { 0, 0, 0, 0xfd, 0, 50, 125, 30, 160, 255, 1, '\n', ' ', ' ', ' ', ' ', ' ', ' ' };

    memcpy(d, limits, sizeof(limits));
}

void edid_make(uint8_t edid[EDID_SIZE], unsigned width, unsigned height)
{
    static const uint8_t color[] = { 0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54 };     /* sRGB, 3.7 */
    uint8_t sum = 0;

    memset(edid, 0, EDID_SIZE);
    memcpy(edid, head, sizeof(head));
    edid[20] = 0xa5;                            /* digital, 8 bits a color, DisplayPort */
    edid[21] = millimetres_to_cm(width);
    edid[22] = millimetres_to_cm(height);
    edid[23] = 120;                             /* gamma 2.2 */
    edid[24] = 0x06;                            /* sRGB, the first timing is preferred */
    memcpy(edid + 25, color, sizeof(color));
    edid[35] = 0x21;                            /* 640x480, 800x600 */
    edid[36] = 0x08;                            /* 1024x768 */
    for (unsigned i = 38; i < 54; i++) {
        edid[i] = 1;                            /* no standard timings */
    }
    detailed_timing(edid + 54, width, height);
    range_descriptor(edid + 72);
    text_descriptor(edid + 90, 0xfc, "QEMU Monitor");
    text_descriptor(edid + 108, 0xfe, "");
    for (unsigned i = 0; i < EDID_SIZE - 1; i++) {
        sum += edid[i];
    }
    edid[EDID_SIZE - 1] = -sum;
}
