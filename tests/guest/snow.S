/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A boot sector that hammers the machine: in turn a random port and a random address above RAM are
 * written with random values and read. It says "snow" on the serial port before it begins. Left out
 * are what resets or turns off a machine that works: 0x92, 0x64, 0x6xx (ACPI) and 0xcxx (0xcf9).
 */
    .code16
    .text
    .globl _start
_start:
    cli
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %ss
    movw $0x7c00, %sp
    movw $0x3f8, %dx
    movw $message, %si
    cld
1:  lodsb
    outb %al, %dx
    testb %al, %al
    jnz 1b
    lgdtw descriptors_size
    movl %cr0, %eax
    orb $1, %al
    movl %eax, %cr0
    ljmpw $8, $protected

    .code32
protected:
    movw $16, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movl $0x7c00, %esp
    movl $0x2545f491, %ebx

again:
    call random
    movl %eax, %edx
    call random
    cmpb $0x06, %dh
    je memory
    cmpb $0x0c, %dh
    je memory
    testb %dh, %dh
    jnz wide
    cmpb $0x92, %dl
    je memory
    cmpb $0x64, %dl
    je memory
    outb %al, %dx
    inb %dx, %al
    jmp memory
wide:
    outl %eax, %dx
    inl %dx, %eax
    outw %ax, %dx
    inw %dx, %ax

memory:
    call random
    orl $0x80000000, %eax
    movl %eax, %edi
    call random
    movl %eax, (%edi)
    movl (%edi), %eax
    movb %al, 1(%edi)
    jmp again

/* Marsaglia's xorshift; the state is in ebx, and eax gets it. */
random:
    movl %ebx, %eax
    shll $13, %eax
    xorl %eax, %ebx
    movl %ebx, %eax
    shrl $17, %eax
    xorl %eax, %ebx
    movl %ebx, %eax
    shll $5, %eax
    xorl %eax, %ebx
    movl %ebx, %eax
    ret

message:
    .asciz "snow\n"

    .balign 8
descriptors:
    .quad 0
    .quad 0x00cf9a000000ffff /* code, 0 to 4 GiB */
    .quad 0x00cf92000000ffff /* data */
descriptors_size:
    .word . - descriptors - 1
    .long descriptors

    .org 510
    .word 0xaa55
