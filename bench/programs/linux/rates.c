/*
 * How often per second the kernel does what programs ask of it. Prints "rate", name, count and microseconds, and the same
 * with "warm" when it has done so for a while.
 * With a port as argument: how often devices do - random numbers, a disk past the cache, and the other end of the port,
 * which sends back what it gets.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000L + t.tv_nsec / 1000;
}

/* Every `work` does `count` of something; it is repeated for a time. Prints what is said of it. */
static void repeat(const char *how, const char *name, int count, int (*work)(int count), long microseconds) {
  long total = 0, start = now(), end;
  do {
    if (!work(count)) {
      printf("%s %s went wrong\n", how, name);
      exit(1);
    }
    total += count;
    end = now();
  } while (end - start < microseconds);
  printf("%s %s %ld %ld\n", how, name, total, end - start);
  fflush(stdout);
}

/* In half a second, after a round to warm up. */
static void rate(const char *name, int count, int (*work)(int count)) {
  repeat("first", name, count, work, 1);
  repeat("rate", name, count, work, 500000);
}

/* And in a second when it has been done for some seconds. */
static void rates(const char *name, int count, int (*work)(int count), int seconds) {
  rate(name, count, work);
  repeat("warming", name, count, work, seconds * 1000000L);
  repeat("warm", name, count, work, 1000000);
}

static int system_calls(int count) {
  pid_t parent = getppid();
  for (int n = 0; n < count; n++)
    if (syscall(SYS_getppid) != parent) return 0;
  return 1;
}

static int page_faults(int count) {
  size_t size = count * 4096UL;
  char *at = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return 0;
  madvise(at, size, MADV_NOHUGEPAGE);
  int sum = 0;
  for (size_t n = 0; n < size; n += 4096) at[n] = n >> 12, sum += at[n + 1];
  munmap(at, size);
  return sum == 0;
}

/* Two processes hand a byte to and fro: two switches for each round trip. */
static int there[2], back[2];

static int switches(int count) {
  char byte = 1;
  for (int n = 0; n < count; n += 2)
    if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1) return 0;
  return byte == 1;
}

static int forks(int count) {
  for (int n = 0; n < count; n++) {
    int status;
    pid_t child = fork();
    if (child == 0) _exit(7);
    if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 7) return 0;
  }
  return 1;
}

/* A static program in place of this one: itself, told to do nothing. */
static int executions(int count) {
  for (int n = 0; n < count; n++) {
    int status;
    pid_t child = fork();
    if (child == 0) {
      execl("/proc/self/exe", "rates", "nothing", (char *)0);
      _exit(1);
    }
    if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 7) return 0;
  }
  return 1;
}

static int device;
static char *block;
static unsigned blocks;

static int random_numbers(int count) {
  for (int n = 0; n < count; n++)
    if (read(device, block, 64) != 64) return 0;
  return 1;
}

/* Somewhere else each time. */
static off_t place(void) {
  static unsigned last = 1;
  last = last * 1103515245u + 12345u;
  return (last >> 8) % blocks * 4096UL;
}

static int disk_reads(int count) {
  for (int n = 0; n < count; n++)
    if (pread(device, block, 4096, place()) != 4096) return 0;
  return 1;
}

static int disk_writes(int count) {
  for (int n = 0; n < count; n++)
    if (pwrite(device, block, 4096, place()) != 4096) return 0;
  return 1;
}

static int round_trips(int count) {
  for (int n = 0; n < count; n++)
    if (write(device, block, 1) != 1 || read(device, block, 1) != 1) return 0;
  return 1;
}

static int devices(const char *port) {
  if (posix_memalign((void **)&block, 4096, 4096)) return 1;
  device = open("/dev/hwrng", O_RDONLY);
  rates("random", 50, random_numbers, 2);
  close(device);
  device = open("/dev/vda", O_RDWR | O_DIRECT);
  blocks = lseek(device, 0, SEEK_END) / 4096;
  if (blocks == 0) return 1;
  rates("reads", 50, disk_reads, 2);
  rates("writes", 50, disk_writes, 2);
  close(device);
  device = open(port, O_RDWR);
  rates("roundtrips", 50, round_trips, 2);
  return 0;
}

int main(int count, char **arguments) {
  if (count > 1) return arguments[1][0] == '/' ? devices(arguments[1]) : 7;
  rates("syscalls", 1000, system_calls, 5);
  rates("pagefaults", 1024, page_faults, 5);
  if (pipe(there) || pipe(back)) return 1;
  pid_t child = fork();
  if (child == 0) {
    char byte;
    while (read(there[0], &byte, 1) == 1) write(back[1], &byte, 1);
    _exit(0);
  }
  rates("switches", 200, switches, 5);
  kill(child, 9);
  waitpid(child, 0, 0);
  rates("forks", 10, forks, 5);
  rates("executions", 10, executions, 5);
  return 0;
}
