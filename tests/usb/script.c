/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/usb/script.h"

#include <stdlib.h>
#include <string.h>

char *usb_script_describe(const struct usb_script *script)
{
    const struct usbfs *usbfs = script->usbfs;
    unsigned claimed = 0;

    for (guint i = 0; i < usbfs->files->len; i++)
        claimed |= ((struct usbfs_file *)usbfs->files->pdata[i])->claimed;
    return g_strdup_printf(
        "plugged=%d address=%u resets=%u configuration=%u setting=%u drivers=%u claimed=%u "
        "flying=%u files=%u hangs_up=%d in_streams=%u out_streams=%u\n",
        usbfs->plugged, usbfs->address, usbfs->device.resets, usbfs->device.configuration,
        usbfs->device.iso_setting, usbfs->drivers, claimed,
        g_queue_get_length((GQueue *)&usbfs->device.flying),
        usbfs->files->len - (script->holder != NULL), script->hangs_up, usbfs->device.streams[1],
        usbfs->device.streams[0]);
}

static void hold(struct usb_script *script, bool on)
{
    if (on && script->holder == NULL) {
        script->holder = usbfs_open(script->usbfs);
        script->holder->notify = script->notify;
        script->holder->claimed = 1;
        script->usbfs->drivers &= ~1u;
    } else if (!on && script->holder != NULL) {
        usbfs_close(script->holder);
        script->holder = NULL;
        script->usbfs->drivers |= 1;
    }
}

bool usb_script_play(struct usb_script *script, const char *line)
{
    struct scripted_device *device = &script->usbfs->device;
    g_auto(GStrv) words = g_strsplit(line, " ", 2);
    unsigned number = words[0] != NULL && words[1] != NULL ? atoi(words[1]) : 0;

    if (strcmp(line, "unplug") == 0 && script->usbfs->plugged) {
        usbfs_unplug(script->usbfs);
        script->plugged(script->usbfs);
    } else if (strcmp(line, "plug") == 0 && !script->usbfs->plugged) {
        usbfs_plug(script->usbfs);
        script->plugged(script->usbfs);
    } else if (strcmp(line, "deny") == 0 || strcmp(line, "allow") == 0) {
        script->denied = line[0] == 'd';
    } else if (strcmp(line, "hold") == 0 || strcmp(line, "free") == 0) {
        hold(script, line[0] == 'h');
    } else if (strcmp(line, "mute") == 0 || strcmp(line, "unmute") == 0) {
        device->mute = line[0] == 'm';
    } else if (strcmp(line, "babble") == 0) {
        device->babble = true;
    } else if (g_str_has_prefix(line, "delay ")) {
        device->delay_ms = number;
    } else if (g_str_has_prefix(line, "memory ")) {
        script->usbfs->memory_limit = (size_t)number * 1024;
    } else if (g_str_has_prefix(line, "key ")) {
        g_queue_push_tail(&device->keys, GUINT_TO_POINTER(number));
    } else {
        return false;
    }
    usbfs_pump(script->usbfs);
    return true;
}
