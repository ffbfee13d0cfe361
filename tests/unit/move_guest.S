/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest of test_cpu_move.c, loaded at 0x2000, where every processor starts in real mode. Each
 * computes for a while in 32-bit protected mode, with integers, x87 and SSE, under the timer's
 * interrupts; the last one to end tells the test. Where data is: move_guest.h.
 */
#include "tests/unit/move_guest.h"

#define AT(label) (MOVE_CODE + label - move_guest)

    .section .rodata
    .global move_guest, move_guest_end, move_guest_tick
move_guest:
    .code16
    cli
    xorw %ax, %ax
    movw %ax, %ds
    lgdtl MOVE_GDTR
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $8, $AT(protected)

    .code32
protected:
    movl $16, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %cr4, %eax
    orl $0x600, %eax /* OSFXSR, OSXMMEXCPT */
    movl %eax, %cr4
    lidtl MOVE_IDTR
    fninit
    movl 0xfee00020, %ebx
    shrl $24, %ebx
    movl %ebx, %esp
    shll $10, %esp
    addl $MOVE_STACKS, %esp
    testl %ebx, %ebx
    jnz compute

    /* The first processor: PIC at vector 0x20 with only the timer, which ticks at 200 Hz. */
    movb $0x11, %al
    outb %al, $0x20
    movb $0x20, %al
    outb %al, $0x21
    movb $0x04, %al
    outb %al, $0x21
    movb $0x01, %al
    outb %al, $0x21
    movb $0xfe, %al
    outb %al, $0x21
    movb $0x34, %al
    outb %al, $0x43
    movb $(5966 & 0xff), %al
    outb %al, $0x40
    movb $(5966 >> 8), %al
    outb %al, $0x40
    movl $0x1ff, 0xfee000f0
    cmpl $1, MOVE_CPUS
    je interruptible
    movl $0xc4500, 0xfee00300 /* INIT and start-up to all others */
    movl $100000, %ecx
1:  pause
    loop 1b
    movl $0xc4602, 0xfee00300
interruptible:
    sti

compute:
    movl $1, %eax
    movl $MOVE_ROUNDS, %ecx
    fldz
    pxor %xmm0, %xmm0
2:  imull $1103515245, %eax
    addl $12345, %eax
    movl %eax, MOVE_SCRATCH(, %ebx, 8)
    fildl MOVE_SCRATCH(, %ebx, 8)
    faddp
    fmull MOVE_HALF
    movd %eax, %xmm1
    paddd %xmm1, %xmm0
    lock incl MOVE_COUNTER
    decl %ecx
    jnz 2b
    fstpl MOVE_X87(, %ebx, 8)
    movd %xmm0, MOVE_SSE(, %ebx, 8)
    movl %eax, MOVE_INTEGER(, %ebx, 8)
    lock incl MOVE_DONE
    testl %ebx, %ebx
    jnz 4f
3:  pause
    movl MOVE_CPUS, %eax
    cmpl %eax, MOVE_DONE
    jne 3b
    cmpl $0, MOVE_RELEASED
    je 3b
    outb %al, $MOVE_PORT
4:  hlt
    jmp 4b

/* IRQ 0 */
move_guest_tick:
    pushl %eax
    lock incl MOVE_TICKS
    movb $0x20, %al
    outb %al, $0x20
    popl %eax
    iretl
move_guest_end:
    .section .note.GNU-stack, "", @progbits
