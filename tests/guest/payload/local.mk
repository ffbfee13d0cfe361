# A guest of our own: a multiboot kernel that tests the devices. See payload.h.
PAYLOAD_FILES = \
	tests/guest/payload/ahci.c \
	tests/guest/payload/interrupts.c \
	tests/guest/payload/io.c \
	tests/guest/payload/main.c \
	tests/guest/payload/modes.c \
	tests/guest/payload/pci.c \
	tests/guest/payload/smp.c \
	tests/guest/payload/start.S \
	tests/guest/payload/timers.c
PAYLOAD_INPUTS = $(PAYLOAD_FILES) \
	tests/guest/payload/payload.h \
	tests/guest/payload/payload.ld
# Integer instructions of a 486: software KVMs interpret them one by one and know few others.
PAYLOAD_COMPILE = -m32 -march=i486 -mgeneral-regs-only -std=gnu11 -O1 -ffreestanding -fno-pic \
	-fno-stack-protector -fno-asynchronous-unwind-tables
PAYLOAD_LINK = -nostdlib -static -no-pie -Wl,--build-id=none \
	-T $(srcdir)/tests/guest/payload/payload.ld

if HAVE_M32
noinst_DATA += tests/guest/payload/payload
endif
CLEANFILES += tests/guest/payload/payload
EXTRA_DIST += $(PAYLOAD_INPUTS)

tests/guest/payload/payload: $(PAYLOAD_INPUTS)
	@$(MKDIR_P) tests/guest/payload
	$(AM_V_CCLD)$(CC) $(WARN_CFLAGS) $(PAYLOAD_COMPILE) $(PAYLOAD_LINK) -o $@ \
		$(addprefix $(srcdir)/,$(PAYLOAD_FILES))
