/*
 * clocks SECONDS: threads, one for each CPU, read clocks; no reading may be earlier than one that another thread had
 * before. Then what PERFORM TIMING FACILITY FUNCTION tells a program is compared with them.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static uint64_t monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static uint64_t realtime(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static uint64_t store_clock(void)
{
	uint64_t value;

	asm volatile("stck %0" : "=Q"(value) : : "cc");
	return value;
}

static uint64_t store_clock_fast(void)
{
	uint64_t value;

	asm volatile("stckf %0" : "=Q"(value) : : "cc");
	return value;
}

static const struct clock {
	const char *name;
	uint64_t (*read)(void);
	int unique;
} clocks[] = {
	{ "monotonic", monotonic, 0 },
	{ "realtime", realtime, 0 },
	{ "STCK", store_clock, 1 },
	{ "STCKF", store_clock_fast, 0 },
};

static const struct clock *clock_now;
static uint64_t latest;
static volatile int stop;

struct reader {
	pthread_t thread;
	int cpu;
	unsigned long readings, backwards;
};

static void *read_clock(void *argument)
{
	struct reader *self = argument;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(self->cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		self->backwards++;
	while (!stop) {
		uint64_t before = __atomic_load_n(&latest, __ATOMIC_SEQ_CST);
		uint64_t now = clock_now->read();

		self->readings++;
		if (now < before || (clock_now->unique && now == before))
			self->backwards++;
		while (before < now && !__atomic_compare_exchange_n(&latest, &before, now, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			;
	}
	return NULL;
}

static int timing(unsigned long function, void *block)
{
	register unsigned long code asm("0") = function;
	register void *address asm("1") = block;
	int cc;

	asm volatile("ptff; ipm %0; srl %0,28" : "=d"(cc) : "d"(code), "d"(address) : "cc", "memory");
	return cc;
}

static void compare_clocks(int seconds)
{
	int cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct reader *readers = calloc(cpus, sizeof(*readers));
	uint64_t functions[2], offset[4], steering[7], before, after;
	int n;

	for (clock_now = clocks; clock_now < clocks + 4; clock_now++) {
		unsigned long readings = 0, backwards = 0;
		int least = 1;

		latest = stop = 0;
		for (n = 0; n < cpus; n++) {
			readers[n] = (struct reader){ .cpu = n };
			pthread_create(&readers[n].thread, NULL, read_clock, &readers[n]);
		}
		sleep(seconds);
		stop = 1;
		for (n = 0; n < cpus; n++) {
			pthread_join(readers[n].thread, NULL);
			readings += readers[n].readings;
			backwards += readers[n].backwards;
			least = least && readers[n].readings > 0;
		}
		printf("%s on %d CPUs: %lu readings, %lu backwards%s\n", clock_now->name, cpus, readings, backwards, least ? "" : ", idle");
	}
	before = store_clock();
	n = timing(0, functions) | timing(1, offset) | timing(2, steering);
	after = store_clock();
	printf("PTFF: condition code %d, functions %lx\n", n, (unsigned long)(functions[0] >> 56));
	printf("physical clock and offset %s\n",
	       offset[0] + offset[1] > before && offset[0] + offset[1] < after && steering[0] >= offset[0] ? "agree" : "differ");
}

int main(int argc, char **argv)
{
	compare_clocks(argc > 1 ? atoi(argv[1]) : 1);
	return 0;
}
