/**
 * The flat program: functions without locality, called in turn, as an operating system's start is partly like. Each has
 * some 60 instructions that are like nothing another function has, a third of them storage accesses, with short
 * branches between; the data they share is small, so that it is the code that does not fit anywhere.
 */

const GROUP = 50;
/** Calls of functions in one round: some 36 million instructions. */
const CALLS = 600_000;

/** Park and Miller's generator, so that the program is the same everywhere. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return below => {
    state = (state * 48271) % 0x7fffffff;
    return state % below;
  };
}

/** The program with so many functions as C source, like those in programs/. */
export function flatProgram(count: number): string {
  const pick = random(20110517);
  const statement = (): string => {
    const [i, j, k] = [pick(16), pick(16), pick(16)];
    const bits = 1 + pick(30);
    const forms = [
      `s->w[${i}] = s->w[${j}] + (s->w[${k}] ^ ${pick(0x7fff)});`,
      `s->d[${i}] += s->d[${j}] >> ${bits};`,
      `if (s->w[${i}] & ${1 << pick(15)}) s->d[${j}] ^= s->d[${k}];`,
      `if (s->d[${i}] > s->d[${j}]) s->w[${k}] += ${pick(1000)}; else s->w[${k}] ^= s->w[${i}];`,
      `s->b[${pick(64)}] = s->w[${i}] >> ${pick(24)};`,
      `s->w[${i}] -= s->b[${pick(64)}] << ${pick(8)};`,
      `s->d[${i}] = s->d[${j}] << ${bits} | s->d[${k}] >> ${64 - bits};`,
      `if (s->w[${i}] < s->w[${j}]) s->b[${pick(64)}]++;`,
    ];
    return `  ${forms[pick(forms.length)]}`;
  };
  const numbers = Array.from({ length: count }, (_, n) => n);
  const functions = numbers.map(n =>
    [`static __attribute__((noinline)) void f${n}(state *s) {`, ...Array.from({ length: 12 }, statement), '}'].join(
      '\n',
    ),
  );
  // The compiler is slow with one function of so many calls.
  const groups = Array.from({ length: count / GROUP }, (_, n) => {
    const calls = numbers.slice(n * GROUP, (n + 1) * GROUP).map(f => `  f${f}(s);`);
    return [`static __attribute__((noinline)) void g${n}(state *s) {`, ...calls, '}'].join('\n');
  });
  return `#include "bench.h"

const char name[] = "flat${count}";
typedef struct { u64 d[16]; u32 w[16]; u8 b[64]; } state;
static state shared;

${[...functions, ...groups].join('\n')}

u64 work(void) {
  u64 random = 88172645463325252, sum = 0;
  for (int n = 0; n < 16; n++) shared.w[n] = shared.d[n] = next_random(&random);
  for (int n = 0; n < 64; n++) shared.b[n] = n;
  for (int round = 0; round < ${CALLS / count}; round++) {
${groups.map((_, n) => `    g${n}(&shared);`).join('\n')}
  }
  for (int n = 0; n < 16; n++) sum = sum * 31 + shared.d[n] + shared.w[n];
  return sum;
}
`;
}
