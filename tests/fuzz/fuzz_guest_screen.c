/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Screens as an engine that has been taken over might send them. */
#include "tests/fuzz/fuzz.h"

#include "core/protocol.h"
#include "ui/tui/guest_screen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct guest_screen screen = {0};
    json_t *reply = protocol_parse((const char *)data, size, NULL);

    if (reply && guest_screen_take(&screen, reply, NULL)) {
        for (unsigned y = 0; y < 7; y++) {
            for (unsigned x = 0; x < 5; x++)
                guest_screen_pixel(&screen, x, y, 5, 7);
        }
    }
    guest_screen_finish(&screen);
    json_decref(reply);
    return 0;
}
