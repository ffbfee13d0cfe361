/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a machine's state means: words, looks, and what can be done in it (model.h). */
#include <config.h>

#include "ui/tui/model.h"

static const struct {
    const char *word;
    enum glyph glyph;
    enum role role;
    bool engine, answering;
} states[VM_STATE_COUNT] = {
    [VM_OFF] = {"off", GLYPH_OFF, ROLE_DIM, false, false},
    [VM_BROKEN] = {"broken", GLYPH_FAILED, ROLE_ERROR, false, false},
    [VM_STARTING] = {"starting", GLYPH_BUSY, ROLE_NOTICE, true, false},
    [VM_RUNNING] = {"running", GLYPH_RUNNING, ROLE_GOOD, true, true},
    [VM_PAUSED] = {"paused", GLYPH_PAUSED, ROLE_WARNING, true, true},
    [VM_CRASHED] = {"crashed", GLYPH_FAILED, ROLE_ERROR, true, true},
    [VM_STUCK] = {"stuck", GLYPH_FAILED, ROLE_ERROR, true, true},
    [VM_ENDING] = {"ending", GLYPH_BUSY, ROLE_NOTICE, true, true},
    [VM_UNANSWERED] = {"no answer", GLYPH_UNKNOWN, ROLE_WARNING, true, false},
    [VM_KILLED] = {"killed", GLYPH_FAILED, ROLE_ERROR, false, false},
    [VM_FAILED] = {"failed", GLYPH_FAILED, ROLE_ERROR, false, false},
};

bool vm_has_engine(const struct vm *vm)
{
    return states[vm->state].engine;
}

bool vm_is_answering(const struct vm *vm)
{
    return states[vm->state].answering && vm->client;
}

const char *vm_state_word(const struct vm *vm)
{
    return states[vm->state].word;
}

enum glyph vm_state_glyph(const struct vm *vm)
{
    return states[vm->state].glyph;
}

enum role vm_state_role(const struct vm *vm)
{
    return states[vm->state].role;
}

static const char *refuses_disc(const struct vm *vm)
{
    if (vm_is_answering(vm))
        return vm->cd_drive ? NULL : "it has no CD drive: see its settings";
    if (vm_has_engine(vm))
        return "the engine does not answer";
    if (!vm->disk->config)
        return "its definition is broken";
    return vm->disk->config->cdrom_present ? NULL : "it has no CD drive: see its settings";
}

static bool has_disc(const struct vm *vm)
{
    return vm_has_engine(vm) ? vm->cd != NULL : vm->disk->config && vm->disk->config->cdrom_file;
}

const char *vm_refuses(const struct vm *vm, enum action action)
{
    switch (action) {
    case ACTION_START:
        if (vm_has_engine(vm))
            return "it is on already";
        return vm->disk->config ? NULL : "its definition is broken";
    case ACTION_PAUSE:
        if (vm->state == VM_RUNNING || vm->state == VM_PAUSED)
            return NULL;
        return vm_has_engine(vm) ? "it neither runs nor is paused" : "it is off";
    case ACTION_POWER_BUTTON:
        if (!vm_has_engine(vm))
            return "it is off";
        return vm->state == VM_RUNNING ? NULL : "only a guest that runs can notice it";
    case ACTION_RESET:
        if (!vm_has_engine(vm))
            return "it is off";
        return vm_is_answering(vm) ? NULL : "the engine does not answer";
    case ACTION_FORCE_OFF:
        return vm_has_engine(vm) ? NULL : "it is off";
    case ACTION_CHANGE_CD:
        return refuses_disc(vm);
    case ACTION_EJECT_CD:
        if (refuses_disc(vm))
            return refuses_disc(vm);
        return has_disc(vm) ? NULL : "there is no disc in the drive";
    case ACTION_DELETE:
        return vm_has_engine(vm) ? "it is on: turn it off first" : NULL;
    default:
        return NULL;
    }
}
