/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cpu/soft/block.h"

#include <string.h>
#include <sys/mman.h>

#include "engine/cpu/soft/ops_fused.h"
#include "engine/cpu/soft/ops_quiet.h"
#include "engine/cpu/soft/ops_series.h"
#include "engine/cpu/soft/soft_internal.h"

#define BUCKETS 65536 /* of blocks */
#define PAGE_BUCKETS 4096
#define CROSSINGS 256

/* A block of one instruction, which is not kept among the others. */
struct lone_block {
    uint8_t room[sizeof(struct soft_block) + 2 * sizeof(struct soft_insn)]
        __attribute__((aligned(16)));
};

/*
 * An instruction that goes on in the next page: what its bytes were when it was decoded. They are
 * fetched and compared each time, so it does not matter who writes to the pages or maps others.
 */
struct crossing {
    const uint8_t *host; /* of the first byte; NULL: empty */
    uint8_t bytes[SOFT_INSN_MAX_LENGTH];
    struct lone_block block;
};

/* A page of host memory that has blocks. */
struct code_page {
    const uint8_t *host;
    struct soft_block *blocks;
    struct code_page *next;
};

struct soft_blocks {
    uint8_t *arena;
    size_t arena_size, used;
    struct soft_block *bucket[BUCKETS];
    struct code_page *page_bucket[PAGE_BUCKETS];
    struct crossing crossings[CROSSINGS];
    struct lone_block scratch;
};

struct soft_blocks *soft_blocks_new(size_t arena_size)
{
    struct soft_blocks *b = g_new0(struct soft_blocks, 1);

    /* Pages of it exist once they are used. */
    b->arena = mmap(NULL, arena_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    b->arena_size = arena_size;
    if (b->arena == MAP_FAILED) {
        g_free(b);
        return NULL;
    }
    return b;
}

void soft_blocks_free(struct soft_blocks *b)
{
    if (b == NULL)
        return;
    munmap(b->arena, b->arena_size);
    g_free(b);
}

void soft_blocks_drop_all(struct soft_cpu *cpu)
{
    struct soft_blocks *b = cpu->blocks;

    b->used = 0;
    memset(b->bucket, 0, sizeof(b->bucket));
    memset(b->page_bucket, 0, sizeof(b->page_bucket));
    soft_jumps_forget(cpu, SOFT_JUMPS_USED);
    cpu->link_from = NULL;
}

static void *arena_alloc(struct soft_cpu *cpu, size_t size)
{
    struct soft_blocks *b = cpu->blocks;
    void *p;

    size = (size + 15) & ~(size_t)15;
    if (b->arena_size - b->used < size)
        soft_blocks_drop_all(cpu);
    p = b->arena + b->used;
    b->used += size;
    return p;
}

static struct soft_block **bucket_of(struct soft_blocks *b, const uint8_t *host, uint32_t mode)
{
    uintptr_t n = (uintptr_t)host;

    return &b->bucket[(n ^ n >> 14 ^ mode << 3) % BUCKETS];
}

static struct code_page **page_bucket_of(struct soft_blocks *b, const uint8_t *host)
{
    return &b->page_bucket[(uintptr_t)host / SOFT_PAGE_SIZE % PAGE_BUCKETS];
}

static struct code_page *find_page(struct soft_blocks *b, const uint8_t *host_page)
{
    struct code_page *p = *page_bucket_of(b, host_page);

    while (p != NULL && p->host != host_page)
        p = p->next;
    return p;
}

void soft_blocks_drop_page(struct soft_cpu *cpu, const uint8_t *host_page)
{
    struct soft_blocks *b = cpu->blocks;
    struct code_page *page = find_page(b, host_page);

    if (page == NULL)
        return;
    for (struct soft_block *block = page->blocks; block != NULL; block = block->next_in_page) {
        struct soft_block **link = bucket_of(b, block->host, block->mode);

        while (*link != block)
            link = &(*link)->next_in_bucket;
        *link = block->next_in_bucket;
        block->host = NULL;
        block->insns[0].handler = soft_handler_dead;
    }
    page->blocks = NULL;
    cpu->link_from = NULL;
}

static void add_fall_through(struct soft_block *block)
{
    block->insns[block->count] = (struct soft_insn){
        .handler = soft_handler_fall_through,
        .offset = block->length,
        .row = UINT16_MAX,
    };
}

static bool ends_block(const struct soft_decoder *d, const struct soft_insn *insn)
{
    const struct soft_row *row = soft_decoder_row(d, insn->row);

    return row == NULL || row->flags & ROW_ENDS;
}

/* Makes one handler of an instruction and the jump behind it, if there is one. */
static void fuse(const struct soft_decoder *d, uint32_t mode, struct soft_insn *insn)
{
    soft_op *fused = soft_fused_handler(d, mode, insn);

    if (fused != NULL)
        insn->handler = fused;
}

/* Decodes into block from a copy of the code, of `size` bytes up to the end of the page or of what
 * a block can have. A block may be empty when its first instruction goes on in the next page. */
static void decode_block(struct soft_cpu *cpu, const uint8_t *code, unsigned size,
                         struct soft_block *block)
{
    const struct soft_decoder *d = cpu->accel->decoder;
    bool end = false;

    block->count = block->length = 0;
    while (!end && block->count < SOFT_BLOCK_MAX) {
        struct soft_insn *insn = &block->insns[block->count];
        enum soft_decoded result = soft_decode(d, block->mode, block->length, code + block->length,
                                               size - block->length, insn);

        /* Beyond the limit of the segment, it has to be fetched alone to fault as it should. */
        if (result == SOFT_DECODE_MORE ||
            cpu->rip + block->length + insn->length - 1 > cpu->code_last)
            break;
        insn->handler = soft_decoder_handler(d, block->mode, insn);
        if (block->count > 0)
            fuse(d, block->mode, insn - 1);
        block->length += insn->length;
        block->count++;
        end = ends_block(d, insn);
    }
    soft_quiet(d, block->mode, block->insns, block->count);
    soft_series(d, block->mode, block->insns, block->count);
    add_fall_through(block);
}

/* Makes stores to the code known from now on; false: it changed before that. */
static bool guard(struct soft_cpu *cpu, const struct soft_section *section, const uint8_t *host,
                  const uint8_t *copy, unsigned length)
{
    uint64_t *word = soft_ram_code(section->ram, host);
    const uint8_t *page = host - (uintptr_t)host % SOFT_PAGE_SIZE;
    uint64_t old = __atomic_fetch_or(word, soft_code_pieces(host, length), __ATOMIC_SEQ_CST);

    if (old == 0) {
        soft_tlb_close_page(cpu, page);
        soft_accel_page_news(cpu->accel, cpu, page, SOFT_PAGE_HAS_CODE);
    }
    return memcmp(host, copy, length) == 0;
}

static void insert(struct soft_cpu *cpu, struct soft_block *block)
{
    struct soft_blocks *b = cpu->blocks;
    struct soft_block **bucket = bucket_of(b, block->host, block->mode);
    const uint8_t *host_page = block->host - (uintptr_t)block->host % SOFT_PAGE_SIZE;
    struct code_page *page = find_page(b, host_page);

    if (page == NULL) {
        struct code_page **list = page_bucket_of(b, host_page);

        page = arena_alloc(cpu, sizeof(*page));
        *page = (struct code_page){.host = host_page, .next = *list};
        *list = page;
    }
    block->next_in_bucket = *bucket;
    *bucket = block;
    block->next_in_page = page->blocks;
    page->blocks = block;
}

/* Decodes a new block; NULL: already its first instruction goes on in the next page. */
static struct soft_block *build(struct soft_cpu *cpu, const uint8_t *host,
                                const struct soft_section *section)
{
    uint8_t copy[SOFT_BLOCK_MAX * SOFT_INSN_MAX_LENGTH];
    unsigned size = MIN(sizeof(copy), SOFT_PAGE_SIZE - (uintptr_t)host % SOFT_PAGE_SIZE);
    uint8_t room[sizeof(struct soft_block) + (SOFT_BLOCK_MAX + 1) * sizeof(struct soft_insn)]
        __attribute__((aligned(16)));
    struct soft_block *fresh = (struct soft_block *)room, *block;
    size_t bytes;

    *fresh = (struct soft_block){.host = host, .mode = cpu->mode};
    do {
        memcpy(copy, host, size);
        decode_block(cpu, copy, size, fresh);
        if (fresh->count == 0)
            return NULL;
    } while (!guard(cpu, section, host, copy, fresh->length));
    bytes = sizeof(struct soft_block) + (fresh->count + 1) * sizeof(struct soft_insn);
    /* Room for both, so that the second allocation does not take away the first. */
    block = arena_alloc(cpu, bytes + sizeof(struct code_page) + 16);
    cpu->blocks->used -= sizeof(struct code_page) + 16;
    memcpy(block, fresh, bytes);
    insert(cpu, block);
    return block;
}

static uint8_t fetch_byte(struct soft_cpu *cpu, uint64_t linear)
{
    uint64_t physical;
    const uint8_t *host = soft_fetch_host(cpu, linear, &physical);

    if (host != NULL)
        return *host;
    soft_need_single(cpu);
    return accel_mmio_read(cpu->accel->accel.board, physical, 1);
}

static uint64_t cut_linear(const struct soft_cpu *cpu, uint64_t linear)
{
    return cpu->mode & SOFT_MODE_CODE64 ? linear : (uint32_t)linear;
}

/* One instruction, fetched byte by byte, wherever it is. Its bytes go to `bytes`. */
static struct soft_block *build_lone(struct soft_cpu *cpu, uint64_t linear, struct lone_block *room,
                                     uint8_t bytes[SOFT_INSN_MAX_LENGTH])
{
    struct soft_block *block = (struct soft_block *)room->room;
    struct soft_insn *insn = block->insns;
    unsigned size = 0;
    enum soft_decoded result = SOFT_DECODE_MORE;

    while (result == SOFT_DECODE_MORE) {
        if (size < SOFT_INSN_MAX_LENGTH) {
            if (cpu->rip + size > cpu->code_last)
                soft_raise_gp0(cpu);
            bytes[size] = fetch_byte(cpu, cut_linear(cpu, linear + size));
        }
        size++;
        result = soft_decode(cpu->accel->decoder, cpu->mode, 0, bytes, size, insn);
    }
    *block = (struct soft_block){.mode = cpu->mode, .length = insn->length, .count = 1};
    insn->handler = soft_decoder_handler(cpu->accel->decoder, cpu->mode, insn);
    add_fall_through(block);
    return block;
}

static struct soft_block *build_scratch(struct soft_cpu *cpu, uint64_t linear)
{
    uint8_t bytes[SOFT_INSN_MAX_LENGTH];

    return build_lone(cpu, linear, &cpu->blocks->scratch, bytes);
}

/* Whether memory still has the instruction, whose first byte is at host, and may be executed. */
static bool still_there(struct soft_cpu *cpu, uint64_t linear, const uint8_t *host,
                        const struct crossing *c)
{
    const struct soft_block *block = (const struct soft_block *)c->block.room;
    unsigned first = SOFT_PAGE_SIZE - (uintptr_t)host % SOFT_PAGE_SIZE;
    const uint8_t *second;
    uint64_t physical;

    if (c->host != host || block->mode != cpu->mode || memcmp(host, c->bytes, first) != 0 ||
        cpu->rip + block->length - 1 > cpu->code_last)
        return false;
    second = soft_fetch_host(cpu, cut_linear(cpu, linear + first), &physical);
    return second != NULL && memcmp(second, c->bytes + first, block->length - first) == 0;
}

/* The same anew, where no block can begin since the instruction goes on in the next page. */
static struct soft_block *build_crossing(struct soft_cpu *cpu, uint64_t linear, const uint8_t *host,
                                         struct crossing *c)
{
    unsigned first = SOFT_PAGE_SIZE - (uintptr_t)host % SOFT_PAGE_SIZE;
    struct soft_block *block;

    c->host = NULL; /* fetching may raise an exception */
    block = build_lone(cpu, linear, &c->block, c->bytes);
    if (block->length > first) /* otherwise it changed just now */
        c->host = host;
    return block;
}

static struct crossing *crossing_of(struct soft_blocks *b, const uint8_t *host)
{
    return &b->crossings[((uintptr_t)host ^ (uintptr_t)host / SOFT_PAGE_SIZE) % CROSSINGS];
}

struct soft_block *soft_block_find(struct soft_cpu *cpu, bool single)
{
    uint64_t linear = cut_linear(cpu, cpu->segment[X86_CS].base + cpu->rip), physical = 0;
    const struct soft_section *section;
    struct crossing *crossing;
    struct soft_block *block;
    const uint8_t *host;

    if (cpu->rip > cpu->code_last)
        soft_raise_gp0(cpu);
    host = soft_fetch_host(cpu, linear, &physical);
    if (host == NULL || single)
        return build_scratch(cpu, linear);
    for (block = *bucket_of(cpu->blocks, host, cpu->mode); block != NULL;
         block = block->next_in_bucket) {
        if (block->host == host && block->mode == cpu->mode &&
            cpu->rip + block->length - 1 <= cpu->code_last)
            return block;
    }
    crossing = crossing_of(cpu->blocks, host);
    if (still_there(cpu, linear, host, crossing))
        return (struct soft_block *)crossing->block.room;
    section = soft_map_find_host(cpu->map, host);
    if (section == NULL)
        return build_scratch(cpu, linear);
    block = build(cpu, host, section);
    return block != NULL ? block : build_crossing(cpu, linear, host, crossing);
}
