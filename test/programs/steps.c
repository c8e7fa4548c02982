/* steps: adds up the squares of 1 to 10. What a debugger and probes see of it is known. */
#include <stdio.h>

volatile long sum;

__attribute__((noinline)) long square(long n)
{
	return n * n;
}

int main(void)
{
	for (long n = 1; n <= 10; n++)
		sum += square(n);
	printf("sum %ld\n", sum);
	return 0;
}
