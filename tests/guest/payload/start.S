/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entry points: from the multiboot loader, from interrupts, and of the other processors.
 *
 * Software KVMs that interpret 32-bit ring 0 lack `iret`: interrupts return without it.
 */
        .set    multiboot_magic, 0x1badb002
        .set    multiboot_flags, 0x3    /* modules at pages, memory map */
        .set    trampoline_address, 0x8000

        .section .multiboot, "a"
        .balign 4
        .long   multiboot_magic
        .long   multiboot_flags
        .long   -(multiboot_magic + multiboot_flags)

        .text
        .global _start
_start:
        cli
        movl    $stack_top, %esp
        lgdtl   gdt_pointer
        ljmpl   $0x08, $1f
1:      movw    $0x10, %cx
        movw    %cx, %ds
        movw    %cx, %es
        movw    %cx, %fs
        movw    %cx, %gs
        movw    %cx, %ss
        pushl   %ebx
        pushl   %eax
        call    payload_main
2:      cli
        hlt
        jmp     2b

        .balign 8
gdt:
        .quad   0
        .quad   0x00cf9b000000ffff
        .quad   0x00cf93000000ffff
        .global gdt_pointer
gdt_pointer:
        .word   23
        .long   gdt

        /* Interrupt entries, 16 bytes apart: each tells its vector. */
        .balign 16
        .global interrupt_entries
interrupt_entries:
        .set    vector, 0
        .rept   256
        .balign 16
        pushl   $vector
        jmp     interrupt
        .set    vector, vector + 1
        .endr

        /* Stack: vector, eip, cs, eflags. */
interrupt:
        pushal
        pushl   32(%esp)
        cld
        call    handle_interrupt
        addl    $4, %esp
        popal
        addl    $4, %esp
        pushl   %eax
        pushl   %ebx
        movl    8(%esp), %eax           /* eip */
        movl    16(%esp), %ebx          /* eflags */
        movl    %eax, 16(%esp)
        movl    %ebx, 12(%esp)
        popl    %ebx
        popl    %eax
        leal    4(%esp), %esp
        popfl
        ret

        /* Copied to trampoline_address, where the other processors start in real mode. */
        .global trampoline, trampoline_end
        .code16
trampoline:
        cli
        xorw    %ax, %ax
        movw    %ax, %ds
        lgdtl   trampoline_gdt_pointer - trampoline + trampoline_address
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmpl   $0x08, $1f
trampoline_gdt_pointer:
        .word   23
        .long   gdt
trampoline_end:
        .code32
1:      movw    $0x10, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %fs
        movw    %ax, %gs
        movw    %ax, %ss
        movl    ap_stack, %esp
        call    ap_main
2:      cli
        hlt
        jmp     2b

        .bss
        .balign 16
        .skip   16384
stack_top:

        .section .note.GNU-stack, "", @progbits
