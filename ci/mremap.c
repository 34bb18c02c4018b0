// What QEMU refuses: an mremap(2) with an old length of 0, which maps shared pages a second time.
// ci/aarch64.sh loads this into emulated programs. It maps the file that /proc/self/maps shows at
// the address. Any other call goes to the kernel.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

// The programs for this machine that an emulated one starts cannot load it.
__attribute__((constructor)) static void do_not_inherit(void) { unsetenv("LD_PRELOAD"); }

// The open file that is mapped: a region keeps its own open, for the locks on it. Observers have
// one that cannot be written.
static int file_of(dev_t device, unsigned long inode, int is_written) {
  struct stat found;
  for (int file = 0; file < 4096; file++) {
    // By number: libraries older than glibc 2.33 do not have the function.
    int is_open = syscall(SYS_fstat, file, &found) == 0;
    if (!is_open || found.st_dev != device || found.st_ino != inode) continue;
    if (!is_written || (fcntl(file, F_GETFL) & O_ACCMODE) == O_RDWR) return file;
  }
  return -1;
}

static void *map_again(unsigned long address, size_t length) {
  FILE *maps = fopen("/proc/self/maps", "re");
  unsigned long start, end, offset, inode;
  unsigned major, minor;
  char line[4500], mode[5];
  void *mapped = MAP_FAILED;
  errno = ENOMEM;
  while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
    int words = sscanf(line, "%lx-%lx %4s %lx %x:%x %lu", &start, &end, mode, &offset, &major,
                       &minor, &inode);
    if (words != 7 || address < start || address >= end) continue;
    int is_written = mode[1] == 'w', access = PROT_READ | (is_written ? PROT_WRITE : 0);
    int file = file_of(makedev(major, minor), inode, is_written);
    mapped = mmap(NULL, length, access, MAP_SHARED, file, (off_t)(offset + address - start));
    break;
  }
  if (maps != NULL) fclose(maps);
  return mapped;
}

void *mremap(void *old, size_t old_length, size_t length, int flags, ...) {
  va_list more;
  va_start(more, flags);
  void *wanted = (flags & MREMAP_FIXED) != 0 ? va_arg(more, void *) : NULL;
  va_end(more);
  if (old_length == 0) return map_again((unsigned long)old, length);
  return (void *)syscall(SYS_mremap, old, old_length, length, flags, wanted);
}
