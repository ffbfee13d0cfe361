/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rings of TRBs in guest memory, as the controller reads them: 4.9.2. */
#include "engine/dev/xhci_internal.h"

#define ADDRESS_MASK (~UINT64_C(0xf))
#define MAX_WORDS (CONTEXT_WORDS * (XHCI_ENDPOINTS + 1))

bool xhci_read_words(struct memory_map *memory, uint64_t gpa, uint32_t *words, unsigned count)
{
    uint8_t raw[MAX_WORDS * 4];

    if (count > MAX_WORDS || !guest_memory_read(memory, gpa, raw, count * 4))
        return false;
    for (unsigned i = 0; i < count; i++)
        words[i] = pci_get32(raw + 4 * i);
    return true;
}

bool xhci_write_words(struct memory_map *memory, uint64_t gpa, const uint32_t *words,
                      unsigned count)
{
    uint8_t raw[MAX_WORDS * 4];

    if (count > MAX_WORDS)
        return false;
    for (unsigned i = 0; i < count; i++)
        pci_set32(raw + 4 * i, words[i]);
    return guest_memory_write(memory, gpa, raw, count * 4);
}

enum xhci_fetched xhci_ring_fetch(struct memory_map *memory, struct xhci_ring *ring,
                                  struct trb *ret_trb, uint64_t *ret_address)
{
    for (unsigned links = 0; links <= XHCI_MAX_LINKS; links++) {
        uint32_t words[3], control;
        struct trb trb;

        /* The guest writes the word with the cycle bit last, so it is read first. */
        if (!xhci_read_words(memory, ring->dequeue + 12, &control, 1))
            return FETCHED_FAULT;
        if ((control & TRB_CYCLE) != ring->cycle)
            return FETCHED_EMPTY;
        xhci_keep_order();
        if (!xhci_read_words(memory, ring->dequeue, words, 3))
            return FETCHED_FAULT;
        trb = (struct trb){words[0] | (uint64_t)words[1] << 32, words[2], control};
        if (trb_type(&trb) != TRB_LINK) {
            *ret_trb = trb;
            *ret_address = ring->dequeue;
            ring->dequeue += TRB_SIZE;
            return FETCHED_TRB;
        }
        *ret_address = ring->dequeue;
        ring->dequeue = trb.parameter & ADDRESS_MASK;
        ring->cycle ^= (trb.control & TRB_TOGGLE_CYCLE) != 0;
        if (trb.control & TRB_IOC) {
            *ret_trb = trb;
            return FETCHED_LINK;
        }
    }
    return FETCHED_LOOP;
}
