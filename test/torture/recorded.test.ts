import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EXIT_FUEL } from '../../src/cpu/engine/protocol.ts';
import { instructions } from '../../src/cpu/isa/index.ts';
import { PER_EVENT } from '../../src/cpu/program.ts';
import { PSW_PER } from '../../src/cpu/registers.ts';
import * as state from '../../src/cpu/state.ts';
import type { Case } from './case.ts';
import { Coverage } from './coverage.ts';
import { generate, mayOccur, pool } from './generate.ts';
import { ENDED, POOL_COUNT } from './layout.ts';
import { FUEL, Lpar } from './lpar.ts';
import { Random } from './random.ts';
import { differences, type Result } from './result.ts';
import { vet } from './vet.ts';

const SEED = 3;
/** Instructions that show the PSW or CR9 to 11, and one that shows whether it was ended early. */
const TELLING = /^(EPSW|ST[NO]SM|STCTL|STCTG|LCTL|LCTLG|LPSW.*|SSM|BAKR|PC|PR|TRAP[24]|ESTA|MSTA|MVST)$/;
const CODE = 0x8e;
const OLD_PSW = 0x150;
/** What a PER interruption stores: code, PER code and address, access identification, breaking event, old PSW. */
const STORED = [
  [0x8c, 4],
  [0x96, 12],
  [0x110, 8],
  [OLD_PSW, 16],
] as const;

/** CR9: branches and instructions, everything that is stored, zero addresses and branches. */
const STORES = 0x2000_0000n;
const EVENTS = [0xc000_0000n, STORES, 0x8400_0000n] as const;

/** Runs what is loaded with events recorded, going on after each; gives the result as if they had not been, and their number. */
function recorded(lpar: Lpar, events: bigint): { result: Result; count: number } {
  const { cpu, storage } = lpar;
  const controls = [9, 10, 11].map(n => cpu.cr(n));
  cpu.setCr(9, events);
  cpu.setCr(10, 0n);
  cpu.setCr(11, 0xffff_ffff_ffff_ffffn);
  cpu.setPsw(cpu.pswMaskWithCc | PSW_PER, cpu.pswAddress);
  cpu.tlb.purge();
  let count = 0;
  let kind = 0;
  for (let fuel = FUEL; !kind && fuel > 0; ) {
    const before = storage.read(0x80, 0x180);
    cpu.setField32(state.FUEL, fuel);
    cpu.setField32(state.PENDING, 0);
    const reason = cpu.step();
    fuel = cpu.field32(state.FUEL) | 0;
    kind = lpar.ended();
    const code = storage.read16(CODE);
    if (kind === ENDED.program && code & PER_EVENT) {
      count++;
      if (code === PER_EVENT) {
        const [mask, address] = [storage.read64(OLD_PSW), storage.read64(OLD_PSW + 8)];
        for (const [at, length] of STORED) storage.write(at, before.subarray(at - 0x80, at - 0x80 + length));
        cpu.setPsw(mask, address);
        kind = lpar.ended();
      } else storage.write16(CODE, code & ~PER_EVENT);
    }
    if (reason === EXIT_FUEL && !kind) break;
  }
  controls.forEach((value, n) => void cpu.setCr(9 + n, value));
  const old = OLD_PSW - (kind === ENDED.supervisorCall ? 16 : 0);
  storage.write64(old, storage.read64(old) & ~PSW_PER);
  return { result: lpar.result(kind), count };
}

const telling = ({ items }: Case): boolean =>
  items.some(({ row, target }) => TELLING.test(row.mnemonic) || TELLING.test(target?.row.mnemonic ?? ''));

test('random programs do the same while program events are recorded', () => {
  const lpar = new Lpar();
  const pools = Array.from({ length: POOL_COUNT }, (_, n) => pool(new Random(SEED, 0, n)));
  lpar.renew(pools);
  const options = { seed: SEED, rows: instructions.filter(mayOccur), longest: 8, accessRegisters: true, keys: false };
  const cases = Array.from({ length: 300 }, (_, n) =>
    vet(lpar, { disagreements: [], endings: [] }, generate(new Random(SEED, n), n, options), new Coverage(), () => {}),
  ).filter(vetted => vetted !== undefined && !telling(vetted.test));
  lpar.renew(pools);
  const plain = cases.map(found => {
    lpar.load(found!.test, found!.placed);
    return lpar.result(lpar.run(FUEL));
  });
  for (const events of EVENTS) {
    lpar.renew(pools);
    let total = 0;
    for (const [n, found] of cases.entries()) {
      lpar.load(found!.test, found!.placed);
      const { result, count } = recorded(lpar, events);
      total += count;
      // After a store that counts, strings are ended early and resumed by a branch.
      const different = differences(plain[n]!, result, { breakingEvent: events === STORES });
      assert.deepEqual(different, [], `case ${found!.test.number}, events ${events.toString(16)}`);
    }
    assert.ok(total > 10, `${total} events ${events.toString(16)}`);
  }
});
