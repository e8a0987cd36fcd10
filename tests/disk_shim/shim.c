/* Counts the calls by which a process changes what others see: files, folders and pipes.
 *
 * Preloaded into a process. `shim_arm(n, fault)` chooses the call that is the n-th from then on: before it the process
 * is killed (`fault` 0), or it fails with that errno, once. `shim_left()` is below zero when that has happened.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static atomic_long left = 1L << 40;
static atomic_int fault;

void shim_arm(long calls, int error)
{
	fault = error;
	left = calls;
}

long shim_left(void)
{
	return left;
}

/* Whether this call is to fail; a process that is to die does not come back. */
static int due(void)
{
	if (atomic_fetch_sub(&left, 1) != 1)
		return 0;
	if (fault == 0)
		for (;;)
			kill(getpid(), SIGKILL);
	errno = fault;
	return 1;
}

static int counts(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && (S_ISREG(status.st_mode) || S_ISFIFO(status.st_mode));
}

ssize_t write(int fd, const void *bytes, size_t size)
{
	return counts(fd) && due() ? -1 : REAL(write)(fd, bytes, size);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at)
{
	return due() ? -1 : REAL(pwrite64)(fd, bytes, size, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at)
{
	return due() ? -1 : REAL(pwrite)(fd, bytes, size, at);
}

int ftruncate64(int fd, off64_t size)
{
	return due() ? -1 : REAL(ftruncate64)(fd, size);
}

int ftruncate(int fd, off_t size)
{
	return due() ? -1 : REAL(ftruncate)(fd, size);
}

int fsync(int fd)
{
	return due() ? -1 : REAL(fsync)(fd);
}

int fdatasync(int fd)
{
	return due() ? -1 : REAL(fdatasync)(fd);
}

int rename(const char *from, const char *to)
{
	return due() ? -1 : REAL(rename)(from, to);
}

int unlink(const char *path)
{
	return due() ? -1 : REAL(unlink)(path);
}

int mkdir(const char *path, mode_t mode)
{
	return due() ? -1 : REAL(mkdir)(path, mode);
}

static int opened(const char *name, const char *path, int flags, va_list more)
{
	mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
	int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, name);

	if ((flags & O_CREAT) && access(path, F_OK) != 0 && due())
		return -1;
	return real(path, flags, mode);
}

int open(const char *path, int flags, ...)
{
	va_list more;
	int fd;

	va_start(more, flags);
	fd = opened("open", path, flags, more);
	va_end(more);
	return fd;
}

int open64(const char *path, int flags, ...)
{
	va_list more;
	int fd;

	va_start(more, flags);
	fd = opened("open64", path, flags, more);
	va_end(more);
	return fd;
}
