/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/machine/q35.h"

#include <string.h>

#include "core/error.h"
#include "disks/image.h"
#include "engine/dev/debug_exit.h"
#include "engine/dev/debugcon.h"
#include "engine/dev/flash.h"
#include "engine/dev/fpu_error.h"
#include "engine/dev/fw_cfg.h"
#include "engine/dev/ich9_smbus.h"
#include "engine/dev/mch.h"
#include "engine/dev/port92.h"
#include "engine/dev/rtc.h"
#include "engine/dev/serial.h"
#include "engine/dev/vga.h"
#include "engine/machine/direct_boot.h"
#include "engine/machine/firmware.h"
#include "engine/machine/firmware_tables.h"

#define FIRMWARE_PRIORITY 1
#define LEGACY_BIOS_SIZE (128 * 1024) /* what of the firmware shows below 1 MiB */

#define VGA_DEVFN PCI_DEVFN(1, 0)
#define XHCI_DEVFN PCI_DEVFN(20, 0)
#define AHCI_DEVFN PCI_DEVFN(31, 2)

#define COM1_PORT 0x3f8
#define IRQ_KEYBOARD 1
#define IRQ_COM1 4
#define IRQ_RTC 8
#define IRQ_MOUSE 12

static void set_gsi(void *opaque, unsigned gsi, bool level)
{
    struct accel *accel = opaque;

    accel->ops->set_irq(accel, gsi, level);
}

static void send_msi(void *opaque, uint64_t address, uint32_t data)
{
    struct accel *accel = opaque;

    accel->ops->send_msi(accel, address, data);
}

/* The code ends at 4 GiB, where the processor starts. It is executed in place from the file's
 * pages, which all machines share. */
static bool map_firmware(struct q35 *q35, GError **err)
{
    bool uefi = q35->config->firmware == FIRMWARE_OVMF;
    gsize size;

    q35->firmware = firmware_load(uefi ? FIRMWARE_FILE_OVMF_CODE : FIRMWARE_FILE_BIOS, err);
    if (q35->firmware == NULL)
        return false;
    const uint8_t *code = g_bytes_get_data(q35->firmware, &size);

    q35->firmware_region = (struct region){.name = "firmware",
                                           .size = size,
                                           .host = (uint8_t *)code,
                                           .readonly = true};
    memory_map_add(q35->board->memory, &q35->firmware_region, (UINT64_C(4) << 30) - size,
                   FIRMWARE_PRIORITY);
    mch_new(q35->board, q35->ram->host + MCH_PAM_BASE, code + size - LEGACY_BIOS_SIZE);
    if (!uefi)
        return true;
    g_autofree char *variables = firmware_ovmf_vars(q35->folder, err);

    return variables != NULL && flash_new(q35->board, "ovmf-vars", FIRMWARE_OVMF_VARS_BASE,
                                          variables, FIRMWARE_OVMF_VARS_SIZE, false, err) != NULL;
}

static bool add_isa_devices(struct q35 *q35, GError **err)
{
    struct board *board = q35->board;
    const struct machine_config *config = q35->config;
    g_autofree char *console = machine_config_resolve(q35->folder, config->debug_console_file);
    struct rtc *rtc = rtc_new(board, config->rtc == RTC_LOCAL, &board->isa_irq[IRQ_RTC]);

    rtc_set_memory(rtc, q35->ram->low, q35->ram->high, config->cpus);
    q35->i8042 = i8042_new(board, &board->isa_irq[IRQ_KEYBOARD], &board->isa_irq[IRQ_MOUSE]);
    port92_new(board);
    fpu_error_new(board);
    if (config->serial != CONFIG_SERIAL_OFF)
        serial_new(board, "serial0", COM1_PORT, &board->isa_irq[IRQ_COM1], q35->serial_backend);
    if (debugcon_new(board, DEBUGCON_PORT, console, err) == NULL)
        return false;
    return config->debug_exit_port == 0 ||
           debug_exit_new(board, config->debug_exit_port, err) != NULL;
}

static bool add_vga(struct q35 *q35, GError **err)
{
    g_autoptr(GBytes) rom = firmware_load(FIRMWARE_FILE_VGABIOS, err);
    const struct vga_options options = {
        .devfn = VGA_DEVFN,
        .rom = rom,
        .width = q35->config->width,
        .height = q35->config->height,
    };
    struct vga *vga = rom != NULL ? vga_new(q35->board, &options, err) : NULL;

    if (vga == NULL)
        return false;
    vga_connect(vga, q35->display);
    return true;
}

static struct image *open_image(struct q35 *q35, const char *file, const char *format,
                                bool read_only, enum image_cache cache, GError **err)
{
    const struct image_options options = {
        .format = format,
        .read_only = read_only,
        .cache = cache,
    };
    g_autofree char *path = machine_config_resolve(q35->folder, file);

    return image_open(path, &options, q35->io, err);
}

static bool add_storage(struct q35 *q35, GError **err)
{
    const struct machine_config *config = q35->config;
    static const enum image_cache caches[] = {
        [CACHE_WRITE_BACK] = IMAGE_CACHE_WRITE_BACK,
        [CACHE_WRITE_THROUGH] = IMAGE_CACHE_WRITE_THROUGH,
        [CACHE_DIRECT] = IMAGE_CACHE_DIRECT,
    };
    struct image *image = NULL;

    q35->ahci = ahci_new(q35->board, AHCI_DEVFN);
    for (unsigned i = 0; i < MACHINE_MAX_DISKS; i++) {
        const struct config_disk *disk = &config->disks[i];
        char serial[16];

        if (disk->file == NULL)
            continue;
        image =
            open_image(q35, disk->file, disk->format, disk->read_only, caches[disk->cache], err);
        if (image == NULL)
            return false;
        g_snprintf(serial, sizeof(serial), "vmdesk-disk%u", i);
        ahci_attach_disk(q35->ahci, i, image, serial);
        q35->disks[i] = image;
    }
    if (!config->cdrom_present)
        return true;
    image = NULL;
    if (config->cdrom_file != NULL) {
        image = open_image(q35, config->cdrom_file, "raw", true, IMAGE_CACHE_WRITE_BACK, err);
        if (image == NULL)
            return false;
    }
    ahci_attach_cd(q35->ahci, Q35_CD_PORT, image);
    return true;
}

/* The boot order: all disks in turn, the stick last, or the CD drive. */
static void list_boot_ports(const struct machine_config *config, struct firmware_facts *facts)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(config->boot_order); i++) {
        for (unsigned disk = 0; disk < MACHINE_MAX_DISKS; disk++) {
            if (config->boot_order[i] == BOOT_DISK && config->disks[disk].file != NULL)
                facts->boot_ports[facts->boot_port_count++] = disk;
        }
        if (config->boot_order[i] == BOOT_DISK && config->usb_storage != NULL)
            facts->boot_ports[facts->boot_port_count++] = FIRMWARE_BOOT_USB | Q35_STICK_PORT;
        if (config->boot_order[i] == BOOT_CDROM && config->cdrom_present)
            facts->boot_ports[facts->boot_port_count++] = Q35_CD_PORT;
    }
}

/* The same machine has the same UUID for ever: made from its folder (RFC 4122, name-based). */
static void derive_uuid(const char *folder, uint8_t *ret_uuid)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA1);
    uint8_t digest[20];
    gsize size = sizeof(digest);

    g_checksum_update(sum, (const guchar *)folder, -1);
    g_checksum_get_digest(sum, digest, &size);
    memcpy(ret_uuid, digest, 16);
    ret_uuid[6] = (ret_uuid[6] & 0x0f) | 0x50;
    ret_uuid[8] = (ret_uuid[8] & 0x3f) | 0x80;
}

static bool tell_firmware(struct q35 *q35, GError **err)
{
    const struct machine_config *config = q35->config;
    struct fw_cfg *fw_cfg = fw_cfg_new(q35->board);
    const struct direct_boot boot = {
        .folder = q35->folder,
        .kernel = config->kernel,
        .initrd = config->initrd,
        .cmdline = config->cmdline,
        .low_ram = q35->ram->low,
        .uefi = config->firmware == FIRMWARE_OVMF,
    };
    struct firmware_facts facts = {
        .cpus = config->cpus,
        .low_ram = q35->ram->low,
        .high_ram = q35->ram->high,
        .boot_menu = config->boot_menu,
        .direct_boot = config->kernel != NULL,
    };

    derive_uuid(q35->folder, facts.uuid);
    list_boot_ports(config, &facts);
    if (config->kernel != NULL && !direct_boot_prepare(fw_cfg, &boot, err))
        return false;
    return firmware_tables_add(fw_cfg, &facts, err);
}

bool q35_build(struct q35 *q35, GError **err)
{
    q35->board->send_msi = send_msi;
    q35->board->send_msi_opaque = q35->accel;
    q35->lpc = ich9_lpc_new(q35->board, set_gsi, q35->accel);
    ich9_smbus_new(q35->board);
    if (q35->config->usb_controller)
        q35->xhci = xhci_new(q35->board, XHCI_DEVFN, q35->context);
    return map_firmware(q35, err) && add_isa_devices(q35, err) && add_vga(q35, err) &&
           add_storage(q35, err) && tell_firmware(q35, err);
}

void q35_finish(struct q35 *q35)
{
    g_clear_pointer(&q35->firmware, g_bytes_unref);
}
