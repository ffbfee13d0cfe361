/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/machine/input_router.h"

#include "usb/emulated/keyboard.h"
#include "usb/emulated/tablet.h"

G_STATIC_ASSERT(INPUT_POSITION_MAX == USB_TABLET_MAX);
G_STATIC_ASSERT((int)INPUT_BUTTON_LEFT == USB_TABLET_LEFT);
G_STATIC_ASSERT((int)INPUT_BUTTON_RIGHT == USB_TABLET_RIGHT);
G_STATIC_ASSERT((int)INPUT_BUTTON_MIDDLE == USB_TABLET_MIDDLE);

static bool has_tablet(const struct input_router *router)
{
    return router->tablet != NULL && usb_tablet_in_use(router->tablet);
}

/* A key comes up where it went down, whatever keyboard the guest reads by then. */
static bool is_usb_key(struct input_router *router, uint8_t qnum, bool down)
{
    uint8_t *keys = &router->usb_keys[qnum / 8], bit = 1 << qnum % 8;
    bool in_use, usb;

    if (router->keyboard == NULL)
        return false;
    in_use = down && usb_keyboard_in_use(router->keyboard);
    g_mutex_lock(&router->lock);
    usb = down ? in_use : (*keys & bit) != 0;
    *keys = in_use ? *keys | bit : *keys & ~bit;
    g_mutex_unlock(&router->lock);
    return usb;
}

static void on_key(void *opaque, uint8_t qnum, bool down)
{
    struct input_router *router = opaque;

    if (is_usb_key(router, qnum, down))
        usb_keyboard_key(router->keyboard, qnum, down);
    else
        router->ps2->ops->key(router->ps2->opaque, qnum, down);
}

static void on_pointer(void *opaque, unsigned x, unsigned y, unsigned width, unsigned height,
                       unsigned buttons)
{
    const struct input_router *router = opaque;

    if (has_tablet(router))
        usb_tablet_pointer(router->tablet, x, y, buttons);
    else
        router->ps2->ops->pointer(router->ps2->opaque, x, y, width, height, buttons);
}

static void on_motion(void *opaque, int dx, int dy, unsigned buttons)
{
    const struct input_router *router = opaque;

    router->ps2->ops->motion(router->ps2->opaque, dx, dy, buttons);
}

static void on_wheel(void *opaque, int steps)
{
    const struct input_router *router = opaque;

    if (has_tablet(router))
        usb_tablet_wheel(router->tablet, steps, 0);
    else
        router->ps2->ops->wheel(router->ps2->opaque, steps);
}

static const struct input_ops ops = {on_key, on_pointer, on_motion, on_wheel};

void input_router_init(struct input_router *router, const struct input_sink *ps2,
                       struct usb_device *tablet, struct usb_device *keyboard)
{
    *router = (struct input_router){.sink = {&ops, router},
                                    .ps2 = ps2,
                                    .tablet = tablet,
                                    .keyboard = keyboard};
    g_mutex_init(&router->lock);
}
