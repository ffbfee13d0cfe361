/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses that move_guest.S and test_cpu_move.c share; words of a processor are 8 bytes apart. */
#ifndef TESTS_UNIT_MOVE_GUEST_H
#define TESTS_UNIT_MOVE_GUEST_H

#define MOVE_CODE 0x2000
#define MOVE_GDT 0x3000
#define MOVE_GDTR 0x3100
#define MOVE_IDTR 0x3110
#define MOVE_IDT 0x3200
#define MOVE_CPUS 0x4000
#define MOVE_COUNTER 0x4004
#define MOVE_DONE 0x4008
#define MOVE_RELEASED 0x400c
#define MOVE_TICKS 0x4010
#define MOVE_HALF 0x4018
#define MOVE_SCRATCH 0x4100
#define MOVE_X87 0x4200
#define MOVE_SSE 0x4300
#define MOVE_INTEGER 0x4400
#define MOVE_STACKS 0x6000
#define MOVE_PORT 0xf4
#define MOVE_ROUNDS 200000

#endif
