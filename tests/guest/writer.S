/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A boot sector that writes to its disk for ever: the sectors from FIRST to LAST in order, again and
 * again, each with the number of the pass and its own at the beginning and end. So the disk's
 * contents tell at any time whether a write was lost: the passes of sectors in order never rise, and
 * fall by one at most. Shows "w" after each pass, "E" and nothing more after an error.
 */
#define FIRST 2048
#define LAST 34816
#define SECTORS 64
#define BUFFER 0x8000

    .code16
    .globl _start
_start:
    cli
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $0x7c00, %sp
    sti
    cld
    movb %dl, drive

next_pass:
    incl pass
    movl $FIRST, sector
next_write:
    movw $BUFFER, %di
    movl sector, %eax
    movl pass, %edx
    movw $SECTORS, %cx
stamp:
    movl %edx, (%di)
    movl %eax, 4(%di)
    movl %edx, 504(%di)
    movl %eax, 508(%di)
    incl %eax
    addw $512, %di
    loop stamp

    movw $packet, %si
    movb drive, %dl
    movw $0x4300, %ax
    int $0x13
    movb $'E', %al
    jc failed
    addl $SECTORS, sector
    cmpl $LAST, sector
    jb next_write
    movb $'w', %al
    call show
    jmp next_pass

failed:
    call show
halt:
    hlt
    jmp halt

show:
    movb $0x0e, %ah
    xorw %bx, %bx
    int $0x10
    ret

    .balign 4
packet: /* of INT 13h, AH=43h */
    .byte 16, 0
    .word SECTORS
    .word BUFFER, 0
sector:
    .quad 0
pass:
    .long 0
drive:
    .byte 0

    .org 510
    .word 0xaa55
