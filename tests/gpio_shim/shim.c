/* A GPIO character device that is a line server (drivers/gpio/server.py).
 *
 * Preloaded into a process, it lets libgpiod open GPIO_SHIM_CHIP as if it were a chip of the kernel; chip and line
 * requests become packets to the Unix socket GPIO_SHIM_SOCKET, and edges come back as the kernel's structures.
 * One thread only.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/gpio.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#define FDS 1024
#define PACKET 65536

enum kind { NONE, CHIP, LINES };
static struct { enum kind kind; uint32_t count; uint32_t offsets[GPIO_V2_LINES_MAX]; } fds[FDS];
static char packet[PACKET];

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int is_chip(const char *path)
{
	const char *chip = getenv("GPIO_SHIM_CHIP");
	return chip && path && strcmp(path, chip) == 0;
}

static int tracked(int fd, enum kind kind)
{
	return fd >= 0 && fd < FDS && fds[fd].kind == kind;
}

static int server(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s", getenv("GPIO_SHIM_SOCKET"));
	if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	REAL(close)(fd);
	errno = ENOENT;
	return -1;
}

/* Send a packet and take the answer into `packet`; its first line is cut off. Sets errno on refusal. */
static char *ask(int fd, const char *question)
{
	ssize_t size;
	int number;
	char *rest;

	if (send(fd, question, strlen(question), MSG_NOSIGNAL) < 0 || (size = recv(fd, packet, PACKET - 1, 0)) <= 0) {
		errno = ENODEV;
		return NULL;
	}
	packet[size] = 0;
	if (sscanf(packet, "error\t%d", &number) == 1) {
		errno = number;
		return NULL;
	}
	rest = strchr(packet, '\n');
	return rest ? rest + 1 : packet + size;
}

static int chip_info(int fd, struct gpiochip_info *info)
{
	char *line = ask(fd, "lines");
	uint32_t offset;

	if (!line)
		return -1;
	memset(info, 0, sizeof *info);
	strcpy(info->name, "gpiochip0");
	strcpy(info->label, "simulated");
	for (line = strtok(line, "\n"); line; line = strtok(NULL, "\n"))
		if (sscanf(line, "%u", &offset) == 1 && offset >= info->lines)
			info->lines = offset + 1;
	return 0;
}

static int line_info(int fd, struct gpio_v2_line_info *info)
{
	uint32_t offset, wanted = info->offset;
	char *line = ask(fd, "lines");

	if (!line)
		return -1;
	memset(info, 0, sizeof *info);
	info->offset = wanted;
	for (line = strtok(line, "\n"); line; line = strtok(NULL, "\n")) {
		char *name = strchr(line, '\t') + 1, *consumer = strchr(name, '\t');
		if (sscanf(line, "%u", &offset) != 1 || offset != wanted)
			continue;
		*consumer++ = 0;
		snprintf(info->name, sizeof info->name, "%s", name);
		snprintf(info->consumer, sizeof info->consumer, "%s", consumer);
		info->flags = *consumer ? GPIO_V2_LINE_FLAG_USED : 0;
	}
	return 0;
}

/* One record of a line request: the line's flags, output value and debounce, by the attributes that cover it. */
static int record(const struct gpio_v2_line_request *request, uint32_t index, char *text, size_t room)
{
	const struct gpio_v2_line_config *config = &request->config;
	uint64_t flags = config->flags, bit = 1ull << index, values = 0;
	uint32_t debounce_us = 0;

	for (uint32_t i = 0; i < config->num_attrs; i++) {
		const struct gpio_v2_line_attribute *attr = &config->attrs[i].attr;
		if (!(config->attrs[i].mask & bit))
			continue;
		if (attr->id == GPIO_V2_LINE_ATTR_ID_FLAGS)
			flags = attr->flags;
		if (attr->id == GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES)
			values = attr->values;
		if (attr->id == GPIO_V2_LINE_ATTR_ID_DEBOUNCE)
			debounce_us = attr->debounce_period_us;
	}
	const char *active = flags & GPIO_V2_LINE_FLAG_ACTIVE_LOW ? "low" : "high";
	const char *bias = flags & GPIO_V2_LINE_FLAG_BIAS_PULL_UP ? "pull-up"
		: flags & GPIO_V2_LINE_FLAG_BIAS_PULL_DOWN ? "pull-down"
		: flags & GPIO_V2_LINE_FLAG_BIAS_DISABLED ? "disabled" : "as-is";
	if (flags & GPIO_V2_LINE_FLAG_OUTPUT)
		return snprintf(text, room, "\n%u\tout\t%s\t%d", request->offsets[index], active, !!(values & bit));
	const char *edges = flags & GPIO_V2_LINE_FLAG_EDGE_FALLING ? "both" : "rising";
	return snprintf(text, room, "\n%u\tin\t%s\t%s\t%u\t%s", request->offsets[index], active, bias, debounce_us,
			edges);
}

static int request_lines(struct gpio_v2_line_request *request)
{
	static char text[PACKET];
	int used = snprintf(text, sizeof text, "request\t%s", request->consumer), fd = server();

	if (fd < 0)
		return -1;
	for (uint32_t i = 0; i < request->num_lines; i++)
		used += record(request, i, text + used, sizeof text - used);
	if (!ask(fd, text)) {
		int number = errno;
		REAL(close)(fd);
		errno = number;
		return -1;
	}
	fds[fd].kind = LINES;
	fds[fd].count = request->num_lines;
	memcpy(fds[fd].offsets, request->offsets, sizeof request->offsets);
	request->fd = fd;
	return 0;
}

static int get_values(int fd, struct gpio_v2_line_values *values)
{
	int asking = server(), state;
	char *line = asking < 0 ? NULL : ask(asking, "held");
	uint32_t offset;

	REAL(close)(asking);
	if (!line) {
		errno = ENODEV;
		return -1;
	}
	values->bits = 0;
	for (line = strtok(line, "\n"); line; line = strtok(NULL, "\n"))
		for (uint32_t i = 0; sscanf(line, "%u\t%d", &offset, &state) == 2 && i < fds[fd].count; i++)
			if (fds[fd].offsets[i] == offset && state)
				values->bits |= (1ull << i) & values->mask;
	return 0;
}

static int set_values(int fd, const struct gpio_v2_line_values *values)
{
	char text[4096];
	int used = snprintf(text, sizeof text, "set");

	for (uint32_t i = 0; i < fds[fd].count; i++)
		if (values->mask & 1ull << i)
			used += snprintf(text + used, sizeof text - used, "\n%u\t%d", fds[fd].offsets[i],
					 !!(values->bits & 1ull << i));
	if (send(fd, text, used, MSG_NOSIGNAL) == used)
		return 0;
	errno = ENODEV;
	return -1;
}

int ioctl(int fd, unsigned long request, ...)
{
	uint32_t number = request; /* callers differ in how they extend its sign */
	va_list arguments;
	void *given;

	va_start(arguments, request);
	given = va_arg(arguments, void *);
	va_end(arguments);
	if (tracked(fd, CHIP)) {
		if (number == GPIO_GET_CHIPINFO_IOCTL)
			return chip_info(fd, given);
		if (number == GPIO_V2_GET_LINEINFO_IOCTL)
			return line_info(fd, given);
		if (number == GPIO_V2_GET_LINE_IOCTL)
			return request_lines(given);
	}
	if (tracked(fd, LINES)) {
		if (number == GPIO_V2_LINE_GET_VALUES_IOCTL)
			return get_values(fd, given);
		if (number == GPIO_V2_LINE_SET_VALUES_IOCTL)
			return set_values(fd, given);
	}
	return REAL(ioctl)(fd, request, given);
}

ssize_t read(int fd, void *buffer, size_t room)
{
	struct gpio_v2_line_event event = { 0 };
	unsigned long long time_ns;
	ssize_t size;
	int state;

	if (!tracked(fd, LINES))
		return REAL(read)(fd, buffer, room);
	size = recv(fd, packet, PACKET - 1, 0);
	packet[size < 0 ? 0 : size] = 0;
	if (size <= 0 || room < sizeof event
	    || sscanf(packet, "edge\t%u\t%d\t%llu\t%u\t%u", &event.offset, &state, &time_ns, &event.seqno,
		      &event.line_seqno) != 5) {
		errno = ENODEV;
		return -1;
	}
	event.timestamp_ns = time_ns;
	event.id = state ? GPIO_V2_LINE_EVENT_RISING_EDGE : GPIO_V2_LINE_EVENT_FALLING_EDGE;
	memcpy(buffer, &event, sizeof event);
	return sizeof event;
}

int open(const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode;
	int fd;

	va_start(arguments, flags);
	mode = va_arg(arguments, int);
	va_end(arguments);
	if (!is_chip(path))
		return REAL(open)(path, flags, mode);
	fd = server();
	if (fd >= 0)
		fds[fd].kind = CHIP;
	return fd;
}

int close(int fd)
{
	if (fd >= 0 && fd < FDS)
		fds[fd].kind = NONE;
	return REAL(close)(fd);
}

/* What libgpiod looks at before it opens a path: a character device of the subsystem gpio. */
static int chip_stat(struct stat *found)
{
	memset(found, 0, sizeof *found);
	if (access(getenv("GPIO_SHIM_SOCKET"), F_OK))
		return -1;
	found->st_mode = S_IFCHR | 0660;
	found->st_rdev = makedev(254, 0);
	return 0;
}

int __lxstat(int version, const char *path, struct stat *found);
int __lxstat(int version, const char *path, struct stat *found)
{
	return is_chip(path) ? chip_stat(found) : REAL(__lxstat)(version, path, found);
}

int __xstat(int version, const char *path, struct stat *found);
int __xstat(int version, const char *path, struct stat *found)
{
	return is_chip(path) ? chip_stat(found) : REAL(__xstat)(version, path, found);
}

int lstat(const char *path, struct stat *found)
{
	return is_chip(path) ? chip_stat(found) : REAL(lstat)(path, found);
}

int stat(const char *path, struct stat *found)
{
	return is_chip(path) ? chip_stat(found) : REAL(stat)(path, found);
}

char *realpath(const char *path, char *resolved)
{
	if (path && strcmp(path, "/sys/dev/char/254:0/subsystem") == 0)
		return resolved ? strcpy(resolved, "/sys/bus/gpio") : strdup("/sys/bus/gpio");
	return REAL(realpath)(path, resolved);
}
