/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VMware's VMDK, read-only: one sparse extent with its description inside, or a description that
 * names extents in its own folder (VMware's "Virtual Disk Format 5.0").
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "core/error.h"
#include "disks/piece.h"
#include "disks/vmdk_descriptor.h"
#include "disks/vmdk_sparse.h"

#define VMDK_DESCRIPTOR_START "# Disk DescriptorFile"

struct vmdk_extent {
    uint64_t start, length;     /* bytes of the disk */
    struct file *file;          /* NULL: zeros */
    bool own_file;              /* to be closed: not the image's */
    struct vmdk_sparse *sparse; /* NULL: flat, or zeros */
    uint64_t file_offset;       /* flat */
};

struct vmdk {
    char *create_type;
    struct vmdk_extent *extents; /* in order, without gaps */
    unsigned count;
};

static void free_vmdk(struct vmdk *vmdk)
{
    for (unsigned i = 0; i < vmdk->count; i++) {
        vmdk_sparse_free(vmdk->extents[i].sparse);
        if (vmdk->extents[i].own_file)
            file_close(vmdk->extents[i].file);
    }
    g_free(vmdk->extents);
    g_free(vmdk->create_type);
    g_free(vmdk);
}

/* Opens an extent's file, which lies in the folder of the image and is no way out of it. */
static struct file *open_extent_file(struct image *image, const char *name, GError **err)
{
    const struct file_options options = {.read_only = true, .direct = image->file->direct};
    g_autofree char *path = image_resolve_name(image->file->path, name);
    struct stat st;

    if (lstat(path, &st) < 0) {
        vmdesk_error_from_errno(err, errno, "Put it beside the image, under this name",
                                "The VMDK image %s needs the file %s", image->file->path, path);
        return NULL;
    }
    if (!S_ISREG(st.st_mode)) {
        vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                    "The VMDK image %s names %s, which is not a regular file: put the file itself "
                    "there.",
                    image->file->path, path);
        return NULL;
    }
    return file_open(path, &options, err);
}

static bool check_flat(const struct vmdk_extent *extent, const char *path, GError **err)
{
    uint64_t size;
    int result = extent->file->ops->size(extent->file, &size);

    if (result < 0)
        return vmdesk_error_from_errno(err, -result, NULL, "Cannot tell the size of %s",
                                       extent->file->path);
    if (extent->file_offset <= size && extent->length <= size - extent->file_offset)
        return true;
    return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                       "The VMDK image %s needs %" PRIu64 " bytes of %s, which has %" PRIu64
                       ": get that file again.",
                       path, extent->file_offset + extent->length, extent->file->path, size);
}

static bool open_extent(struct image *image, struct vmdk_extent *extent,
                        const struct vmdk_extent_line *line, GError **err)
{
    const char *path = image->file->path;

    if (line->kind == VMDK_ZERO)
        return true;
    extent->file = open_extent_file(image, line->file, err);
    if (extent->file == NULL)
        return false;
    extent->own_file = true;
    if (line->kind == VMDK_FLAT) {
        extent->file_offset = line->start_sector * IMAGE_SECTOR_SIZE;
        return check_flat(extent, path, err);
    }
    extent->sparse = vmdk_sparse_open(extent->file, err);
    if (extent->sparse == NULL)
        return false;
    if (vmdk_sparse_sectors(extent->sparse) >= line->sectors)
        return true;
    return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                       "The VMDK image %s needs %" PRIu64 " sectors of %s, which has %" PRIu64
                       ": get that file again.",
                       path, line->sectors, extent->file->path,
                       vmdk_sparse_sectors(extent->sparse));
}

static bool open_described(struct image *image, struct vmdk *vmdk,
                           const struct vmdk_descriptor *descriptor, GError **err)
{
    vmdk->extents = g_new0(struct vmdk_extent, descriptor->extents->len);
    for (guint i = 0; i < descriptor->extents->len; i++) {
        const struct vmdk_extent_line *line =
            &g_array_index(descriptor->extents, struct vmdk_extent_line, i);
        struct vmdk_extent *extent = &vmdk->extents[vmdk->count++];

        extent->start = image->size;
        extent->length = line->sectors * IMAGE_SECTOR_SIZE;
        image->size += extent->length;
        if (!open_extent(image, extent, line, err))
            return false;
    }
    return true;
}

static struct vmdk_descriptor *read_descriptor(struct file *file, uint64_t offset, uint64_t size,
                                               GError **err)
{
    g_autofree char *text = NULL;
    int result;

    if (size > VMDK_MAX_DESCRIPTOR) {
        vmdesk_fail(err, VMDESK_ERROR_INVALID,
                    "%s is no VMDK image, as a description is not that long: give its real format, "
                    "or get it again.",
                    file->path);
        return NULL;
    }
    text = g_malloc(size + 1);
    result = file_read_buffer(file, text, size, offset);
    if (result < 0) {
        vmdesk_error_from_errno(err, -result, NULL, "Cannot read the description in the image %s",
                                file->path);
        return NULL;
    }
    return vmdk_descriptor_parse(text, size, file->path, err);
}

/* The image is one sparse extent. What is described inside is only asked for a parent. */
static bool open_sparse(struct image *image, struct vmdk *vmdk, GError **err)
{
    struct vmdk_sparse *sparse = vmdk_sparse_open(image->file, err);
    struct vmdk_descriptor *descriptor;
    uint64_t offset, size;

    if (sparse == NULL)
        return false;
    vmdk->extents = g_new0(struct vmdk_extent, 1);
    vmdk->count = 1;
    image->size = vmdk_sparse_sectors(sparse) * IMAGE_SECTOR_SIZE;
    vmdk->extents[0] =
        (struct vmdk_extent){.length = image->size, .file = image->file, .sparse = sparse};
    if (!vmdk_sparse_descriptor(sparse, &offset, &size))
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "%s is one extent of a VMDK image of several: give the file that "
                           "describes them, the small one.",
                           image->file->path);
    descriptor = read_descriptor(image->file, offset, size, err);
    if (descriptor == NULL)
        return false;
    vmdk->create_type = g_strdup(descriptor->create_type);
    vmdk_descriptor_free(descriptor);
    return true;
}

static bool open_text(struct image *image, struct vmdk *vmdk, GError **err)
{
    struct vmdk_descriptor *descriptor;
    uint64_t size;
    bool done;
    int result = image->file->ops->size(image->file, &size);

    if (result < 0)
        return vmdesk_error_from_errno(err, -result, NULL, "Cannot tell the size of the image %s",
                                       image->file->path);
    descriptor = read_descriptor(image->file, 0, size, err);
    if (descriptor == NULL)
        return false;
    done = open_described(image, vmdk, descriptor, err);
    vmdk->create_type = g_strdup(descriptor->create_type);
    vmdk_descriptor_free(descriptor);
    return done;
}

static bool vmdk_open(struct image *image, const struct image_options *options, GError **err)
{
    char start[sizeof(VMDK_DESCRIPTOR_START) - 1];
    struct vmdk *vmdk;
    bool done;
    int result = file_read_buffer(image->file, start, sizeof(start), 0);

    if (result < 0 && result != -EIO)
        return vmdesk_error_from_errno(err, -result, NULL, "Cannot read the image %s",
                                       image->file->path);
    vmdk = g_new0(struct vmdk, 1);
    if (result == 0 && memcmp(start, VMDK_MAGIC, strlen(VMDK_MAGIC)) == 0)
        done = open_sparse(image, vmdk, err);
    else if (result == 0 && g_ascii_strncasecmp(start, VMDK_DESCRIPTOR_START, sizeof(start)) == 0)
        done = open_text(image, vmdk, err);
    else
        done = vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "%s is no VMDK image of VMware's hosted products: give its real format, "
                           "or get it again.",
                           image->file->path);
    if (!done) {
        free_vmdk(vmdk);
        return false;
    }
    image->state = vmdk;
    return true;
}

static void vmdk_close(struct image *image)
{
    free_vmdk(image->state);
}

static const struct vmdk_extent *find_extent(const struct vmdk *vmdk, uint64_t offset)
{
    unsigned low = 0, high = vmdk->count;

    while (high - low > 1) {
        unsigned middle = (low + high) / 2;

        if (vmdk->extents[middle].start <= offset)
            low = middle;
        else
            high = middle;
    }
    return &vmdk->extents[low];
}

static int vmdk_locate(struct image *image, uint64_t offset, uint64_t length, struct piece *piece)
{
    const struct vmdk_extent *extent = find_extent(image->state, offset);

    offset -= extent->start;
    length = MIN(length, extent->length - offset);
    if (extent->sparse != NULL)
        return vmdk_sparse_locate(extent->sparse, offset, length, piece);
    *piece = (struct piece){
        .state = extent->file != NULL ? BLOCK_DATA : BLOCK_ZERO,
        .length = length,
        .file = extent->file,
        .offset = extent->file_offset + offset,
    };
    return 0;
}

/* The piece's file says which extent it is of. */
static int vmdk_unpack(struct image *image, const struct piece *piece, void *buffer)
{
    const struct vmdk *vmdk = image->state;

    for (unsigned i = 0; i < vmdk->count; i++)
        if (vmdk->extents[i].file == piece->file)
            return vmdk_sparse_unpack(vmdk->extents[i].sparse, piece, buffer);
    return -EIO;
}

static const struct piece_ops pieces = {.locate = vmdk_locate, .unpack = vmdk_unpack};

static int vmdk_read(struct image *image, const struct iovec *iov, unsigned count, uint64_t offset)
{
    return piece_read(image, &pieces, iov, count, offset);
}

static int vmdk_status(struct image *image, uint64_t offset, uint64_t length,
                       struct block_status *status)
{
    return piece_status(image, &pieces, offset, length, status);
}

static bool vmdk_get_info(struct image *image, struct image_info *info, GError **err)
{
    const struct vmdk *vmdk = image->state;

    if (vmdk->extents[0].sparse != NULL)
        info->cluster_size = vmdk_sparse_grain_size(vmdk->extents[0].sparse);
    if (vmdk->create_type != NULL)
        image_info_add_detail(info, "subformat", "%s", vmdk->create_type);
    image_info_add_detail(info, "extents", "%u", vmdk->count);
    return true;
}

const struct image_ops image_vmdk = {
    .name = "vmdk",
    .open = vmdk_open,
    .close = vmdk_close,
    .read = vmdk_read,
    .status = vmdk_status,
    .get_info = vmdk_get_info,
};
