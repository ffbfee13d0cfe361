# What a program that links the library needs besides.
DISK_LIBS = $(ZLIB_LIBS) $(ZSTD_LIBS) $(URING_LIBS)
noinst_LIBRARIES += disks/libdisks.a
disks_libdisks_a_SOURCES = \
	disks/crc32c.c \
	disks/crc32c.h \
	disks/direct.c \
	disks/direct.h \
	disks/file.c \
	disks/file.h \
	disks/file_real.c \
	disks/image.c \
	disks/image.h \
	disks/image_backing.c \
	disks/image_create.c \
	disks/image_format.h \
	disks/image_job.c disks/image_job.h \
	disks/image_manage.c \
	disks/image_raw.c \
	disks/image_vdi.c \
	disks/image_vhd.c \
	disks/image_vhdx.c \
	disks/image_vmdk.c \
	disks/io_context.c \
	disks/io_context.h \
	disks/piece.c \
	disks/piece.h \
	disks/table_reader.c \
	disks/table_reader.h \
	disks/uring.c \
	disks/uring.h \
	disks/vmdk_descriptor.c \
	disks/vmdk_descriptor.h \
	disks/vmdk_sparse.c \
	disks/vmdk_sparse.h
