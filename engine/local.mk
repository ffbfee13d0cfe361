# Everything that a guest can touch: a library, so that tests and fuzzers link it too.
noinst_LIBRARIES += engine/libengine.a
engine_libengine_a_SOURCES = \
	engine/bus/board.c engine/bus/board.h \
	engine/bus/clock.c engine/bus/clock.h \
	engine/bus/device.h \
	engine/bus/guest_memory.c \
	engine/bus/irq.h \
	engine/bus/memory_map.c engine/bus/memory_map.h \
	engine/bus/pci.c engine/bus/pci.h \
	engine/bus/pci_device.c \
	engine/bus/pci_internal.h \
	engine/bus/pci_msix.c \
	engine/bus/pio.c engine/bus/pio.h \
	engine/bus/region.h \
	engine/control/commands_block.c \
	engine/control/commands_display.c \
	engine/control/commands_input.c \
	engine/control/commands_jobs.c \
	engine/control/commands_query.c \
	engine/control/commands_run.c \
	engine/control/commands_usb.c \
	engine/control/commands_usb_host.c \
	engine/control/connection.c \
	engine/control/control_internal.h \
	engine/control/cp437.c \
	engine/control/server.c engine/control/server.h \
	engine/cpu/accel.c engine/cpu/accel.h \
	engine/cpu/irqchip_state.h \
	engine/cpu/kvm.c engine/cpu/kvm.h \
	engine/cpu/kvm_cpuid.c \
	engine/cpu/kvm_handoff.c \
	engine/cpu/kvm_internal.h \
	engine/cpu/kvm_irqchip.c \
	engine/cpu/kvm_memory.c \
	engine/cpu/kvm_msrs.c \
	engine/cpu/kvm_speed.c \
	engine/cpu/kvm_state.c \
	engine/cpu/kvm_vcpu.c \
	engine/cpu/soft/access.h \
	engine/cpu/soft/alu.h \
	engine/cpu/soft/apic_message.h \
	engine/cpu/soft/atomic.c engine/cpu/soft/atomic.h \
	engine/cpu/soft/block.c engine/cpu/soft/block.h \
	engine/cpu/soft/condition.h \
	engine/cpu/soft/core.c engine/cpu/soft/core.h \
	engine/cpu/soft/cpu.h \
	engine/cpu/soft/cpuid.c engine/cpu/soft/cpuid.h \
	engine/cpu/soft/debug.c engine/cpu/soft/debug.h \
	engine/cpu/soft/decode.c engine/cpu/soft/decode.h \
	engine/cpu/soft/decode_integer.def \
	engine/cpu/soft/decode_sse.def \
	engine/cpu/soft/decode_system.def \
	engine/cpu/soft/decode_table.c engine/cpu/soft/decode_table.h \
	engine/cpu/soft/decode_x87.def \
	engine/cpu/soft/exec.c engine/cpu/soft/exec.h \
	engine/cpu/soft/flags.h \
	engine/cpu/soft/forms.h \
	engine/cpu/soft/fpu.c engine/cpu/soft/fpu.h \
	engine/cpu/soft/fpu_internal.h \
	engine/cpu/soft/fxsave_image.h \
	engine/cpu/soft/handlers.h \
	engine/cpu/soft/insn.h \
	engine/cpu/soft/interrupt.c engine/cpu/soft/interrupt.h \
	engine/cpu/soft/io.h \
	engine/cpu/soft/ioapic.c engine/cpu/soft/ioapic.h \
	engine/cpu/soft/irqchip.c engine/cpu/soft/irqchip.h \
	engine/cpu/soft/lapic.c engine/cpu/soft/lapic.h \
	engine/cpu/soft/lapic_bus.c \
	engine/cpu/soft/lapic_internal.h \
	engine/cpu/soft/lapic_state.c \
	engine/cpu/soft/lapic_timer.c \
	engine/cpu/soft/map.c engine/cpu/soft/map.h \
	engine/cpu/soft/mmu.c \
	engine/cpu/soft/msr.c engine/cpu/soft/msr.h \
	engine/cpu/soft/ops_alu.c \
	engine/cpu/soft/ops_atomic.c \
	engine/cpu/soft/ops_bcd.c \
	engine/cpu/soft/ops_bit.c \
	engine/cpu/soft/ops_branch.c \
	engine/cpu/soft/ops_far.c \
	engine/cpu/soft/ops_fxsave.c \
	engine/cpu/soft/ops_io.c \
	engine/cpu/soft/ops_mmx.c \
	engine/cpu/soft/ops_move.c \
	engine/cpu/soft/ops_muldiv.c \
	engine/cpu/soft/ops_shift.c \
	engine/cpu/soft/ops_sse.h \
	engine/cpu/soft/ops_sse_float.c \
	engine/cpu/soft/ops_sse_integer.c \
	engine/cpu/soft/ops_sse_move.c \
	engine/cpu/soft/ops_sse_string.c \
	engine/cpu/soft/ops_stack.c \
	engine/cpu/soft/ops_string.c \
	engine/cpu/soft/ops_system.c \
	engine/cpu/soft/ops_x87.c \
	engine/cpu/soft/ops_x87_state.c \
	engine/cpu/soft/ops_xsave.c \
	engine/cpu/soft/paging.c engine/cpu/soft/paging.h \
	engine/cpu/soft/pic.c engine/cpu/soft/pic.h \
	engine/cpu/soft/pit.c engine/cpu/soft/pit.h \
	engine/cpu/soft/segment.c engine/cpu/soft/segment.h \
	engine/cpu/soft/soft.c engine/cpu/soft/soft.h \
	engine/cpu/soft/soft_internal.h \
	engine/cpu/soft/soft_state.c engine/cpu/soft/soft_state.h \
	engine/cpu/soft/soft_vcpu.c engine/cpu/soft/soft_vcpu.h \
	engine/cpu/soft/stack.c engine/cpu/soft/stack.h \
	engine/cpu/soft/task.c engine/cpu/soft/task.h \
	engine/cpu/soft/jumps.c engine/cpu/soft/jumps.h \
	engine/cpu/soft/ops_fused.c engine/cpu/soft/ops_fused.h \
	engine/cpu/soft/ops_quiet.c engine/cpu/soft/ops_quiet.h \
	engine/cpu/soft/ops_series.c engine/cpu/soft/ops_series.h \
	engine/cpu/soft/tlb.c engine/cpu/soft/tlb.h \
	engine/cpu/soft/vme.c engine/cpu/soft/vme.h \
	engine/cpu/soft/x86.h \
	engine/cpu/vcpu_set.c engine/cpu/vcpu_set.h \
	engine/cpu/x86_state.c engine/cpu/x86_state.h \
	engine/dev/acpi_pm.c engine/dev/acpi_pm.h \
	engine/dev/ahci.c engine/dev/ahci.h \
	engine/dev/ahci_command.c \
	engine/dev/ahci_internal.h \
	engine/dev/ata_disk.c \
	engine/dev/atapi.c \
	engine/dev/debug_exit.c engine/dev/debug_exit.h \
	engine/dev/debugcon.c engine/dev/debugcon.h \
	engine/dev/edid.c engine/dev/edid.h \
	engine/dev/flash.c engine/dev/flash.h \
	engine/dev/fpu_error.c engine/dev/fpu_error.h \
	engine/dev/fw_cfg.c engine/dev/fw_cfg.h \
	engine/dev/i8042.c engine/dev/i8042.h \
	engine/dev/ich9_lpc.c engine/dev/ich9_lpc.h \
	engine/dev/ich9_smbus.c engine/dev/ich9_smbus.h \
	engine/dev/mch.c engine/dev/mch.h \
	engine/dev/port92.c engine/dev/port92.h \
	engine/dev/ps2_keyboard.c engine/dev/ps2_keyboard.h \
	engine/dev/ps2_mouse.c engine/dev/ps2_mouse.h \
	engine/dev/ps2_queue.h \
	engine/dev/ps2_scancodes.c engine/dev/ps2_scancodes.h \
	engine/dev/rtc.c engine/dev/rtc.h \
	engine/dev/rtc_time.c engine/dev/rtc_time.h \
	engine/dev/serial.c engine/dev/serial.h \
	engine/dev/serial_backend.c engine/dev/serial_backend.h \
	engine/dev/vga.c engine/dev/vga.h \
	engine/dev/vga_dispi.c \
	engine/dev/vga_display.c \
	engine/dev/vga_graphics.c \
	engine/dev/vga_internal.h \
	engine/dev/vga_memory.c \
	engine/dev/vga_mode.c \
	engine/dev/vga_regs.c \
	engine/dev/vga_text.c \
	engine/dev/xhci.c engine/dev/xhci.h \
	engine/dev/xhci_commands.c \
	engine/dev/xhci_endpoint.c \
	engine/dev/xhci_events.c \
	engine/dev/xhci_internal.h \
	engine/dev/xhci_ports.c \
	engine/dev/xhci_rings.c \
	engine/dev/xhci_slots.c \
	engine/dev/xhci_streams.c \
	engine/dev/xhci_td.c \
	engine/dev/xhci_transfer.c \
	engine/dev/xhci_trb.h \
	engine/machine/acpi.c engine/machine/acpi.h \
	engine/machine/byte_writer.h \
	engine/machine/direct_boot.c engine/machine/direct_boot.h \
	engine/machine/direct_boot_internal.h \
	engine/machine/direct_boot_linux.c \
	engine/machine/dsdt_aml.h \
	engine/machine/firmware.c engine/machine/firmware.h \
	engine/machine/firmware_tables.c engine/machine/firmware_tables.h \
	engine/machine/input_router.c engine/machine/input_router.h \
	engine/machine/machine.c engine/machine/machine.h \
	engine/machine/machine_internal.h \
	engine/machine/machine_hosts.c \
	engine/machine/machine_jobs.c engine/machine/machine_jobs.h \
	engine/machine/machine_media.c \
	engine/machine/machine_stats.c \
	engine/machine/machine_usb.c engine/machine/machine_usb.h \
	engine/machine/machine_usb_kinds.c \
	engine/machine/multiboot.c \
	engine/machine/option_rom.h \
	engine/machine/q35.c engine/machine/q35.h \
	engine/machine/ram.c engine/machine/ram.h \
	engine/machine/read_file.c engine/machine/read_file.h \
	engine/machine/smbios.c engine/machine/smbios.h
EXTRA_DIST += engine/machine/dsdt.asl engine/machine/make-blobs engine/machine/option_rom.S

pkglibexec_PROGRAMS += vmdesk-engine
vmdesk_engine_SOURCES = engine/main.c
vmdesk_engine_LDADD = \
	engine/libengine.a \
	display/libdisplay.a \
	usb/libvmusb.a \
	disks/libdisks.a \
	core/libcore.a \
	$(DISK_LIBS) $(USB_LIBS) $(PNG_LIBS) $(JANSSON_LIBS) $(GLIB_LIBS)
