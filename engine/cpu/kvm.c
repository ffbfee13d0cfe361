/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The virtual machine: /dev/kvm, interrupt controllers, interrupt lines and MSIs. */
#include "engine/cpu/kvm_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/log.h"
#include "engine/cpu/soft/core.h"

#define KVM_DEVICE "/dev/kvm"
#define API_VERSION 12

/* Three pages and one that real-mode emulation on Intel processors needs, clear of RAM, of PCI
 * windows and of 16 MiB of firmware below 4 GiB. */
#define IDENTITY_MAP_ADDRESS UINT64_C(0xfeffc000)
#define TSS_ADDRESS 0xfeffd000ul

#define MAX_MSRS 1024

static bool permission_error(GError **err)
{
    struct stat st;
    const struct group *group = stat(KVM_DEVICE, &st) == 0 ? getgrgid(st.st_gid) : NULL;
    const char *group_name = group != NULL ? group->gr_name : "kvm";
    const struct passwd *user = getpwuid(geteuid());

    /* Nobody should join root's group, and a group without access helps no one. */
    if (group != NULL && (st.st_gid == 0 || (st.st_mode & 060) != 060))
        return vmdesk_fail(err, VMDESK_ERROR_PERMISSION,
                           "You may not open %s, and no group may that you could join. Give it to "
                           "one with \"sudo chgrp kvm %s && sudo chmod 660 %s\" and join that; or "
                           "set machine.accel to auto, and the machine runs in software.",
                           KVM_DEVICE, KVM_DEVICE, KVM_DEVICE);
    return vmdesk_fail(err, VMDESK_ERROR_PERMISSION,
                       "You may not open %s, which belongs to the group \"%s\". Join it with "
                       "\"sudo usermod -aG %s %s\", then log out and in again; or set "
                       "machine.accel to auto, and the machine runs in software.",
                       KVM_DEVICE, group_name, group_name,
                       user != NULL ? user->pw_name : "YOUR-NAME");
}

static bool open_device(struct kvm_accel *kvm, GError **err)
{
    kvm->device_fd = open(KVM_DEVICE, O_RDWR | O_CLOEXEC);
    if (kvm->device_fd < 0 && (errno == EACCES || errno == EPERM))
        return permission_error(err);
    if (kvm->device_fd < 0)
        return vmdesk_fail(err, VMDESK_ERROR_MISSING,
                           "This host has no usable %s (%s). Switch on virtualization (VT-x, "
                           "AMD-V) in its firmware, and load the module with \"sudo modprobe "
                           "kvm_intel\" or \"sudo modprobe kvm_amd\"; or set machine.accel to auto, "
                           "and the machine runs in software.",
                           KVM_DEVICE, g_strerror(errno));
    if (ioctl(kvm->device_fd, KVM_GET_API_VERSION, 0) != API_VERSION)
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "%s speaks another version of KVM's interface than %d: update the "
                           "kernel.",
                           KVM_DEVICE, API_VERSION);
    return true;
}

static bool check_extensions(struct kvm_accel *kvm, GError **err)
{
    static const struct {
        int number;
        const char *name;
    } needed[] = {
        {KVM_CAP_USER_MEMORY, "user memory"},
        {KVM_CAP_IRQCHIP, "interrupt controllers"},
        {KVM_CAP_PIT2, "the interval timer"},
        {KVM_CAP_IRQ_ROUTING, "interrupt routing"},
        {KVM_CAP_SIGNAL_MSI, "MSI"},
        {KVM_CAP_READONLY_MEM, "read-only memory"},
        {KVM_CAP_IMMEDIATE_EXIT, "immediate exit"},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(needed); i++) {
        if (ioctl(kvm->device_fd, KVM_CHECK_EXTENSION, needed[i].number) <= 0)
            return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                               "The host's KVM lacks %s, which vmdesk needs: update the kernel.",
                               needed[i].name);
    }
    kvm->max_slots = ioctl(kvm->device_fd, KVM_CHECK_EXTENSION, KVM_CAP_NR_MEMSLOTS);
    kvm->has_sregs2 = ioctl(kvm->device_fd, KVM_CHECK_EXTENSION, KVM_CAP_SREGS2) > 0;
    kvm->run_size = ioctl(kvm->device_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    return true;
}

/* Which controller pins a GSI reaches: ISA interrupts both PIC and I/O APIC, with the timer on
 * I/O APIC pin 2 as the ACPI tables say; PCI interrupts (16 and up) the I/O APIC alone. */
static bool set_routing(struct kvm_accel *kvm, GError **err)
{
    struct {
        struct kvm_irq_routing header;
        struct kvm_irq_routing_entry entries[16 + ACCEL_GSI_COUNT];
    } table = {0};
    struct kvm_irq_routing_entry *e = table.entries;

    for (unsigned gsi = 0; gsi < 16; gsi++) {
        if (gsi == 2) /* the cascade */
            continue;
        *e++ = (struct kvm_irq_routing_entry){
            .gsi = gsi,
            .type = KVM_IRQ_ROUTING_IRQCHIP,
            .u.irqchip = {.irqchip = gsi < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE,
                          .pin = gsi % 8},
        };
    }
    for (unsigned gsi = 0; gsi < ACCEL_GSI_COUNT; gsi++) {
        if (gsi == 2)
            continue;
        *e++ = (struct kvm_irq_routing_entry){
            .gsi = gsi,
            .type = KVM_IRQ_ROUTING_IRQCHIP,
            .u.irqchip = {.irqchip = KVM_IRQCHIP_IOAPIC, .pin = gsi == 0 ? 2 : gsi},
        };
    }
    table.header.nr = e - table.entries;
    if (ioctl(kvm->vm_fd, KVM_SET_GSI_ROUTING, &table) != 0)
        return vmdesk_error_from_errno(err, errno, NULL, "Routing interrupts in KVM");
    return true;
}

/* Whether the processor walks the guest's page tables by itself. */
static bool has_nested_paging(void)
{
    static const char *const parameters[] = {"/sys/module/kvm_intel/parameters/ept",
                                             "/sys/module/kvm_amd/parameters/npt"};

    for (unsigned i = 0; i < G_N_ELEMENTS(parameters); i++) {
        g_autofree char *text = NULL;

        if (g_file_get_contents(parameters[i], &text, NULL, NULL) &&
            (text[0] == 'Y' || text[0] == '1'))
            return true;
    }
    return false;
}

/* Users' code too comes out to us, not only the kernel's, where KVM cannot execute it. */
static void ask_for_failures(struct kvm_accel *kvm)
{
    struct kvm_enable_cap cap = {.cap = KVM_CAP_EXIT_ON_EMULATION_FAILURE, .args[0] = 1};

    (void)ioctl(kvm->vm_fd, KVM_ENABLE_CAP, &cap);
}

static bool create_vm(struct kvm_accel *kvm, GError **err)
{
    uint64_t identity_map = IDENTITY_MAP_ADDRESS;

    do
        kvm->vm_fd = ioctl(kvm->device_fd, KVM_CREATE_VM, 0);
    while (kvm->vm_fd < 0 && errno == EINTR);
    if (kvm->vm_fd < 0)
        return vmdesk_error_from_errno(
            err, errno, "Another program may hold the processor's virtualization (VirtualBox?)",
            "Creating a virtual machine in KVM");
    /* Processors without these quirks refuse them, and need them not. */
    (void)ioctl(kvm->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map);
    (void)ioctl(kvm->vm_fd, KVM_SET_TSS_ADDR, TSS_ADDRESS);
    ask_for_failures(kvm);
    kvm->nested_paging = has_nested_paging();
    return true;
}

static bool query_msrs(struct kvm_accel *kvm, GError **err)
{
    kvm->msr_list = g_malloc0(sizeof(*kvm->msr_list) + MAX_MSRS * sizeof(__u32));
    kvm->msr_list->nmsrs = MAX_MSRS;
    if (ioctl(kvm->device_fd, KVM_GET_MSR_INDEX_LIST, kvm->msr_list) != 0)
        return vmdesk_error_from_errno(err, errno, NULL, "Listing KVM's MSRs");
    return true;
}

static void set_irq(struct accel *accel, unsigned gsi, bool level)
{
    struct kvm_irq_level line = {.irq = gsi, .level = level};
    struct kvm_accel *kvm = kvm_of_accel(accel);

    if (level)
        __atomic_fetch_or(&kvm->gsi_levels, 1u << gsi % 32, __ATOMIC_ACQ_REL);
    else
        __atomic_fetch_and(&kvm->gsi_levels, ~(1u << gsi % 32), __ATOMIC_ACQ_REL);
    if (ioctl(kvm->vm_fd, KVM_IRQ_LINE, &line) != 0)
        log_guest("kvm", "interrupt line %u: %s", gsi, g_strerror(errno));
}

static void send_msi(struct accel *accel, uint64_t address, uint32_t data)
{
    struct kvm_msi msi = {.address_lo = address, .address_hi = address >> 32, .data = data};

    if (ioctl(kvm_of_accel(accel)->vm_fd, KVM_SIGNAL_MSI, &msi) < 0)
        log_guest("kvm", "MSI %#" PRIx64 " %#x: %s", address, data, g_strerror(errno));
}

/* Takes the controllers' state when they are new. */
static bool take_irqchip(struct kvm_accel *kvm, GError **err)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(kvm->irqchip); i++) {
        kvm->irqchip[i].chip_id = i;
        if (ioctl(kvm->vm_fd, KVM_GET_IRQCHIP, &kvm->irqchip[i]) != 0)
            return vmdesk_error_from_errno(err, errno, NULL, "Reading interrupt controller %u", i);
    }
    if (ioctl(kvm->vm_fd, KVM_GET_PIT2, &kvm->pit) != 0)
        return vmdesk_error_from_errno(err, errno, NULL, "Reading the interval timer");
    return true;
}

bool kvm_create_irqchip(struct kvm_accel *kvm, GError **err)
{
    struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};

    if (kvm->has_irqchip)
        return true;
    if (ioctl(kvm->vm_fd, KVM_CREATE_IRQCHIP, 0) != 0)
        return vmdesk_error_from_errno(err, errno, NULL, "Creating KVM's interrupt controllers");
    if (ioctl(kvm->vm_fd, KVM_CREATE_PIT2, &pit) != 0)
        return vmdesk_error_from_errno(err, errno, NULL, "Creating KVM's interval timer");
    kvm->has_irqchip = set_routing(kvm, err) && take_irqchip(kvm, err);
    return kvm->has_irqchip;
}

static void reset(struct accel *accel)
{
    struct kvm_accel *kvm = kvm_of_accel(accel);

    for (unsigned i = 0; i < G_N_ELEMENTS(kvm->irqchip); i++)
        (void)ioctl(kvm->vm_fd, KVM_SET_IRQCHIP, &kvm->irqchip[i]);
    (void)ioctl(kvm->vm_fd, KVM_SET_PIT2, &kvm->pit);
}

/* The guest's clock (kvmclock) must not jump over a pause. */
static void set_running(struct accel *accel, bool running)
{
    struct kvm_accel *kvm = kvm_of_accel(accel);

    if (running && kvm->clock_taken) {
        kvm->clock.flags = 0;
        (void)ioctl(kvm->vm_fd, KVM_SET_CLOCK, &kvm->clock);
    }
    if (!running)
        kvm->clock_taken = ioctl(kvm->vm_fd, KVM_GET_CLOCK, &kvm->clock) == 0;
}

static void free_accel(struct accel *accel)
{
    struct kvm_accel *kvm = kvm_of_accel(accel);

    if (kvm->vm_fd >= 0)
        close(kvm->vm_fd);
    if (kvm->device_fd >= 0)
        close(kvm->device_fd);
    soft_cores_free(kvm->cores);
    g_array_free(kvm->slots, TRUE);
    g_free(kvm->cpuid);
    g_free(kvm->msr_list);
    g_free(kvm);
}

static const struct accel_ops kvm_accel_ops = {
    .name = "kvm",
    .set_irq = set_irq,
    .send_msi = send_msi,
    .reset = reset,
    .set_running = set_running,
    .get_state = kvm_irqchip_get_state,
    .set_state = kvm_irqchip_set_state,
    .vcpu_new = kvm_vcpu_new,
    .free = free_accel,
};

struct accel *kvm_accel_new(struct board *board, unsigned cpus, GError **err)
{
    struct kvm_accel *kvm = g_new0(struct kvm_accel, 1);

    kvm->accel = (struct accel){.ops = &kvm_accel_ops, .board = board, .cpus = cpus};
    kvm->device_fd = kvm->vm_fd = -1;
    kvm->slots = g_array_new(FALSE, TRUE, sizeof(struct kvm_slot));
    if (!open_device(kvm, err) || !check_extensions(kvm, err) || !create_vm(kvm, err) ||
        !kvm_cpuid_query(kvm, err) || !query_msrs(kvm, err)) {
        free_accel(&kvm->accel);
        return NULL;
    }
    memory_map_set_listener(board->memory, &kvm_memory_listener, kvm);
    return &kvm->accel;
}
