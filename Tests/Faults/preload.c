// Makes chosen system calls fail, or kills the process at them. The fault tests load it into
// `lockstep` with LD_PRELOAD: no disk fails on request, and no process is killed between two chosen
// calls from outside. It replaces the C library's functions, so the program itself is not changed.
//
// Counted are the calls that change or read something below the directory FAULT_DIR. The first call
// is number 1.
//
//   FAULT_DIR     the directory, absolute
//   FAULT_CALLS   the functions that count, separated by commas; default: all that change the disk
//   FAULT_PATH    only paths that contain this text count
//   FAULT_AT      the number of the call at which the fault happens; no fault without it
//   FAULT_STAYS   set: the fault happens at all later calls too
//   FAULT_ACTION  kill           SIGKILL to this process, before the call
//                 torn           writes half of the bytes, then SIGKILL
//                 short          writes half of the bytes, and reports so
//                 errno=N        the call fails with this error number
//                 half=N         writes half of the bytes; the next call fails with this error number
//                 signal=N       sends this signal to FAULT_TARGET, then makes the call
//                 flip=HEX       flips one bit wherever these bytes are in the process's memory
//   FAULT_RANK    the rank in which the fault happens; default 0
//   FAULT_TARGET  the rank that gets the signal, or "mpirun"; default: this process
//   FAULT_PIDS    a directory in which each rank leaves its process number, for FAULT_TARGET
//   FAULT_LOG     a file for the counted calls of FAULT_RANK: number, function, paths, and for a write
//                 its offset and length, separated by tabs
//   FAULT_DATA    a directory for what each logged write writes, in files named by its number
#define _GNU_SOURCE
#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *directory, *calls, *filter, *action, *target, *pids, *data;
static long at;
static bool stays, is_active;
static int log_file = -1;
static long count;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static __thread bool is_inside;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define DEFAULT_CALLS "open,write,fsync,rename,unlink,rmdir,link,mkdir,ftruncate,close"

static long number(const char *name, long missing) {
  const char *text = getenv(name);
  return text == NULL ? missing : strtol(text, NULL, 10);
}

static const char *own_rank(void) {
  const char *rank = getenv("OMPI_COMM_WORLD_RANK");
  return rank == NULL ? "0" : rank;
}

__attribute__((constructor)) static void prepare(void) {
  directory = getenv("FAULT_DIR");
  pids = getenv("FAULT_PIDS");
  if (pids != NULL) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", pids, own_rank());
    FILE *file = fopen(path, "w");
    if (file != NULL) {
      fprintf(file, "%d\n", getpid());
      fclose(file);
    }
  }
  is_active = directory != NULL && number("FAULT_RANK", 0) == strtol(own_rank(), NULL, 10);
  calls = getenv("FAULT_CALLS");
  if (calls == NULL) calls = DEFAULT_CALLS;
  filter = getenv("FAULT_PATH");
  action = getenv("FAULT_ACTION");
  target = getenv("FAULT_TARGET");
  data = getenv("FAULT_DATA");
  at = number("FAULT_AT", 0);
  stays = getenv("FAULT_STAYS") != NULL;
  const char *log = getenv("FAULT_LOG");
  if (is_active && log != NULL) {
    log_file = REAL(open)(log, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0644);
  }
}

// Copies the absolute path that a call means.
static void resolve(char *result, int folder, const char *path) {
  char base[PATH_MAX] = "";
  if (path[0] != '/') {
    char link[64] = "/proc/self/cwd";
    if (folder != AT_FDCWD) snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    const ssize_t length = readlink(link, base, sizeof base - 2);
    base[length < 0 ? 0 : length] = '\0';
    strcat(base, "/");
  }
  snprintf(result, PATH_MAX, "%.2000s%.2000s", base, strncmp(path, "./", 2) == 0 ? path + 2 : path);
}

static void resolve_descriptor(char *result, int descriptor) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t length = readlink(link, result, PATH_MAX - 1);
  result[length < 0 ? 0 : length] = '\0';
}

static bool is_listed(const char *name) {
  const size_t length = strlen(name);
  for (const char *found = calls; (found = strstr(found, name)) != NULL; found += length) {
    const bool begins = found == calls || found[-1] == ',';
    if (begins && (found[length] == ',' || found[length] == '\0')) return true;
  }
  return false;
}

static bool is_counted(const char *name, const char *path) {
  const size_t length = strlen(directory);
  return is_listed(name) && strncmp(path, directory, length) == 0 &&
         (path[length] == '/' || path[length] == '\0') &&
         (filter == NULL || strstr(path, filter) != NULL);
}

static void note(const char *name, const char *path, const char *other, int descriptor,
                 const void *bytes, size_t size) {
  if (log_file < 0) return;
  char line[3 * PATH_MAX];
  long offset = -1;
  if (descriptor >= 0) {
    // Appending writes at the end, wherever the position is.
    const bool appends = (fcntl(descriptor, F_GETFL) & O_APPEND) != 0;
    struct stat information;
    offset = appends && fstat(descriptor, &information) == 0 ? (long)information.st_size
                                                             : (long)lseek(descriptor, 0, SEEK_CUR);
  }
  const int length = snprintf(line, sizeof line, "%ld\t%s\t%s\t%s\t%ld\t%zu\n", count, name, path,
                              other == NULL ? "-" : other, offset, size);
  if (REAL(write)(log_file, line, (size_t)length) < 0) abort();
  if (data != NULL && bytes != NULL) {
    snprintf(line, sizeof line, "%s/%ld", data, count);
    const int copy = REAL(open)(line, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0644);
    if (copy < 0 || REAL(write)(copy, bytes, size) != (ssize_t)size) abort();
    REAL(close)(copy);
  }
}

static void send_signal(int signal) {
  pid_t process = getpid();
  if (target != NULL && strcmp(target, "mpirun") == 0) {
    process = getppid();
  } else if (target != NULL) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", pids, target);
    FILE *file = fopen(path, "r");
    if (file == NULL || fscanf(file, "%d", &process) != 1) abort();
    fclose(file);
  }
  kill(process, signal);
}

// Flips the lowest bit of the first of these bytes, wherever they are in writable memory.
static void flip(const char *hexadecimal) {
  static unsigned char pattern[256];
  size_t size = 0;
  for (; isxdigit(hexadecimal[0]) && size < sizeof pattern; hexadecimal += 2) {
    unsigned byte;
    if (sscanf(hexadecimal, "%2x", &byte) != 1) abort();
    pattern[size++] = (unsigned char)byte;
  }
  FILE *maps = fopen("/proc/self/maps", "r");
  char line[PATH_MAX + 128];
  int flipped = 0;
  while (fgets(line, sizeof line, maps) != NULL) {
    unsigned char *start, *end;
    char mode[8];
    if (sscanf(line, "%p-%p %7s", (void **)&start, (void **)&end, mode) != 3) continue;
    if (strncmp(mode, "rw", 2) != 0) continue;
    while (start < end) {
      unsigned char *found = memmem(start, (size_t)(end - start), pattern, size);
      if (found == NULL) break;
      if (found != pattern) {
        found[0] ^= 1;
        flipped++;
      }
      start = found + size;
    }
  }
  fclose(maps);
  dprintf(2, "fault: flipped a bit at %d places\n", flipped);
}

enum { PROCEED, FAIL, HALF, TEAR };

// Counts a call, logs it, and does or says what happens at it.
static int pass(const char *name, const char *path, const char *other, int descriptor,
                const void *bytes, size_t size) {
  if (!is_active || is_inside) return PROCEED;
  if (!is_counted(name, path) && !(other != NULL && is_counted(name, other))) return PROCEED;
  const int before = errno;
  is_inside = true;
  int result = PROCEED;
  pthread_mutex_lock(&mutex);
  count++;
  note(name, path, other, descriptor, bytes, size);
  if (at > 0 && action != NULL && (count == at || (stays && count > at))) {
    const char *value = strchr(action, '=');
    if (strcmp(action, "kill") == 0) {
      kill(getpid(), SIGKILL);
    } else if (strcmp(action, "torn") == 0) {
      result = bytes == NULL ? (kill(getpid(), SIGKILL), FAIL) : TEAR;
    } else if (strcmp(action, "short") == 0) {
      result = bytes == NULL ? PROCEED : HALF;
    } else if (strncmp(action, "signal=", 7) == 0) {
      send_signal(atoi(value + 1));
    } else if (strncmp(action, "flip=", 5) == 0) {
      flip(value + 1);
    } else if (strncmp(action, "half=", 5) == 0) {
      result = HALF;
    } else if (strncmp(action, "errno=", 6) == 0) {
      result = FAIL;
    } else {
      dprintf(2, "fault: unknown FAULT_ACTION '%s'\n", action);
      abort();
    }
  }
  if (at > 0 && count == at + 1 && action != NULL && strncmp(action, "half=", 5) == 0) result = FAIL;
  pthread_mutex_unlock(&mutex);
  is_inside = false;
  errno = result == FAIL ? atoi(strchr(action, '=') + 1) : before;
  return result;
}

static int pass_path(const char *name, int folder, const char *path) {
  if (!is_active || is_inside) return PROCEED;
  char full[PATH_MAX];
  resolve(full, folder, path);
  return pass(name, full, NULL, -1, NULL, 0);
}

static int pass_paths(const char *name, int from, const char *source, int to, const char *path) {
  if (!is_active || is_inside) return PROCEED;
  char first[PATH_MAX], second[PATH_MAX];
  resolve(first, from, source);
  resolve(second, to, path);
  return pass(name, first, second, -1, NULL, 0);
}

static int pass_descriptor(const char *name, int descriptor, const void *bytes, size_t size) {
  if (!is_active || is_inside) return PROCEED;
  char full[PATH_MAX];
  resolve_descriptor(full, descriptor);
  return pass(name, full, NULL, bytes == NULL ? -1 : descriptor, bytes, size);
}

// MARK: The replaced functions

// "open" is opening for writing, "read-open" opening for reading, of directories too.
static int pass_open(int folder, const char *path, int flags) {
  const bool writes = (flags & O_ACCMODE) != O_RDONLY;
  return pass_path(writes ? "open" : "read-open", folder, path);
}

#define OPEN(name)                                                      \
  int name(const char *path, int flags, ...) {                          \
    va_list arguments;                                                  \
    va_start(arguments, flags);                                         \
    const mode_t mode = va_arg(arguments, mode_t);                      \
    va_end(arguments);                                                  \
    if (pass_open(AT_FDCWD, path, flags) == FAIL) return -1;            \
    return REAL(name)(path, flags, mode);                               \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                    \
  int name(int folder, const char *path, int flags, ...) {              \
    va_list arguments;                                                  \
    va_start(arguments, flags);                                         \
    const mode_t mode = va_arg(arguments, mode_t);                      \
    va_end(arguments);                                                  \
    if (pass_open(folder, path, flags) == FAIL) return -1;              \
    return REAL(name)(folder, path, flags, mode);                       \
  }
OPENAT(openat)
OPENAT(openat64)

int creat(const char *path, mode_t mode) { return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

ssize_t write(int descriptor, const void *bytes, size_t size) {
  switch (pass_descriptor("write", descriptor, bytes, size)) {
    case FAIL: return -1;
    case HALF: return REAL(write)(descriptor, bytes, (size + 1) / 2);
    case TEAR:
      if (REAL(write)(descriptor, bytes, size / 2) >= 0) kill(getpid(), SIGKILL);
      abort();
    default: return REAL(write)(descriptor, bytes, size);
  }
}

ssize_t read(int descriptor, void *bytes, size_t size) {
  if (pass_descriptor("read", descriptor, NULL, size) == FAIL) return -1;
  return REAL(read)(descriptor, bytes, size);
}

#define PREAD(name, offset_type)                                               \
  ssize_t name(int descriptor, void *bytes, size_t size, offset_type offset) { \
    if (pass_descriptor("read", descriptor, NULL, size) == FAIL) return -1;    \
    return REAL(name)(descriptor, bytes, size, offset);                        \
  }
PREAD(pread, off_t)
PREAD(pread64, off64_t)

#define ON_DESCRIPTOR(name, counted)                                        \
  int name(int descriptor) {                                                \
    if (pass_descriptor(counted, descriptor, NULL, 0) == FAIL) return -1;   \
    return REAL(name)(descriptor);                                          \
  }
ON_DESCRIPTOR(fsync, "fsync")
ON_DESCRIPTOR(fdatasync, "fsync")

int close(int descriptor) {
  if (pass_descriptor("close", descriptor, NULL, 0) != FAIL) return REAL(close)(descriptor);
  // The descriptor is gone, as the kernel leaves it.
  const int error = errno;
  REAL(close)(descriptor);
  errno = error;
  return -1;
}

int ftruncate(int descriptor, off_t size) {
  if (pass_descriptor("ftruncate", descriptor, NULL, (size_t)size) == FAIL) return -1;
  return REAL(ftruncate)(descriptor, size);
}

#define ON_PATH(name, counted, declaration, ...)                            \
  int name declaration {                                                    \
    if (pass_path(counted, AT_FDCWD, path) == FAIL) return -1;              \
    return REAL(name)(__VA_ARGS__);                                         \
  }
ON_PATH(unlink, "unlink", (const char *path), path)
ON_PATH(rmdir, "rmdir", (const char *path), path)
ON_PATH(mkdir, "mkdir", (const char *path, mode_t mode), path, mode)

int remove(const char *path) {
  struct stat information;
  const bool is_folder = lstat(path, &information) == 0 && S_ISDIR(information.st_mode);
  return is_folder ? rmdir(path) : unlink(path);
}

int mkdirat(int folder, const char *path, mode_t mode) {
  if (pass_path("mkdir", folder, path) == FAIL) return -1;
  return REAL(mkdirat)(folder, path, mode);
}

int unlinkat(int folder, const char *path, int flags) {
  const char *name = (flags & AT_REMOVEDIR) != 0 ? "rmdir" : "unlink";
  if (pass_path(name, folder, path) == FAIL) return -1;
  return REAL(unlinkat)(folder, path, flags);
}

int rename(const char *source, const char *path) {
  if (pass_paths("rename", AT_FDCWD, source, AT_FDCWD, path) == FAIL) return -1;
  return REAL(rename)(source, path);
}

int renameat(int from, const char *source, int to, const char *path) {
  if (pass_paths("rename", from, source, to, path) == FAIL) return -1;
  return REAL(renameat)(from, source, to, path);
}

int link(const char *source, const char *path) {
  if (pass_paths("link", AT_FDCWD, source, AT_FDCWD, path) == FAIL) return -1;
  return REAL(link)(source, path);
}

int linkat(int from, const char *source, int to, const char *path, int flags) {
  if (pass_paths("link", from, source, to, path) == FAIL) return -1;
  return REAL(linkat)(from, source, to, path, flags);
}
