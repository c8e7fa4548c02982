/** Known disagreements with qemu-system-s390x 7.2. */

import { AccessFault } from '../../src/cpu/dat.ts';
import { ProgramInterruption } from '../../src/cpu/program.ts';
import { PSW_DAT } from '../../src/cpu/registers.ts';
import {
  branchTarget,
  brokenMove,
  brokenSearch,
  isAccess,
  isNarrow,
  type Knowledge,
  loadedMask,
  mask,
  space,
  unclearedAddresses,
  wrapping,
  wrappingTable,
} from './disagreements.ts';
import { floating, floatingEndings, vectors } from './floating.ts';
import { KEYS } from './generate.ts';
import { DATA_SIZE, WINDOW } from './layout.ts';
import { effectiveAddress, type Step } from './vet.ts';

/** Whether a string of UTF-8 has one of the characters U+0800 to U+0FFF, as far as it can be accessed. */
function hasLowOfThree({ lpar: { cpu }, lpar, operands: { r2 } }: Step): boolean {
  const length = cpu.gr((r2! + 1) & 15) & (isNarrow({ lpar } as Step) ? 0xffff_ffffn : -1n);
  let before = 0;
  try {
    for (let n = 0n; n < length && n < BigInt(DATA_SIZE); n++) {
      const byte = cpu.access.read8((cpu.gr(r2!) + n) & cpu.addressMask, r2!);
      if (before === 0xe0 && byte >= 0xa0 && byte <= 0xbf) return true;
      before = byte;
    }
  } catch (ending) {
    if (!(ending instanceof AccessFault || ending instanceof ProgramInterruption)) throw ending;
  }
  return false;
}

export const qemuKnowledge: Knowledge = {
  vectors: true,
  // Key-controlled protection is not there.
  has: ({ mnemonic }) => !KEYS.test(mnemonic),
  disagreements: [
    ...floating,
    ...vectors,
    {
      mnemonics: /^(CU1[24]|CUTFU)$/,
      when: step => (step.operands.m3! & 1) !== 0 && hasLowOfThree(step),
      reason:
        'the peer takes U+0800 to U+0FFF for invalid when it checks: lpar is right (PoP ch. 7, CONVERT UTF-8 TO UTF-32)',
    },
    {
      mnemonics: /^LPSWE?$/,
      when: ({ lpar, operands }) => (effectiveAddress(lpar, operands, 2) & 7n) !== 0n,
      reason: 'the peer takes an instruction that is suppressed for a breaking event: lpar is right',
    },
    {
      mnemonics: /^(TS|SSM|LPSW)$/,
      when: ({ executed }) => executed,
      reason: 'the peer takes bits 8-15, which EXECUTE may set, for a part of the operation code: lpar is right',
    },
    {
      mnemonics: /^LPSW$/,
      reason: 'the peer does not invert bit 12: lpar is right',
    },
    {
      mnemonics: /^TB$/,
      reason: 'the peer leaves general register 0 as it is: lpar is right',
    },
    {
      mnemonics: /^(SSM|STOSM)$/,
      when: ({ lpar: { cpu }, lpar, operands }) => {
        try {
          const mask = operands.i2 ?? cpu.access.read8(effectiveAddress(lpar, operands, 2), operands.b2!);
          return (mask & 0xb8) !== 0;
        } catch {
          return false;
        }
      },
      reason: 'the peer does not check PSW bits 0-7: lpar is right, specification exception',
    },
    {
      mnemonics: /^LPSWE?$/,
      when: step => {
        const loaded = loadedMask(step);
        return ((loaded >> 46n) & 3n) === 1n || ((loaded >> 52n) & 0xfn) !== 0n;
      },
      reason: 'the peer has neither the access-register mode nor key-controlled protection',
    },
    {
      mnemonics:
        /^(AP|SP|ZAP|CP|MP|DP|SRP|ED|EDMK|CVB|CVBY|CVBG|CVDG|TAR|CUSE|TRTE|TRTRE|PLO|LMD|BSM|BASSM|CPYA|IRBM|EPAIR|ESAIR|EPAR|ESAR|IAC|LCBB|CMPSC|CFC|CRDTE|ESSA|LASP|LPTEA|PFMF|PTF|RRBM|TRACE|TRACG|BAKR|EREG|EREGG|ESTA|MSTA|PR|PALB|PC|PT|SSAR|UPT|RP|LBEAR|STBEAR|LPSWEY)$/,
      reason: 'the peer does not have the instruction',
    },
    {
      mnemonics: /^(LA|LAY|LARL|LAE|LAEY)$/,
      when: isNarrow,
      reason: 'the peer changes bits 0-31 in the 24-bit or 31-bit mode: lpar is right (PoP ch. 7, LOAD ADDRESS)',
    },
    {
      mnemonics: /^LAEY?$/,
      when: step => space(step) === 2,
      reason:
        'the peer takes the secondary-space for the access-register mode: lpar is right (PoP ch. 7, LOAD ADDRESS EXTENDED)',
    },
    {
      mnemonics: /^(?!BRCL|BRASL|LARL|EXRL).*RL$/,
      when: step => space(step) === 2 && (mask(step) & PSW_DAT) !== 0n,
      reason:
        'the peer takes relative operands from the secondary space: lpar is right, they are in the instruction space',
    },
    {
      mnemonics: /^(?!BRCL|BRASL|LARL|EXRL|.*H.*RL).*RL$/,
      when: step =>
        ((step.address + 2 * step.operands.h2!) &
          (step.row.mnemonic.includes('G') && !step.row.mnemonic.includes('F') ? 7 : 3)) !==
        0,
      reason: 'the peer takes relative operands that are not aligned: lpar is right, specification exception',
    },
    {
      mnemonics: /^EX$/,
      when: ({ lpar, operands }) => (effectiveAddress(lpar, operands, 2) & 1n) !== 0n,
      reason: 'the peer executes a target at an odd address: lpar is right, specification exception',
    },
    {
      mnemonics: /^BRCTH$/,
      when: ({ executed }) => executed,
      reason: 'the peer counts from EXECUTE itself, not from its target: lpar is right',
    },
    {
      mnemonics: /^POPCNT$/,
      when: ({ executed }) => executed,
      reason:
        'EXECUTE may make this of another instruction, with a mask that the peer knows as that of facility 61: both are right',
    },
    {
      mnemonics: /^STMH$/,
      reason: 'the peer stores zeros: lpar is right',
    },
    {
      mnemonics: /^(RNSBG|ROSBG|RXSBG)$/,
      when: ({ operands }) => (operands.i3! & 0x80) !== 0,
      reason: 'the peer aborts where only the condition code is wanted',
    },
    {
      mnemonics: /^PKA|^PKU/,
      reason: 'the peer leaves out the leftmost digit: lpar is right',
    },
    {
      mnemonics: /^(CDS|CDSY|CDSG)$/,
      when: ({ operands }) => ((operands.r1! | operands.r3!) & 1) !== 0,
      reason: 'the peer takes odd operands: lpar is right, specification exception',
    },
    {
      mnemonics: /^(MVCLU|CLCLU)$/,
      when: ({ operands, lpar }) =>
        ((lpar.cpu.gr32((operands.r1! + 1) & 15) | lpar.cpu.gr32((operands.r3! + 1) & 15)) & 1) !== 0,
      reason: 'the peer takes an odd length: lpar is right, specification exception',
    },
    {
      mnemonics: /^(B(?!PP|PRP)|C[LG]*[IR][BJ]$)/,
      when: step => branchTarget(step) === step.address + step.row.format.length,
      reason: 'to the peer a branch to the next instruction is a breaking event even if it is not taken: lpar is right',
    },
    {
      // It notes the new one, but goes on to derive one from what an earlier instruction left, unless a branch or
      // EXECUTE came between.
      mnemonics: /^CSPG?$/,
      when: ({ address, executed, test }) =>
        !executed && address !== WINDOW + test.start && test.items.some(({ row }) => !/^CSPG?$/.test(row.mnemonic)),
      reason: 'the peer keeps the condition code of an instruction before: lpar is right',
    },
    {
      mnemonics: /^EPSW$/,
      reason: 'the peer gives an old condition code: lpar is right',
    },
    {
      mnemonics: /^LPDG?$/,
      when: ({ lpar, operands, row }) =>
        ([1, 2] as const).some(n => effectiveAddress(lpar, operands, n) % (row.mnemonic === 'LPD' ? 4n : 8n) !== 0n),
      reason: 'the peer recognises an access exception before a specification exception: lpar is right',
    },
    {
      mnemonics: /^(LRA|LRAG|LRAY|TPROT)$/,
      reason: 'the peer neither translates as it should nor knows of low-address protection: lpar is right',
    },
    {
      mnemonics: /^(SACF?|STRAG)$/,
      reason: 'the peer does not have the instruction, or does not check whether it is allowed: lpar is right',
    },
    {
      mnemonics: /^UNPK$/,
      when: ({ lpar, operands }) => {
        const distance = effectiveAddress(lpar, operands, 1) - effectiveAddress(lpar, operands, 2);
        return distance > -32n && distance < 32n;
      },
      reason: 'the peer fetches a byte again for its second digit: lpar is right (PoP ch. 7, UNPACK)',
    },
    unclearedAddresses,
    wrapping,
    wrappingTable,
    {
      mnemonics: /^CKSM$/,
      when: step => isNarrow(step) && step.lpar.cpu.gr((step.operands.r2! + 1) & 15) >> 32n !== 0n,
      reason: 'the peer takes 64 bits of the length: lpar is right',
    },
    {
      mnemonics: /^TROT$/,
      when: ({ lpar, operands }) => (operands.m3! & 1) === 0 && (lpar.cpu.gr32(0) & 0xffff) > 0xff,
      reason: 'the peer takes a test character of one byte: lpar is right, results have two',
    },
    {
      mnemonics: /^TR[OT][OT]$/,
      when: ({ lpar, operands }) => (operands.r1! & 1) !== 0 || lpar.cpu.gr32((operands.r1! + 1) & 15) === 0,
      reason: 'the peer takes an odd register, and translates one character where the length is zero: lpar is right',
    },
    {
      mnemonics: /^(CLST|SRST|SRSTU|MVST)$/,
      when: ({ lpar, row }) => lpar.cpu.gr32(0) > (row.mnemonic === 'SRSTU' ? 0xffff : 0xff),
      reason: 'the peer does not check general register 0: lpar is right, specification exception',
    },
    {
      mnemonics: /^(TR|STOC|STOCG|STOCFH)$/,
      when: ({ address, test }) => address !== WINDOW + test.start,
      reason: 'the peer loses the condition code: lpar is right',
    },
    {
      mnemonics: /^UNPK$/,
      when: ({ operands }) => operands.l1! >= 2 * operands.l2! - 2,
      reason: 'the peer leaves out the leftmost digit: lpar is right',
    },
    {
      mnemonics: /^CSST$/,
      when: ({ lpar, operands }) => {
        const control = lpar.cpu.gr32(0);
        const [code, size] = [control & 0xff, (control >> 8) & 0xff];
        const aligned = (operand: number, boundary: number): boolean =>
          (effectiveAddress(lpar, operands, operand) & BigInt(boundary - 1)) === 0n;
        return (
          code > 2 ||
          size > 4 ||
          (code === 2 && operands.r3! % 2 !== 0) ||
          !aligned(1, 4 << code) ||
          !aligned(2, 1 << size)
        );
      },
      reason: 'the peer aborts: lpar is right, specification exception',
    },
    {
      mnemonics: /^CSST$/,
      when: ({ lpar }) => (lpar.cpu.gr32(0) & 0xff00) === 0,
      reason: 'the peer aborts where a byte is to be stored: lpar is right',
    },
    {
      mnemonics: /^CSST$/,
      when: ({ lpar }) => (lpar.cpu.gr32(0) & 0xff) === 0,
      reason: 'the peer loads bits 0-31 of the register instead of bits 32-63: lpar is right',
    },
  ],
  outcomes: [brokenMove, brokenSearch(0x2000n)],
  endings: [
    {
      when: ({ row, address, test }, code) =>
        row.mnemonic === 'CLC' && isAccess(code) && address !== WINDOW + test.start,
      reason: 'the peer loses the condition code: lpar is right',
    },
    {
      when: ({ row }, code) => /^LPSWE?$/.test(row.mnemonic) && code === 6,
      reason: 'the peer does not check PSWs: lpar is right, specification exception',
    },
    {
      when: ({ row }, code) => /^LPSWE?$/.test(row.mnemonic) && isAccess(code),
      reason: 'the peer takes an instruction that is nullified for a breaking event: lpar is right',
    },
    ...floatingEndings,
    {
      when: (_, code) => code === 8,
      reason: 'the peer does not recognise fixed-point overflow: lpar is right',
    },
    {
      when: ({ row }, code) =>
        /^(PACK|UNPK|UNPKA|UNPKU|MVO|CLM|CLMY|CLMH|LAM|LAMY|ICM|ICMY|STCM|STCMY|STCMH|ICMH|STAM|STAMY|STM|STMG|STMY|STCTL|STCTG|LCTLG?)$/.test(
          row.mnemonic,
        ) && isAccess(code),
      reason: 'the peer begins to load or store before it meets an access exception: lpar is right',
    },
    {
      when: ({ row }, code) => /^(TR|TRT|TRTR)$/.test(row.mnemonic) && isAccess(code),
      reason: 'the peer stores before it meets an access exception of the second operand: lpar is right',
    },
  ],
};
