/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The option ROM that starts a kernel from fw_cfg: a boot entry vector (Plug and Play BIOS
 * Specification 1.0A, 3.3) that SeaBIOS calls like a boot disk. direct_boot.c appends the plan (what
 * to load where, and how to enter it) behind the code, and sets lengths and checksums.
 *
 * After a change run make-blobs update.
 */
        /* Low memory of our own while we run. */
        .set    scratch_segment, 0x0800
        .set    scratch, scratch_segment << 4
        .set    transfer, 0x00          /* the fw_cfg DMA control block, 16 bytes */
        .set    gdt_pointer, 0x10
        .set    memory_map, 0x20
        .set    memory_map_end, 0x1000

        .set    fw_cfg_dma_low, 0x518
        .set    dma_error, 0x01000000   /* control blocks are big-endian */

        /* The plan: struct direct_boot_plan in direct_boot_internal.h. */
        .set    plan_protocol, 0
        .set    plan_transfers, 2
        .set    plan_entry, 4
        .set    plan_argument, 8
        .set    plan_first_transfer, 12
        .set    protocol_linux, 0

        /* Multiboot information (Multiboot Specification 0.6.96, 3.3). */
        .set    multiboot_magic, 0x2badb002
        .set    info_mem_lower, 4
        .set    info_mem_upper, 8
        .set    info_mmap_length, 44
        .set    info_mmap_address, 48
        .set    mmap_entry_size, 24     /* with the size field in front, which does not count */
        .set    e820_base, 4
        .set    e820_length, 12
        .set    e820_type, 20

        .text
        .code16
        .global _start
_start:
        .word   0xaa55
        .byte   0                       /* length in 512-byte blocks */
        xorw    %ax, %ax                /* initialisation: nothing to do */
        lretw

        .org    0x18
        .word   0                       /* no PCI data structure */
        .word   expansion_header

        .balign 16
expansion_header:
        .ascii  "$PnP"
        .byte   1                       /* revision */
        .byte   2                       /* length in 16-byte blocks */
        .word   0                       /* no further header */
        .byte   0
        .byte   0                       /* checksum */
        .long   0                       /* device identifier */
        .word   manufacturer
        .word   product
        .byte   0, 0x80, 0x02           /* device type: other mass storage */
        .byte   0x04                    /* initial program load device */
        .word   0, 0                    /* no boot connection or disconnect vector */
        .word   boot
        .word   0, 0

manufacturer:
        .asciz  "vmdesk"
product:
        .asciz  "Kernel (direct boot)"
failure:
        .asciz  "vmdesk: the kernel could not be loaded into memory\r\n"

boot:
        pushal
        pushw   %ds
        pushw   %es
        cld
        movw    $scratch_segment, %ax
        movw    %ax, %es
        movw    %cs, %ax
        movw    %ax, %ds

        movw    plan + plan_transfers, %bp
        movw    $plan + plan_first_transfer, %si
load:
        movw    $transfer, %di
        movw    $8, %cx
        rep movsw
        movl    $(scratch + transfer) << 8, %eax        /* big-endian; below 64 KiB */
        movw    $fw_cfg_dma_low, %dx
        outl    %eax, %dx
wait:
        movl    %es:transfer, %eax
        testl   $dma_error, %eax
        jnz     failed
        testl   %eax, %eax
        jnz     wait
        decw    %bp
        jnz     load

        cmpw    $protocol_linux, plan + plan_protocol
        jne     multiboot

        /* Linux: enter the real-mode setup code, whose segment is the entry. */
        movl    plan + plan_entry, %eax
        movl    plan + plan_argument, %ebx
        cli
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %fs
        movw    %ax, %gs
        movw    %ax, %ss
        movl    %ebx, %esp
        addw    $0x20, %ax
        pushw   %ax
        pushw   $0
        lretw

failed:
        movw    $failure, %si
print:
        lodsb
        testb   %al, %al
        jz      give_up
        movb    $0x0e, %ah
        movw    $0x0007, %bx
        int     $0x10
        jmp     print
give_up:
        popw    %es
        popw    %ds
        popal
        lretw

        /* Multiboot: the memory map goes to scratch memory, then on to protected mode. */
multiboot:
        movl    plan + plan_argument, %eax
        shrl    $4, %eax
        movw    %ax, %fs                /* the information structure */

        int     $0x12
        movzwl  %ax, %eax
        movl    %eax, %fs:info_mem_lower

        movw    $memory_map, %di
        xorl    %ebx, %ebx
next_entry:
        movl    $20, %es:(%di)
        movl    $0xe820, %eax
        movl    $0x534d4150, %edx       /* "SMAP" */
        movl    $20, %ecx
        addw    $4, %di
        int     $0x15
        leaw    -4(%di), %di
        jc      map_ends
        cmpl    $0x100000, %es:e820_base(%di)
        jne     keep_entry
        cmpl    $0, %es:e820_base + 4(%di)
        jne     keep_entry
        cmpl    $1, %es:e820_type(%di)
        jne     keep_entry
        movl    %es:e820_length(%di), %eax
        shrl    $10, %eax
        movl    %eax, %fs:info_mem_upper
keep_entry:
        addw    $mmap_entry_size, %di
        testl   %ebx, %ebx
        jz      map_ends
        cmpw    $memory_map_end - mmap_entry_size, %di
        jbe     next_entry
map_ends:
        subw    $memory_map, %di
        movzwl  %di, %edi
        movl    %edi, %fs:info_mmap_length
        movl    $scratch + memory_map, %fs:info_mmap_address

        cli
        movl    plan + plan_entry, %esi
        movl    plan + plan_argument, %ebx
        movw    %cs, %ax
        movzwl  %ax, %eax
        shll    $4, %eax                /* where this ROM is */
        leal    gdt(%eax), %ecx
        movw    $gdt_end - gdt - 1, %es:gdt_pointer
        movl    %ecx, %es:gdt_pointer + 2
        lgdtl   %es:gdt_pointer
        addl    $protected_mode, %eax
        movl    %cr0, %ecx
        orb     $1, %cl
        movl    %ecx, %cr0
        pushl   $gdt_code - gdt
        pushl   %eax
        lretl

        .code32
protected_mode:
        movw    $gdt_data - gdt, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %fs
        movw    %ax, %gs
        movw    %ax, %ss
        movl    $multiboot_magic, %eax
        jmp     *%esi

        /* Flat segments, marked accessed: nothing may write here. */
        .balign 8
gdt:
        .quad   0
gdt_code:
        .quad   0x00cf9b000000ffff
gdt_data:
        .quad   0x00cf93000000ffff
gdt_end:

        .balign 4
plan:
