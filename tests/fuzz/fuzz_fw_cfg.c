/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fw_cfg by a hostile guest: the input is a program of port accesses and memory writes.
 */
#include <string.h>

#include "engine/dev/fw_cfg.h"
#include "tests/fakes/fake_board.h"
#include "tests/fuzz/fuzz.h"

#define RAM_SIZE (2 * FW_CFG_DMA_SLICE + 8192)
#define ROM_BASE (RAM_SIZE + 4096)
#define ROM_SIZE 4096
#define BIG_ITEM (FW_CFG_DMA_SLICE + 4099)

enum op { OP_SELECT, OP_READ, OP_OUT, OP_POKE, OP_DMA, OP_DMA_AT, OP_TIME, OP_RESET, OP_COUNT };

struct input {
    const uint8_t *data;
    size_t size;
};

/* The next bytes as a number; past the end zeros. */
static uint64_t take(struct input *in, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes && in->size > 0; i++, in->size--)
        value |= (uint64_t)*in->data++ << 8 * i;
    return value;
}

static void start_dma(struct fake_board *fake, uint64_t gpa)
{
    fake_out(fake, 0x514, GUINT32_SWAP_LE_BE((uint32_t)(gpa >> 32)), 4);
    fake_out(fake, 0x518, GUINT32_SWAP_LE_BE((uint32_t)gpa), 4);
}

static void run_dma(struct fake_board *fake, struct input *in)
{
    uint32_t gpa = take(in, 2);
    uint32_t control = take(in, 4), length = take(in, 4);
    uint64_t address = take(in, 8);

    fake_store(fake, gpa, GUINT32_SWAP_LE_BE(control), 4);
    fake_store(fake, gpa + 4, GUINT32_SWAP_LE_BE(length), 4);
    fake_store(fake, gpa + 8, GUINT64_SWAP_LE_BE(address), 8);
    start_dma(fake, gpa);
}

static void step(struct fake_board *fake, struct input *in)
{
    uint16_t port;

    switch ((enum op)(take(in, 1) % OP_COUNT)) {
    case OP_SELECT:
        fake_out(fake, 0x510, take(in, 2), 2);
        break;
    case OP_READ:
        for (unsigned n = take(in, 1); n > 0; n--)
            fake_in8(fake, 0x511);
        break;
    case OP_OUT:
        port = 0x510 + take(in, 1) % 12;
        fake_out(fake, port, take(in, 4), 1 << port % 3);
        fake_in(fake, port, 1 << port % 3);
        break;
    case OP_POKE:
        fake_store(fake, take(in, 2), take(in, 8), 8);
        break;
    case OP_DMA:
        run_dma(fake, in);
        break;
    case OP_DMA_AT:
        start_dma(fake, take(in, 8));
        break;
    case OP_TIME:
        fake_board_advance(fake, 1);
        break;
    case OP_RESET:
        fake_board_reset(fake);
        break;
    default:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t big[BIG_ITEM], rom_bytes[ROM_SIZE];
    g_autoptr(GBytes) big_item = g_bytes_new_static(big, sizeof(big));
    g_autoptr(GBytes) small_item = g_bytes_new_static("0123456789", 10);
    struct region rom = {.name = "rom", .size = ROM_SIZE, .host = rom_bytes, .readonly = true};
    struct input in = {data, size};
    struct fake_board fake;
    struct fw_cfg *fw_cfg;

    fake_board_init(&fake, RAM_SIZE);
    memory_map_add(fake.board.memory, &rom, ROM_BASE, 0);
    fw_cfg = fw_cfg_new(&fake.board);
    fw_cfg_add(fw_cfg, FW_CFG_KERNEL_DATA, big_item);
    fw_cfg_add_file(fw_cfg, "etc/small", small_item, NULL);
    while (in.size > 0)
        step(&fake, &in);
    fake_board_finish(&fake);
    return 0;
}
