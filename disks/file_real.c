/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of the host.
 *
 * Locks: the bytes that QEMU's programs lock in an image (they document them in block/file-posix.c;
 * "lslocks" shows them). A user of the permission number p holds a shared lock of byte 100 + p, and
 * one who does not let others have it holds a shared lock of byte 200 + p. Who then finds the
 * opposite byte locked must give way. Open file description locks: they go with the descriptor, not
 * with the process, and survive no kill.
 */
#include "disks/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/error.h"
#include "core/log.h"
#include "disks/direct.h"
#include "disks/uring.h"

#define LOCK_USED 100
#define LOCK_DENIED 200

#define MAX_CACHED_COPY (128 * 1024) /* bytes: a copy that does not last */

enum permission { PERMISSION_READ = 0, PERMISSION_WRITE = 1, PERMISSION_RESIZE = 3 };

struct real_file {
    struct file file;
    int fd;
    bool block_device;
    int flush_error;       /* atomic; the first failure of a flush, as a positive errno */
    struct direct *direct; /* NULL: through the host's cache */
    /* Held by writes to the host's cache that last. File systems let one in at a time, and keep the
     * processors of the others busy meanwhile. */
    GMutex lasting_write;
    int read_now_refused; /* atomic; the file system does not read without waiting */
    bool threads;
    GOnce ring; /* struct uring; made by the first request, NULL where there is none to have */
};

static struct real_file *to_real(struct file *file)
{
    return (struct real_file *)file;
}

static ssize_t real_read(struct file *file, const struct iovec *iov, unsigned count,
                         uint64_t offset)
{
    struct real_file *real = to_real(file);
    ssize_t moved;

    if (real->direct != NULL)
        return direct_read(real->direct, iov, count, offset);
    moved = preadv(real->fd, iov, count, offset);
    return moved < 0 ? -errno : moved;
}

static ssize_t real_read_now(struct file *file, const struct iovec *iov, unsigned count,
                             uint64_t offset)
{
    struct real_file *real = to_real(file);
    ssize_t moved;

    /* Past the cache it would wait for the disk all the same. */
    if (real->direct != NULL || g_atomic_int_get(&real->read_now_refused))
        return -EAGAIN;
    /* Not preadv2(), where the thread may be cancelled, which takes some time in each call. */
    moved = syscall(SYS_preadv2, real->fd, iov, count, (unsigned long)offset,
                    (unsigned long)(offset >> 32), RWF_NOWAIT);
    if (moved >= 0)
        return moved;
    if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL)
        g_atomic_int_set(&real->read_now_refused, 1);
    return -EAGAIN;
}

static uint64_t iov_length(const struct iovec *iov, unsigned count)
{
    uint64_t length = 0;

    for (unsigned i = 0; i < count; i++)
        length += iov[i].iov_len;
    return length;
}

static ssize_t real_write(struct file *file, const struct iovec *iov, unsigned count,
                          uint64_t offset)
{
    struct real_file *real = to_real(file);
    ssize_t moved;
    bool lasting;

    if (real->direct != NULL)
        return direct_write(real->direct, iov, count, offset);
    lasting = iov_length(iov, count) > MAX_CACHED_COPY;
    if (lasting)
        g_mutex_lock(&real->lasting_write);
    moved = pwritev(real->fd, iov, count, offset);
    moved = moved < 0 ? -errno : moved;
    if (lasting)
        g_mutex_unlock(&real->lasting_write);
    return moved;
}

static void *make_ring(void *opaque)
{
    return uring_new(((struct real_file *)opaque)->fd);
}

/* A direct write in flight, between direct_try_begin() and direct_end(). */
struct direct_request {
    struct file_request request; /* the ring's */
    struct file_request *asked;
    struct direct *direct;
};

static void direct_done(struct file_request *request, int error)
{
    struct direct_request *direct = request->opaque;
    struct file_request *asked = direct->asked;

    direct_end(direct->direct);
    g_free(direct);
    asked->done(asked, error);
}

static bool submit_direct(struct real_file *real, struct uring *ring, struct file_request *request)
{
    struct direct_request *direct;

    if (!direct_fits(real->direct, request->iov, request->iov_count, request->offset))
        return false;
    if (request->op == FILE_OP_READ) {
        uring_submit(ring, request);
        return true;
    }
    if (!direct_try_begin(real->direct))
        return false;
    direct = g_new(struct direct_request, 1);
    *direct = (struct direct_request){*request, request, real->direct};
    direct->request.done = direct_done;
    direct->request.opaque = direct;
    uring_submit(ring, &direct->request);
    return true;
}

/* Through the host's cache: what is there is copied while it is submitted, so that several threads
 * had better do it when it is long; and a write goes to a thread of the kernel's first, where the
 * file system cannot promise not to wait. */
static bool cached_read_fits(const struct file_request *request)
{
    return request->op == FILE_OP_READ &&
           iov_length(request->iov, request->iov_count) <= MAX_CACHED_COPY;
}

static bool real_submit(struct file *file, struct file_request *request)
{
    struct real_file *real = to_real(file);
    struct uring *ring;

    /* A flush waits in the kernel for a thread of its own as well as here. */
    if (real->threads || request->op == FILE_OP_FLUSH ||
        (real->direct == NULL && !cached_read_fits(request)))
        return false;
    ring = g_once(&real->ring, make_ring, real);
    if (ring == NULL)
        return false;
    if (real->direct != NULL)
        return submit_direct(real, ring, request);
    if (uring_completes(ring) &&
        file_read_now(file, request->iov, request->iov_count, request->offset))
        uring_done(ring, request);
    else
        uring_submit(ring, request);
    return true;
}

static int real_flush(struct file *file)
{
    struct real_file *real = to_real(file);
    int failed = g_atomic_int_get(&real->flush_error);

    if (failed == 0 && !file->read_only && fdatasync(real->fd) < 0) {
        failed = errno;
        g_atomic_int_set(&real->flush_error, failed);
    }
    return -failed;
}

static int real_discard(struct file *file, uint64_t offset, uint64_t length)
{
    if (fallocate(to_real(file)->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length) ==
            0 ||
        errno == EOPNOTSUPP || errno == ENOSYS)
        return 0;
    return -errno;
}

static int real_size(struct file *file, uint64_t *ret_size)
{
    struct real_file *real = to_real(file);
    struct stat st;

    if (real->block_device)
        return ioctl(real->fd, BLKGETSIZE64, ret_size) < 0 ? -errno : 0;
    if (fstat(real->fd, &st) < 0)
        return -errno;
    *ret_size = st.st_size;
    return 0;
}

static int real_truncate(struct file *file, uint64_t size)
{
    struct real_file *real = to_real(file);

    if (real->direct != NULL)
        return direct_truncate(real->direct, size);
    return ftruncate(real->fd, size) < 0 ? -errno : 0;
}

static int real_fallocate(struct file *file, int mode, uint64_t offset, uint64_t length)
{
    if (fallocate(to_real(file)->fd, mode, offset, length) == 0)
        return 0;
    return errno == ENOSYS || errno == EINVAL ? -EOPNOTSUPP : -errno;
}

static int real_write_zeroes(struct file *file, uint64_t offset, uint64_t length)
{
    int result = real_fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);

    return result != -EOPNOTSUPP
               ? result
               : real_fallocate(file, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, offset, length);
}

static int real_allocate(struct file *file, uint64_t offset, uint64_t length)
{
    return real_fallocate(file, 0, offset, length);
}

static int real_extent(struct file *file, uint64_t offset, bool *ret_data, uint64_t *ret_length)
{
    int fd = to_real(file)->fd;
    off_t data = lseek(fd, offset, SEEK_DATA), end;
    uint64_t size = 0;
    int result;

    if (data < 0 && errno == ENXIO) {
        result = real_size(file, &size);
        *ret_data = false;
        *ret_length = size > offset ? size - offset : 1;
        return result;
    }
    if (data < 0 || (uint64_t)data == offset) {
        end = data < 0 ? -1 : lseek(fd, offset, SEEK_HOLE);
        if (end <= data) {
            result = real_size(file, &size);
            end = size;
        } else
            result = 0;
        *ret_data = true;
        *ret_length = (uint64_t)end > offset ? end - offset : 1;
        return result;
    }
    *ret_data = false;
    *ret_length = data - offset;
    return 0;
}

static void real_close(struct file *file)
{
    struct real_file *real = to_real(file);

    if (real->ring.status == G_ONCE_STATUS_READY)
        uring_free(real->ring.retval);
    direct_free(real->direct);
    g_mutex_clear(&real->lasting_write);
    close(real->fd);
    g_free(file->path);
    g_free(real);
}

static const struct file_ops real_ops = {
    .read = real_read,
    .write = real_write,
    .flush = real_flush,
    .discard = real_discard,
    .size = real_size,
    .truncate = real_truncate,
    .close = real_close,
    .write_zeroes = real_write_zeroes,
    .allocate = real_allocate,
    .extent = real_extent,
    .read_now = real_read_now,
    .submit = real_submit,
};

static bool check_kind(const struct stat *st, const char *path, GError **err)
{
    if (S_ISREG(st->st_mode) || S_ISBLK(st->st_mode))
        return true;
    return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                       "%s is a %s: give an image file or a block device.", path,
                       S_ISDIR(st->st_mode)    ? "folder"
                       : S_ISFIFO(st->st_mode) ? "FIFO"
                       : S_ISCHR(st->st_mode)  ? "character device"
                                               : "socket");
}

static bool fail_open(const char *path, bool read_only, bool direct, GError **err)
{
    int errnum = errno;
    const char *hint = NULL;

    if (errnum == ENOENT || errnum == ENOTDIR)
        hint = "Check its name in the machine's settings.";
    else if ((errnum == EACCES || errnum == EPERM || errnum == EROFS) && !read_only)
        hint = "Make it writable for you, or attach it read-only.";
    else if (errnum == EACCES || errnum == EPERM)
        hint = "Make it readable for you.";
    else if (errnum == EINVAL && direct)
        hint = "Its file system may not do direct I/O: use write-back.";
    return vmdesk_error_from_errno(err, errnum, hint, "Cannot open the image %s", path);
}

/* Opens path if it is something that holds an image. It is looked at before it is opened, since to
 * open a device may set it off, and again after, since it may have been replaced. */
static int open_checked(const char *path, const struct file_options *options, struct stat *st,
                        GError **err)
{
    int flags = (options->read_only ? O_RDONLY : O_RDWR) | (options->direct ? O_DIRECT : 0);
    int fd;

    if (stat(path, st) < 0) {
        fail_open(path, options->read_only, options->direct, err);
        return -1;
    }
    if (!check_kind(st, path, err))
        return -1;
    fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, st) < 0)
        fail_open(path, options->read_only, options->direct, err);
    else if (check_kind(st, path, err))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static int lock_byte(int fd, off_t byte)
{
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

    return fcntl(fd, F_OFD_SETLK, &lock) < 0 ? -errno : 0;
}

/* -EBUSY: somebody else holds it. */
static int test_byte(int fd, off_t byte)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

    if (fcntl(fd, F_OFD_GETLK, &lock) < 0)
        return -errno;
    return lock.l_type == F_UNLCK ? 0 : -EBUSY;
}

static int lock_image(int fd, bool read_only)
{
    static const struct {
        off_t byte, opposite;
        bool writer_only;
    } locks[] = {
        {LOCK_USED + PERMISSION_READ, LOCK_DENIED + PERMISSION_READ, false},
        {LOCK_USED + PERMISSION_WRITE, LOCK_DENIED + PERMISSION_WRITE, true},
        {LOCK_USED + PERMISSION_RESIZE, LOCK_DENIED + PERMISSION_RESIZE, true},
        {LOCK_DENIED + PERMISSION_WRITE, LOCK_USED + PERMISSION_WRITE, false},
        {LOCK_DENIED + PERMISSION_RESIZE, LOCK_USED + PERMISSION_RESIZE, false},
    };
    int result = 0;

    /* First lock, then look: of two at once at least one sees the other. */
    for (size_t i = 0; i < G_N_ELEMENTS(locks) && result == 0; i++)
        if (!locks[i].writer_only || !read_only)
            result = lock_byte(fd, locks[i].byte);
    for (size_t i = 0; i < G_N_ELEMENTS(locks) && result == 0; i++)
        if (!locks[i].writer_only || !read_only)
            result = test_byte(fd, locks[i].opposite);
    return result;
}

static bool take_lock(int fd, const char *path, bool read_only, GError **err)
{
    int result = lock_image(fd, read_only);

    switch (-result) {
    case 0:
        return true;
    case EBUSY:
    case EAGAIN:
    case EACCES:
        return vmdesk_fail(err, VMDESK_ERROR_BUSY,
                           "The image %s is in use%s: another running machine, or a program such "
                           "as qemu-img, has it open%s. Stop that one first.",
                           path, read_only ? " by a writer" : "", read_only ? " for writing" : "");
    case ENOLCK:
    case EOPNOTSUPP:
    case EINVAL:
        log_warning("disks",
                    "%s is on a file system without locks: nothing keeps a second "
                    "program from writing to it",
                    path);
        return true;
    default:
        return vmdesk_error_from_errno(err, -result, NULL, "Cannot lock the image %s", path);
    }
}

static struct file *new_file(int fd, const char *path, const struct file_options *options,
                             mode_t mode)
{
    struct real_file *real = g_new0(struct real_file, 1);

    *real = (struct real_file){
        .file = {.ops = &real_ops,
                 .path = g_strdup(options->name != NULL ? options->name : path),
                 .read_only = options->read_only,
                 .direct = options->direct,
                 .fixed_size = S_ISBLK(mode)},
        .fd = fd,
        .block_device = S_ISBLK(mode),
        .direct = options->direct ? direct_new(fd) : NULL,
        .threads = options->threads,
        .ring = G_ONCE_INIT,
    };
    g_mutex_init(&real->lasting_write);
    return &real->file;
}

struct file *file_open(const char *path, const struct file_options *options, GError **err)
{
    struct stat st;
    int fd = open_checked(path, options, &st, err);

    if (fd < 0)
        return NULL;
    if (!take_lock(fd, path, options->read_only, err)) {
        close(fd);
        return NULL;
    }
    return new_file(fd, path, options, st.st_mode);
}

static const char *hint_to_create(int errnum)
{
    if (errnum == EEXIST)
        return "Choose another name, or remove it first";
    return errnum == EACCES || errnum == EPERM || errnum == EROFS
               ? "Choose a folder that you may write to"
               : NULL;
}

struct file *file_create(const char *path, const char *name, GError **err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0600);

    if (fd < 0) {
        vmdesk_error_from_errno(err, errno, hint_to_create(errno), "Cannot create %s",
                                name != NULL ? name : path);
        return NULL;
    }
    if (!take_lock(fd, path, false, err)) {
        close(fd);
        unlink(path);
        return NULL;
    }
    return new_file(fd, path, &(struct file_options){.name = name}, S_IFREG);
}
