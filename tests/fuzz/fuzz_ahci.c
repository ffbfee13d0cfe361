/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that does to the AHCI controller whatever the input says: accesses of registers and
 * configuration space, memory contents, and commands that are right but for their fields, so that
 * the devices are reached. Port 0 has a disk, port 1 a CD-ROM drive, port 2 a read-only disk.
 */
#include <string.h>

#include "engine/dev/ahci.h"
#include "tests/fakes/ahci_driver.h"
#include "tests/fuzz/fuzz.h"

#define MAX_STEPS 256
#define DISK_SIZE (32 * 1024)

enum step {
    STEP_REGISTER,
    STEP_PORT_REGISTER,
    STEP_READ,
    STEP_CONFIG,
    STEP_MEMORY,
    STEP_COMMAND,
    STEP_PACKET,
    STEP_START,
    STEP_WAIT,
    STEP_CHANGE_CD,
    STEP_RESET,
    STEP_HOLD,
    STEPS,
};

struct input {
    const uint8_t *data;
    size_t left;
};

struct fuzz {
    struct ahci_driver driver;
    struct memory_file *disk, *cd, *read_only, *other;
    bool other_used;
};

/* The next bytes as a number; 0 past the end. */
static uint64_t take(struct input *in, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size && in->left > 0; i++, in->left--)
        value |= (uint64_t)*in->data++ << 8 * i;
    return value;
}

static void write_memory(struct fuzz *f, struct input *in)
{
    uint64_t at = 0x10000 + take(in, 3) % 0x100000;
    size_t size = take(in, 1);

    size = MIN(size, in->left);
    memcpy(driver_ram(&f->driver, at), in->data, size);
    in->data += size;
    in->left -= size;
}

static void put_command(struct fuzz *f, struct input *in, bool is_packet)
{
    unsigned port = take(in, 1) % AHCI_PORTS, slot = take(in, 1) % 32;
    struct driver_command command = {.command = take(in, 1)};
    uint8_t packet[12];

    command.device = take(in, 1);
    command.features = take(in, 2);
    command.count = take(in, 2);
    command.lba = take(in, 6);
    command.data = take(in, 4);
    command.size = take(in, 3) & 0x3fffff;
    if (is_packet) {
        for (unsigned i = 0; i < sizeof(packet); i++)
            packet[i] = take(in, 1);
        command.command = 0xa0;
        command.packet = packet;
    }
    driver_issue(&f->driver, port, slot, &command);
}

static void change_cd(struct fuzz *f, struct input *in)
{
    unsigned port = take(in, 1) % AHCI_PORTS, flags = take(in, 1);
    struct image *image = NULL;

    if ((flags & 2) && !f->other_used) {
        image = driver_image(&f->driver, f->other, true);
        f->other_used = true;
    }
    if (!ahci_change_cd(f->driver.ahci, port, image, flags & 1, NULL))
        image_close(image);
}

static void start_port(struct ahci_driver *d, unsigned port)
{
    port_write(d, port, PX_CMD, CMD_FRE);
    driver_start(d, port);
}

static void run_step(struct fuzz *f, struct input *in)
{
    struct ahci_driver *d = &f->driver;
    unsigned reg, port;

    switch (take(in, 1) % STEPS) {
    case STEP_REGISTER:
        reg = take(in, 2) % 0x1000;
        fake_store(&d->fake, DRIVER_ABAR + reg, take(in, 4), 1 << reg % 4);
        break;
    case STEP_PORT_REGISTER:
        reg = take(in, 1) % 0x80 & ~3u;
        port = take(in, 1) % AHCI_PORTS;
        port_write(d, port, reg, take(in, 4));
        break;
    case STEP_READ:
        reg = take(in, 2);
        fake_load(&d->fake, DRIVER_ABAR + reg % 0x1000, 1 << (reg >> 12) % 4);
        break;
    case STEP_CONFIG:
        reg = take(in, 1);
        g_mutex_lock(&d->fake.board.lock);
        pci_bus_config_write(d->fake.board.pci, 0, DRIVER_DEVFN, reg & ~3u, take(in, 4), 4);
        g_mutex_unlock(&d->fake.board.lock);
        break;
    case STEP_MEMORY:
        write_memory(f, in);
        break;
    case STEP_COMMAND:
        put_command(f, in, false);
        break;
    case STEP_PACKET:
        put_command(f, in, true);
        break;
    case STEP_START:
        start_port(d, take(in, 1) % AHCI_PORTS);
        break;
    case STEP_CHANGE_CD:
        change_cd(f, in);
        break;
    case STEP_HOLD:
        memory_file_hold(f->disk);
        break;
    case STEP_WAIT:
        memory_file_release(f->disk);
        ahci_drain(d->ahci, 5000);
        break;
    case STEP_RESET:
        fake_board_reset(&d->fake);
        driver_enable(d);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct fuzz f;

    driver_init(&f.driver);
    f.other_used = false;
    f.disk = driver_add_disk(&f.driver, 0, DISK_SIZE, false);
    f.cd = driver_add_cd(&f.driver, 1, DISK_SIZE);
    f.read_only = driver_add_disk(&f.driver, 2, DISK_SIZE, true);
    f.other = memory_file_new(DISK_SIZE);
    for (unsigned port = 0; port < 3; port++)
        driver_start(&f.driver, port);
    for (unsigned i = 0; i < MAX_STEPS && in.left > 0; i++)
        run_step(&f, &in);
    memory_file_release(f.disk);
    driver_finish(&f.driver);
    memory_file_free(f.disk);
    memory_file_free(f.cd);
    memory_file_free(f.read_only);
    memory_file_free(f.other);
    return 0;
}
