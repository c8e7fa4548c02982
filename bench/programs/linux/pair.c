/* The work of a bare program in one process, then in two at once: lines like a bare program's, for "alone" and
   "together", whose checksum is the same and whose time is that of the slower one. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "../bench.h"

static u64 now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000UL + t.tv_nsec / 1000;
}

/* A process that works for some rounds; its result comes through a pipe. */
static int start(int rounds) {
  int out[2];
  if (pipe(out)) exit(1);
  if (fork() == 0) {
    u64 sum = 0;
    for (int round = 0; round < rounds; round++) sum = sum * 31 + work();
    write(out[1], &sum, sizeof sum);
    _exit(0);
  }
  close(out[1]);
  return out[0];
}

static u64 result(int from) {
  u64 sum;
  if (read(from, &sum, sizeof sum) != sizeof sum) exit(1);
  close(from);
  wait(0);
  return sum;
}

int main(int count, char **arguments) {
  int times = atoi(arguments[1]), rounds = atoi(arguments[2]);
  for (int time = 0; time < times; time++) {
    u64 begin = now(), sum = result(start(rounds));
    printf("bench alone %02x %016lx %016lx\n", time, sum, now() - begin);
    begin = now();
    int first = start(rounds), second = start(rounds);
    if (result(first) != sum || result(second) != sum) {
      printf("bench together went wrong\n");
      return 1;
    }
    printf("bench together %02x %016lx %016lx\n", time, sum, now() - begin);
    fflush(stdout);
  }
  return 0;
}
