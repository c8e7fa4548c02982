import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instructions } from '../isa/index.ts';
import { machine } from '../testing.ts';
import { handlersOf } from './handlers.ts';
import { PAIRS } from './pairs.ts';

test('every name in the table of pairs is that of a handler', () => {
  const named = Object.values(PAIRS).flatMap(seconds => seconds.split(' '));
  assert.equal(handlersOf(instructions).filter(({ second }) => second).length, named.length);
});

test('a pair does the work of both, whether it is entered at the first or at the second', () => {
  const m = machine(`
        lghi %r3,3
  loop: lgr %r4,%r5
  in:   sllg %r5,%r6,1
        ahi %r7,1
        brct %r3,loop
        chi %r7,5
        jnl end
        lghi %r3,1
        j in
  end:  lgr %r0,%r0`)
    .gr(5, 1)
    .gr(6, 5)
    .gr(7, 0)
    .fast()
    .run();
  assert.deepEqual([m.cpu.gr(4), m.cpu.gr(5), m.cpu.gr(7)], [10n, 10n, 5n]);
});

test('what the first of a pair stores may be the second', () => {
  const m = machine(`
        lghi %r5,3
  loop: stg %r1,0(%r6)
  next: lgr %r2,%r3
        lgr %r6,%r7
        lgr %r7,%r8
        brct %r5,loop`);
  // The third round stores LGR %r2,%r4; LGR %r6,%r7 in the place of what follows.
  m.gr(1, 0xb9040024b9040067n).gr(3, 3).gr(4, 4).gr(6, 0x2000).gr(7, 0x2000).gr(8, m.at('next'));
  assert.equal(m.fast().run().cpu.gr(2), 4n);
});
