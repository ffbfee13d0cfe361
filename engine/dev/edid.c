/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/dev/edid.h"

#include <glib.h>
#include <string.h>

#include "engine/bus/pci.h"

#define REFRESH_HZ 60
#define DOTS_PER_INCH 96

/* CVT 1.1, 3.4.2: reduced blanking. */
#define RB_H_BLANK 160
#define RB_H_FRONT 48
#define RB_H_SYNC 32
#define RB_MIN_V_BLANK_US 460
#define RB_V_FRONT 3
#define RB_MIN_V_BACK 6
#define CLOCK_STEP_HZ 250000

/* The monitor's limits, which the range descriptor states. */
#define MIN_V_HZ 50
#define MAX_V_HZ 75
#define MIN_H_KHZ 15
#define MAX_H_KHZ 130
#define MAX_CLOCK_MHZ 300

struct timing {
    unsigned width, height, v_blank, v_sync;
    unsigned clock_hz;
};

/* CVT tells the aspect ratio by the width of the vertical sync pulse. */
static unsigned vertical_sync(unsigned width, unsigned height)
{
    if (width * 3 == height * 4)
        return 4;
    if (width * 9 == height * 16)
        return 5;
    if (width * 10 == height * 16)
        return 6;
    if (width * 4 == height * 5 || width * 9 == height * 15)
        return 7;
    return 10;
}

static struct timing cvt_reduced_blanking(unsigned width, unsigned height)
{
    struct timing t = {.width = width, .height = height};
    unsigned active_ns = 1000000000 / REFRESH_HZ - RB_MIN_V_BLANK_US * 1000;
    uint64_t rate;

    t.v_sync = vertical_sync(width, height);
    t.v_blank = (uint64_t)RB_MIN_V_BLANK_US * 1000 * height / active_ns + 1;
    t.v_blank = MAX(t.v_blank, RB_V_FRONT + t.v_sync + RB_MIN_V_BACK);
    rate = (uint64_t)REFRESH_HZ * (height + t.v_blank) * (width + RB_H_BLANK);
    t.clock_hz = rate / CLOCK_STEP_HZ * CLOCK_STEP_HZ;
    return t;
}

static unsigned millimetres(unsigned pixels)
{
    return pixels * 254 / (DOTS_PER_INCH * 10);
}

/* Section 3.10.2, detailed timing. */
static void put_detailed_timing(uint8_t *d, const struct timing *t)
{
    unsigned mm_x = millimetres(t->width), mm_y = millimetres(t->height);

    pci_set16(d, t->clock_hz / 10000);
    d[2] = t->width & 0xff;
    d[3] = RB_H_BLANK;
    d[4] = t->width >> 8 << 4;
    d[5] = t->height & 0xff;
    d[6] = t->v_blank & 0xff;
    d[7] = t->height >> 8 << 4 | t->v_blank >> 8;
    d[8] = RB_H_FRONT;
    d[9] = RB_H_SYNC;
    d[10] = RB_V_FRONT << 4 | t->v_sync;
    d[12] = mm_x & 0xff;
    d[13] = mm_y & 0xff;
    d[14] = mm_x >> 8 << 4 | mm_y >> 8;
    d[17] = 0x1a; /* digital separate sync: horizontal positive, vertical negative */
}

/* Section 3.10.3, display descriptors. */
static uint8_t *put_descriptor(uint8_t *d, uint8_t tag)
{
    memset(d, 0, 5);
    d[3] = tag;
    return d + 5;
}

static void put_range_limits(uint8_t *d)
{
    static const uint8_t range[13] = {MIN_V_HZ,
                                      MAX_V_HZ,
                                      MIN_H_KHZ,
                                      MAX_H_KHZ,
                                      MAX_CLOCK_MHZ / 10,
                                      0x01 /* limits only */,
                                      '\n',
                                      ' ',
                                      ' ',
                                      ' ',
                                      ' ',
                                      ' ',
                                      ' '};

    memcpy(put_descriptor(d, 0xfd), range, sizeof(range));
}

static void put_name(uint8_t *d)
{
    memcpy(put_descriptor(d, 0xfc), "vmdesk\n      ", 13);
}

/* Section 3.9: width / 8 - 31; aspect ratio in bits 6-7, rate above 60 Hz in bits 0-5. */
static void put_standard_timings(uint8_t *d)
{
    enum { ASPECT_16_10 = 0x00, ASPECT_4_3 = 0x40, ASPECT_5_4 = 0x80, ASPECT_16_9 = 0xc0 };
    static const struct {
        uint16_t width;
        uint8_t aspect;
    } sizes[8] = {
        {1920, ASPECT_16_9},  {1920, ASPECT_16_10}, {1680, ASPECT_16_10}, {1600, ASPECT_4_3},
        {1440, ASPECT_16_10}, {1280, ASPECT_5_4},   {1280, ASPECT_16_10}, {1280, ASPECT_16_9},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        d[2 * i] = sizes[i].width / 8 - 31;
        d[2 * i + 1] = sizes[i].aspect;
    }
}

void edid_fill(uint8_t edid[EDID_SIZE], unsigned width, unsigned height)
{
    static const uint8_t start[] = {
        0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, /* header */
        0x59, 0xa4,                                     /* maker "VMD", 5 bits a letter */
        0x01, 0x00, 0x00, 0x00, 0x00, 0x00,             /* product 1, no serial number */
        0x00, 36,                                       /* made in 1990 + 36 */
        1,    4,                                        /* EDID 1.4 */
        0xa5,                                           /* digital, 8 bits a colour, DisplayPort */
    };
    /* Primaries and white of sRGB, section 3.7. */
    static const uint8_t srgb[10] = {0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54};
    struct timing timing = cvt_reduced_blanking(CLAMP(width, EDID_MIN_WIDTH, EDID_MAX_WIDTH),
                                                CLAMP(height, EDID_MIN_HEIGHT, EDID_MAX_HEIGHT));
    uint8_t sum = 0;

    memset(edid, 0, EDID_SIZE);
    memcpy(edid, start, sizeof(start));
    edid[21] = millimetres(timing.width) / 10;
    edid[22] = millimetres(timing.height) / 10;
    edid[23] = 120;  /* gamma 2.2 */
    edid[24] = 0x06; /* sRGB; the preferred timing is the native one */
    memcpy(edid + 25, srgb, sizeof(srgb));
    edid[35] = 0x21; /* 640x480 and 800x600 at 60 Hz */
    edid[36] = 0x08; /* 1024x768 at 60 Hz */
    put_standard_timings(edid + 38);
    put_detailed_timing(edid + 54, &timing);
    put_range_limits(edid + 72);
    put_name(edid + 90);
    put_descriptor(edid + 108, 0x10); /* dummy */
    for (unsigned i = 0; i < EDID_SIZE - 1; i++)
        sum += edid[i];
    edid[EDID_SIZE - 1] = -sum;
}
