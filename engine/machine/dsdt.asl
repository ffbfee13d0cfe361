/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The devices of the q35 board that no bus can enumerate (ACPI Specification 5.1, chapter 6).
 * The C preprocessor runs over it first. After a change run make-blobs update: it compiles this
 * into dsdt_aml.h.
 *
 * Addresses are those that SeaBIOS and OVMF program: see acpi.h.
 */
DefinitionBlock ("", "DSDT", 1, "VMDESK", "VMDESK35", 1)
{
    Name (\_S5, Package () { 0, 0, 0, 0 })  /* ACPI_S5_SLEEP_TYPE */

    /* The interrupt controllers in use: 0 the PICs, 1 the I/O APIC. */
    Name (\PICF, 0)
    Method (\_PIC, 1) {
        \PICF = Arg0
    }

    Scope (\_SB) {
        /* What the chipset decodes outside every other device. */
        Device (SYSR) {
            Name (_HID, EisaId ("PNP0C02"))
            Name (_CRS, ResourceTemplate () {
                Memory32Fixed (ReadWrite, 0xb0000000, 0x10000000)  /* MMCONFIG */
                Memory32Fixed (ReadWrite, 0xfed1c000, 0x00004000)  /* RCBA */
                IO (Decode16, 0x00b2, 0x00b2, 1, 2)                /* APM */
                IO (Decode16, 0x0600, 0x0600, 1, 0x80)             /* PM block */
            })
        }

        Device (PCI0) {
            Name (_HID, EisaId ("PNP0A08"))
            Name (_CID, EisaId ("PNP0A03"))
            Name (_UID, 0)
            Name (_BBN, 0)

            Name (_CRS, ResourceTemplate () {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                    0, 0x0000, 0x00ff, 0, 0x0100)
                IO (Decode16, 0x0cf8, 0x0cf8, 1, 8)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0, 0x0000, 0x0cf7, 0, 0x0cf8)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0, 0x0d00, 0xffff, 0, 0xf300)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable, ReadWrite,
                    0, 0x000a0000, 0x000bffff, 0, 0x00020000)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable,
                    ReadWrite, 0, 0xc0000000, 0xfebfffff, 0, 0x3ec00000)
            })

            /* PCI Firmware Specification 3.0, 4.5: the system may own power management events,
             * error reports and the PCI Express capability; there is nothing to hot-plug. */
            Method (_OSC, 4) {
                CreateDWordField (Arg3, 0, STAT)
                If (Arg0 != ToUUID ("33db4d5b-1ff7-401c-9657-7441c03dd766")) {
                    STAT |= 0x04  /* unknown UUID */
                    Return (Arg3)
                }
                CreateDWordField (Arg3, 8, CTRL)
                Local0 = CTRL & 0x1c
                If (Arg1 != 1) {
                    STAT |= 0x08  /* unknown revision */
                }
                If (CTRL != Local0) {
                    STAT |= 0x10  /* some were refused */
                }
                CTRL = Local0
                Return (Arg3)
            }

            /*
             * Which PIRQ a pin drives: in slots 0 to 24 INTA-INTD go to PIRQE-PIRQH, turned by the
             * slot's number; in slots 25 to 31, the chipset's own, to PIRQA-PIRQD. The I/O APIC
             * has PIRQA-PIRQH at inputs 16 to 23.
             */
#define PIN(slot, pin, link, gsi) Package () { (slot << 16) | 0xffff, pin, link, gsi }
#define SLOT(slot, a, b, c, d, ga, gb, gc, gd) \
        PIN (slot, 0, a, ga), PIN (slot, 1, b, gb), PIN (slot, 2, c, gc), PIN (slot, 3, d, gd)
#define FOUR_SLOTS(first, a, b, c, d, ga, gb, gc, gd) \
        SLOT (first, a, b, c, d, ga, gb, gc, gd), \
        SLOT (first + 1, b, c, d, a, gb, gc, gd, ga), \
        SLOT (first + 2, c, d, a, b, gc, gd, ga, gb), \
        SLOT (first + 3, d, a, b, c, gd, ga, gb, gc)
#define ROUTES(a, b, c, d, e, f, g, h, ga, gb, gc, gd, ge, gf, gg, gh) \
        FOUR_SLOTS (0, e, f, g, h, ge, gf, gg, gh), FOUR_SLOTS (4, e, f, g, h, ge, gf, gg, gh), \
        FOUR_SLOTS (8, e, f, g, h, ge, gf, gg, gh), FOUR_SLOTS (12, e, f, g, h, ge, gf, gg, gh), \
        FOUR_SLOTS (16, e, f, g, h, ge, gf, gg, gh), FOUR_SLOTS (20, e, f, g, h, ge, gf, gg, gh), \
        SLOT (24, e, f, g, h, ge, gf, gg, gh), \
        SLOT (25, a, b, c, d, ga, gb, gc, gd), SLOT (26, a, b, c, d, ga, gb, gc, gd), \
        SLOT (27, a, b, c, d, ga, gb, gc, gd), SLOT (28, a, b, c, d, ga, gb, gc, gd), \
        SLOT (29, a, b, c, d, ga, gb, gc, gd), SLOT (30, a, b, c, d, ga, gb, gc, gd), \
        SLOT (31, a, b, c, d, ga, gb, gc, gd)
            Name (PRTP, Package () {
                ROUTES (LPC.LNKA, LPC.LNKB, LPC.LNKC, LPC.LNKD,
                        LPC.LNKE, LPC.LNKF, LPC.LNKG, LPC.LNKH, 0, 0, 0, 0, 0, 0, 0, 0)
            })
            Name (PRTA, Package () {
                ROUTES (0, 0, 0, 0, 0, 0, 0, 0, 16, 17, 18, 19, 20, 21, 22, 23)
            })
            Method (_PRT) {
                If (\PICF) {
                    Return (PRTA)
                }
                Return (PRTP)
            }

            Device (LPC) {
                Name (_ADR, 0x001f0000)

                OperationRegion (PIRQ, PCI_Config, 0x60, 0x0c)
                Field (PIRQ, ByteAcc, NoLock, Preserve) {
                    PIRA, 8, PIRB, 8, PIRC, 8, PIRD, 8,
                    Offset (0x08),
                    PIRE, 8, PIRF, 8, PIRG, 8, PIRH, 8
                }

                /*
                 * PIRQA-PIRQH as the PICs see them. Each register holds the IRQ in bits 0-3;
                 * bit 7 cuts the line off (Intel ICH9 datasheet, 13.1.17).
                 */
                Name (IRQS, ResourceTemplate () {
                    Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 5, 10, 11 }
                })
                Method (STAL, 1) {
                    If (Arg0 & 0x80) {
                        Return (0x09)
                    }
                    Return (0x0b)
                }
                Method (CRSL, 1, Serialized) {
                    Name (USED, ResourceTemplate () {
                        Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 5 }
                    })
                    CreateDWordField (USED, 0x05, LINE)
                    LINE = Arg0 & 0x0f
                    Return (USED)
                }
                Method (SRSL, 1) {
                    CreateDWordField (Arg0, 0x05, GSI)
                    Return (GSI)
                }
#define LINK(name, uid, line) \
                Device (name) { \
                    Name (_HID, EisaId ("PNP0C0F")) \
                    Name (_UID, uid) \
                    Method (_PRS) { Return (IRQS) } \
                    Method (_STA) { Return (STAL (line)) } \
                    Method (_CRS) { Return (CRSL (line)) } \
                    Method (_DIS) { line |= 0x80 } \
                    Method (_SRS, 1) { line = SRSL (Arg0) } \
                }
                LINK (LNKA, 1, PIRA)
                LINK (LNKB, 2, PIRB)
                LINK (LNKC, 3, PIRC)
                LINK (LNKD, 4, PIRD)
                LINK (LNKE, 5, PIRE)
                LINK (LNKF, 6, PIRF)
                LINK (LNKG, 7, PIRG)
                LINK (LNKH, 8, PIRH)

                Device (RTC) {
                    Name (_HID, EisaId ("PNP0B00"))
                    Name (_CRS, ResourceTemplate () {
                        IO (Decode16, 0x0070, 0x0070, 1, 8)
                        IRQNoFlags () { 8 }
                    })
                }

                Device (KBD) {
                    Name (_HID, EisaId ("PNP0303"))
                    Name (_CRS, ResourceTemplate () {
                        IO (Decode16, 0x0060, 0x0060, 1, 1)
                        IO (Decode16, 0x0064, 0x0064, 1, 1)
                        IRQNoFlags () { 1 }
                    })
                }

                Device (MOU) {
                    Name (_HID, EisaId ("PNP0F13"))
                    Name (_CRS, ResourceTemplate () {
                        IRQNoFlags () { 12 }
                    })
                }

                Device (COM1) {
                    Name (_HID, EisaId ("PNP0501"))
                    Name (_UID, 1)
                    Name (_CRS, ResourceTemplate () {
                        IO (Decode16, 0x03f8, 0x03f8, 1, 8)
                        IRQNoFlags () { 4 }
                    })
                }

                Device (FWCF) {
                    Name (_HID, "QEMU0002")
                    Name (_STA, 0x0b)  /* present, nothing for a user to see */
                    Name (_CRS, ResourceTemplate () {
                        IO (Decode16, 0x0510, 0x0510, 1, 0x0c)
                    })
                }
            }
        }
    }
}
