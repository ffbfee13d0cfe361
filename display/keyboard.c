/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/keyboard.h"

#include <string.h>

void keyboard_init(struct keyboard *k, const struct keymap *keymap, const struct input_sink *sink)
{
    memset(k, 0, sizeof(*k));
    k->keymap = keymap;
    k->sink = *sink;
}

static void send(struct keyboard *k, uint8_t qnum, bool down)
{
    k->sink.ops->key(k->sink.opaque, qnum, down);
}

static void tap(struct keyboard *k, uint8_t qnum)
{
    send(k, qnum, true);
    send(k, qnum, false);
}

static void let_go(struct keyboard *k, struct keyboard_hands *h, unsigned i)
{
    uint8_t qnum = h->held[i].qnum;

    h->held[i] = h->held[--h->count];
    if (--k->holders[qnum] == 0)
        send(k, qnum, false);
}

static void hold(struct keyboard *k, struct keyboard_hands *h, uint32_t keysym, uint8_t qnum,
                 bool printing)
{
    for (unsigned i = 0; i < h->count; i++) {
        if (h->held[i].qnum == qnum) {
            h->held[i].keysym = keysym; /* it repeats */
            return;
        }
    }
    if (h->count == KEYBOARD_MAX_HELD)
        let_go(k, h, 0);
    h->held[h->count].keysym = keysym;
    h->held[h->count].qnum = qnum;
    h->held[h->count].printing = printing;
    h->count++;
    if (k->holders[qnum]++ == 0 && qnum == QNUM_CAPS_LOCK)
        k->caps_lock = !k->caps_lock;
}

/* Presses the key with the modifiers that its level needs, and puts them back as the viewer holds
 * them. */
static void press_at_level(struct keyboard *k, const struct keymap_key *key)
{
    static const uint8_t modifiers[] = {QNUM_SHIFT_LEFT, QNUM_SHIFT_RIGHT, QNUM_ALT_GR};
    bool want_shift = ((key->level & LEVEL_SHIFT) != 0) != (key->letter && k->caps_lock);
    bool want_alt_gr = (key->level & LEVEL_ALT_GR) != 0;
    bool shift = k->holders[QNUM_SHIFT_LEFT] > 0 || k->holders[QNUM_SHIFT_RIGHT] > 0;
    bool alt_gr = k->holders[QNUM_ALT_GR] > 0;
    bool lift[] = {!want_shift, !want_shift, !want_alt_gr};

    for (unsigned i = 0; i < 3; i++) {
        if (lift[i] && k->holders[modifiers[i]] > 0)
            send(k, modifiers[i], false);
    }
    if (want_shift && !shift)
        send(k, QNUM_SHIFT_LEFT, true);
    if (want_alt_gr && !alt_gr)
        send(k, QNUM_ALT_GR, true);
    send(k, key->qnum, true);
    if (want_alt_gr && !alt_gr)
        send(k, QNUM_ALT_GR, false);
    if (want_shift && !shift)
        send(k, QNUM_SHIFT_LEFT, false);
    for (unsigned i = 0; i < 3; i++) {
        if (lift[i] && k->holders[modifiers[i]] > 0)
            send(k, modifiers[i], true);
    }
}

static void press_keysym(struct keyboard *k, struct keyboard_hands *h, uint32_t keysym)
{
    struct keymap_key key;

    if (!keymap_lookup(k->keymap, keysym, &key))
        return;
    hold(k, h, keysym, key.qnum, key.printing);
    if (!key.printing) {
        send(k, key.qnum, true);
        return;
    }
    press_at_level(k, &key);
    if (key.then_space) {
        send(k, key.qnum, false);
        tap(k, QNUM_SPACE);
    }
}

static void release_keysym(struct keyboard *k, struct keyboard_hands *h, uint32_t keysym)
{
    struct keymap_key key;

    for (unsigned i = 0; i < h->count; i++) {
        if (h->held[i].keysym == keysym) {
            let_go(k, h, i);
            return;
        }
    }
    if (!keymap_lookup(k->keymap, keysym, &key) || !key.printing)
        return;
    /* The viewer's Shift changed while the key was down, so that it names the key by another
     * symbol now: rather let go of all than leave one stuck. */
    for (unsigned i = h->count; i > 0; i--) {
        if (h->held[i - 1].printing)
            let_go(k, h, i - 1);
    }
}

static void release_qnum(struct keyboard *k, struct keyboard_hands *h, uint8_t qnum)
{
    for (unsigned i = 0; i < h->count; i++) {
        if (h->held[i].qnum == qnum) {
            let_go(k, h, i);
            return;
        }
    }
}

void keyboard_event(struct keyboard *k, struct keyboard_hands *h, bool down, uint32_t keysym,
                    uint8_t qnum)
{
    if (qnum != 0 && down) {
        hold(k, h, 0, qnum, false);
        send(k, qnum, true);
    } else if (qnum != 0) {
        release_qnum(k, h, qnum);
    } else if (keysym == 0) {
        return;
    } else if (down) {
        press_keysym(k, h, keysym);
    } else {
        release_keysym(k, h, keysym);
    }
}

void keyboard_release_all(struct keyboard *k, struct keyboard_hands *h)
{
    while (h->count > 0)
        let_go(k, h, h->count - 1);
}
