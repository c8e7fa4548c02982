import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Storage } from '../machine/storage.ts';
import { Cpu } from './cpu.ts';
import { instructions } from './isa/index.ts';
import * as state from './state.ts';

test('a store counts although another CPU comes to the page while its code page is about to be given up', () => {
  const layout = state.planLayout(2, 0x200000);
  const memory = new WebAssembly.Memory({ initial: layout.wasmPages, maximum: layout.wasmPages, shared: true });
  const storage = new Storage(memory, layout);
  const [executes, stores] = [0, 1].map(number => new Cpu(storage, number, instructions)) as [Cpu, Cpu];
  const FRAME = 0x3000;
  storage.write16(FRAME, 0x1a12);
  executes.code.makePage(FRAME);
  const page = executes.code.pageOf(FRAME);
  const decode = (): boolean => {
    executes.code.decodeAt(FRAME, 0);
    return executes.code.isDecoded(page);
  };
  assert.ok(decode());
  // From here on the frame has been stored to so often that its code page is not worth keeping.
  let asked = 0;
  stores.exclusion.alone = work => {
    asked++;
    executes.setField32(state.CODE_PAGE, page);
    return work();
  };
  for (let n = 0; n < 100; n++) {
    executes.setField32(state.CODE_PAGE, 0);
    stores.code.changed(FRAME, 2);
    assert.equal(executes.code.isDecoded(page), false, `after ${n} stores`);
    assert.ok(decode());
  }
  assert.equal(executes.code.pageOf(FRAME), page);
  assert.ok(asked >= 100);
});
