/* An interpreter of byte codes: a stack machine that runs recursion, a sieve and a search for long Collatz sequences. */
#include "bench.h"

const char name[] = "bytecode";

enum { push, load, store, fetch, put, add, sub, mul, and, shift, less, equal, jump, branch, call, ret, end, label = 0x3fff };
/* What branches name: `label, n` is where L(n) leads. */
#define L(n) (0x4000 + n)

/* Fibonacci numbers by recursion: n is the variable 0 of each call. */
static const short fibonacci[] = {
  push, 23, call, L(1), 1, end,
  label, 1, load, 0, push, 2, less, branch, L(2),
    load, 0, push, 1, sub, call, L(1), 1,
    load, 0, push, 2, sub, call, L(1), 1, add, ret,
  label, 2, load, 0, ret,
};

/* Counts primes below 8192: variables are number, multiple, count. */
static const short primes[] = {
  push, 2, store, 0, push, 0, store, 2,
  label, 1, load, 0, fetch, branch, L(3),
    load, 2, push, 1, add, store, 2,
    load, 0, store, 1,
    label, 2, push, 1, load, 1, put,
      load, 1, load, 0, add, store, 1,
      load, 1, push, 8192, less, branch, L(2),
  label, 3, load, 0, push, 1, add, store, 0,
  load, 0, push, 8192, less, branch, L(1),
  load, 2, end,
};

/* The longest Collatz sequence from below 3000: variables are start, value, length, longest. */
static const short collatz[] = {
  push, 1, store, 0, push, 0, store, 3,
  label, 1, load, 0, store, 1, push, 0, store, 2,
  label, 2, load, 1, push, 1, equal, branch, L(4),
    load, 2, push, 1, add, store, 2,
    load, 1, push, 1, and, branch, L(3),
    load, 1, push, -1, shift, store, 1, jump, L(2),
    label, 3, load, 1, push, 3, mul, push, 1, add, store, 1, jump, L(2),
  label, 4, load, 2, load, 3, less, branch, L(5), load, 2, store, 3,
  label, 5, load, 0, push, 1, add, store, 0,
  load, 0, push, 3000, less, branch, L(1),
  load, 3, end,
};

/* Leaves the labels out and puts places for their names. */
static void assemble(const short *from, int length, short *to) {
  short places[8];
  for (int pass = 0; pass < 2; pass++) {
    int at = 0;
    for (int n = 0; n < length; n++)
      if (from[n] == label) places[from[++n]] = at;
      else to[at++] = from[n] >= L(0) ? places[from[n] - L(0)] : from[n];
  }
}

static u8 memory[8192];
static long stack[1024];

static long run(const short *code) {
  long *top = stack, variables[8] = {0};
  long *local = variables;
  const short *at = code;
  for (;;) {
    switch (*at++) {
    case push: *top++ = *at++; break;
    case load: *top++ = local[*at++]; break;
    case store: local[*at++] = *--top; break;
    case fetch: top[-1] = memory[top[-1]]; break;
    case put: top -= 2, memory[top[1]] = top[0]; break;
    case add: top--, top[-1] += *top; break;
    case sub: top--, top[-1] -= *top; break;
    case mul: top--, top[-1] *= *top; break;
    case and: top--, top[-1] &= *top; break;
    case shift: top--, top[-1] = *top < 0 ? top[-1] >> -*top : top[-1] << *top; break;
    case less: top--, top[-1] = top[-1] < *top; break;
    case equal: top--, top[-1] = top[-1] == *top; break;
    case jump: at = code + *at; break;
    case branch: at = *--top ? code + *at : at + 1; break;
    case call: {
      /* The arguments are the callee's variables; where to go on and the caller's variables lie above them. */
      long *arguments = top - at[1];
      top[0] = at + 2 - code;
      top[1] = local - stack;
      top += 2;
      at = code + at[0];
      local = arguments;
      break;
    }
    case ret: {
      long result = *--top;
      at = code + top[-2];
      long *caller = top[-1] + stack;
      top = local;
      *top++ = result;
      local = caller;
      break;
    }
    default: return top[-1];
    }
  }
}

static long result(const short *program, int length) {
  short code[128];
  assemble(program, length, code);
  return run(code);
}

#define RESULT(program) result(program, sizeof program / sizeof *program)

u64 work(void) {
  for (int n = 0; n < 8192; n++) memory[n] = 0;
  return (RESULT(fibonacci) * 1000003 + RESULT(primes)) * 1000003 + RESULT(collatz);
}
