/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A boot sector that says "keys" on the serial port, and then each character that the BIOS gets from
 * the keyboard. */
    .code16
    .text
    .globl _start
_start:
    xorw %ax, %ax
    movw %ax, %ds
    movw $0x3f8, %dx
    movw $message, %si
    cld
1:  lodsb
    testb %al, %al
    jz next
    outb %al, %dx
    jmp 1b
next:
    xorb %ah, %ah
    int $0x16
    movw $0x3f8, %dx
    outb %al, %dx
    jmp next

message:
    .asciz "keys\n"

    .org 510
    .word 0xaa55
