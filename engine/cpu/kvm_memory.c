/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest memory as KVM's memory slots, and for the software CPU's cores. */
#include "engine/cpu/kvm_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>

#include "core/log.h"
#include "engine/bus/memory_map.h"

static bool set_slot(struct kvm_accel *kvm, unsigned number, const struct memory_section *s,
                     uint64_t size)
{
    struct kvm_userspace_memory_region slot = {
        .slot = number,
        .guest_phys_addr = s->base,
        .memory_size = size,
        .userspace_addr = (uintptr_t)s->region->host + s->offset,
        .flags = (s->region->readonly ? KVM_MEM_READONLY : 0) |
                 (s->region->log_dirty ? KVM_MEM_LOG_DIRTY_PAGES : 0),
    };

    if (ioctl(kvm->vm_fd, KVM_SET_USER_MEMORY_REGION, &slot) == 0)
        return true;
    log_error("kvm", "memory slot %u (%s at %#" PRIx64 ", %#" PRIx64 " bytes): %s", number,
              s->region->name, s->base, size, g_strerror(errno));
    return false;
}

static struct kvm_slot *slot_at(struct kvm_accel *kvm, unsigned i)
{
    return &g_array_index(kvm->slots, struct kvm_slot, i);
}

/* The slot of a section; the number of slots when it has none. */
static unsigned find_slot(struct kvm_accel *kvm, uint64_t base, uint64_t size)
{
    unsigned i = 0;

    while (i < kvm->slots->len && (slot_at(kvm, i)->base != base || slot_at(kvm, i)->size != size))
        i++;
    return i;
}

/* A section that gets no slot still works: its accesses come out as MMIO, and the memory map
 * serves them from host memory. */
static void add_slot(struct kvm_accel *kvm, const struct memory_section *s)
{
    unsigned i = 0;

    while (i < kvm->slots->len && slot_at(kvm, i)->size != 0)
        i++;
    if (i == kvm->max_slots) {
        log_warning("kvm", "no memory slot left for %s: it will be slow", s->region->name);
        return;
    }
    if (i == kvm->slots->len)
        g_array_set_size(kvm->slots, i + 1);
    if (set_slot(kvm, i, s, s->size))
        *slot_at(kvm, i) = (struct kvm_slot){s->base, s->size};
}

static void add(void *opaque, const struct memory_section *s)
{
    struct kvm_accel *kvm = opaque;

    add_slot(kvm, s);
    if (kvm->cores != NULL)
        kvm->cores_listener->add(kvm->cores_opaque, s);
}

static void remove_section(void *opaque, const struct memory_section *s)
{
    struct kvm_accel *kvm = opaque;
    unsigned i = find_slot(kvm, s->base, s->size);

    if (kvm->cores != NULL)
        kvm->cores_listener->remove(kvm->cores_opaque, s);
    if (i == kvm->slots->len)
        return;
    set_slot(kvm, i, s, 0);
    *slot_at(kvm, i) = (struct kvm_slot){0, 0};
}

static void fetch_dirty(void *opaque, const struct memory_section *s, uint8_t *bitmap)
{
    struct kvm_accel *kvm = opaque;
    unsigned i = find_slot(kvm, s->base, s->size);
    struct kvm_dirty_log log = {.slot = i, .dirty_bitmap = bitmap};

    /* Not knowing is not the same as unchanged. */
    if (i == kvm->slots->len || ioctl(kvm->vm_fd, KVM_GET_DIRTY_LOG, &log) != 0)
        memset(bitmap, 0xff, (s->size / 4096 + 7) / 8);
    if (kvm->cores != NULL)
        kvm->cores_listener->fetch_dirty(kvm->cores_opaque, s, bitmap);
}

static void written(void *opaque, uint64_t gpa, uint64_t size)
{
    struct kvm_accel *kvm = opaque;

    if (kvm->cores != NULL)
        kvm->cores_listener->written(kvm->cores_opaque, gpa, size);
}

const struct memory_listener kvm_memory_listener = {
    .add = add,
    .remove = remove_section,
    .fetch_dirty = fetch_dirty,
    .written = written,
};
