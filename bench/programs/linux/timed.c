/* timed ROUNDS NAME COMMAND...: runs a command several times, and prints for each time a line like a bare program's:
   "bench", the name, the round, a checksum of what the command wrote, and microseconds, numbers in hexadecimal. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static unsigned long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000UL + t.tv_nsec / 1000;
}

int main(int count, char **arguments) {
  if (count < 4) return 2;
  int rounds = atoi(arguments[1]);
  for (int round = 0; round < rounds; round++) {
    int out[2], status;
    if (pipe(out)) return 1;
    unsigned long start = now();
    pid_t child = fork();
    if (child == 0) {
      dup2(out[1], 1);
      close(out[0]);
      close(out[1]);
      execv(arguments[3], arguments + 3);
      perror(arguments[3]);
      _exit(127);
    }
    close(out[1]);
    /* Fowler, Noll and Vo's checksum. */
    unsigned long sum = 0xcbf29ce484222325;
    unsigned char bytes[65536];
    for (long length; (length = read(out[0], bytes, sizeof bytes)) > 0;)
      for (long n = 0; n < length; n++) sum = (sum ^ bytes[n]) * 0x100000001b3;
    close(out[0]);
    if (waitpid(child, &status, 0) != child || status) {
      printf("bench %s went wrong (%x)\n", arguments[2], status);
      return 1;
    }
    printf("bench %s %02x %016lx %016lx\n", arguments[2], round, sum, now() - start);
    fflush(stdout);
  }
  return 0;
}
