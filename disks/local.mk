noinst_LIBRARIES += disks/libdisks.a
disks_libdisks_a_SOURCES =
