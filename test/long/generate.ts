/**
 * Long random programs: functions that call each other, with loops in loops, branches, EXECUTE, accesses to pages whose
 * mapping comes and goes, and stores into their own instructions, into other functions, and - by another CPU - anywhere.
 * A program is text for the assembler; it depends on its seed alone, and its results on nothing else: not on when a
 * timer interrupts it.
 *
 * Registers: 0-8 hold values; 9 an index, 10-12 addresses of data, 13 the number of turns that are left in the innermost
 * loop, 14 the return address, 15 the stack.
 */
import { Random } from '../torture/random.ts';
import { DATA, DATA_PAGES, MAILBOX } from './layout.ts';

export interface Options {
  /** Instructions that a round may execute, about. */
  readonly budget: number;
  /** Who stores into instructions: nobody, the program itself, or the program and another CPU on its request. */
  readonly stores: 'none' | 'own' | 'neighbour';
  /** Which of the instructions that merely compute are used: all, or those of these names. */
  readonly only?: readonly string[];
}

/**
 * Instructions that all machines agree on. Placeholders: %r a register with a value, %e an even one of a pair, %f a
 * floating-point register, g a range of registers; m a storage operand with index, s one without, b and t such on
 * boundaries of 8 and 16 bytes, l one with a length, y one with the length one; i and w immediates of 16 bits, h and u
 * of 32, k and c of 8, z of 6 (the first of each two is signed); q a mask.
 */
const TEMPLATES = `
ar %r,%r|agr %r,%r|agfr %r,%r|algr %r,%r|alr %r,%r|alcgr %r,%r|alcr %r,%r|ark %r,%r,%r|agrk %r,%r,%r|algrk %r,%r,%r
sr %r,%r|sgr %r,%r|sgfr %r,%r|slgr %r,%r|slbgr %r,%r|slbr %r,%r|srk %r,%r,%r|sgrk %r,%r,%r|slgrk %r,%r,%r
nr %r,%r|ngr %r,%r|or %r,%r|ogr %r,%r|xr %r,%r|xgr %r,%r|nrk %r,%r,%r|ogrk %r,%r,%r|xgrk %r,%r,%r
lr %r,%r|lgr %r,%r|lgfr %r,%r|llgfr %r,%r|lghr %r,%r|lgbr %r,%r|llgcr %r,%r|llghr %r,%r|lcgr %r,%r|lpgr %r,%r|lngr %r,%r
ltgr %r,%r|ltr %r,%r|lcr %r,%r|lrvgr %r,%r|lrvr %r,%r|flogr %e,%r|popcnt %r,%r|ipm %r|llgtr %r,%r
lhi %r,i|lghi %r,i|ahi %r,i|aghi %r,i|aghik %r,%r,i|lgfi %r,h|llilf %r,u|llihf %r,u|agfi %r,h|algfi %r,u|slgfi %r,u
nilf %r,u|nihf %r,u|oilf %r,u|xilf %r,u|xihf %r,u|iilf %r,u|nill %r,w|oihh %r,w|iilh %r,w|iihl %r,w|llill %r,w|mhi %r,i|mghi %r,i
msgr %r,%r|msr %r,%r|msgfi %r,h|mlgr %e,%r|mlr %e,%r|mgrk %e,%r,%r
sllg %r,%r,z|srlg %r,%r,z|srag %r,%r,z|rllg %r,%r,z|rll %r,%r,z|sll %r,z|sra %r,z|srl %r,z|sllk %r,%r,z|slda %e,z|srdl %e,z|sllg %r,%r,z(%r)
risbg %r,%r,z,z,z|risbg %r,%r,z,128+z,z|rosbg %r,%r,z,z,z|rxsbg %r,%r,z,z,z|risbgn %r,%r,z,128+z,z
cr %r,%r|cgr %r,%r|clgr %r,%r|clr %r,%r|cghi %r,i|chi %r,i|cgfi %r,h|clgfi %r,u|clfi %r,u|tmll %r,w|tmhh %r,w|cgfr %r,%r
locgr %r,%r,q|locr %r,%r,q|locghi %r,i,q|locg %r,b,q|stocg %r,b,q|loc %r,b,q
l %r,m|lg %r,m|lgf %r,m|llgf %r,m|lh %r,m|lgh %r,m|llgh %r,m|llgc %r,m|lgb %r,m|ic %r,m|lrvg %r,m|lt %r,m|ltg %r,m|lb %r,m|llc %r,m
st %r,m|stg %r,m|sth %r,m|stc %r,m|strvg %r,m|strv %r,m|sty %r,m
a %r,m|ag %r,m|ah %r,m|agf %r,m|al %r,m|alg %r,m|algf %r,m|s %r,m|sg %r,m|sl %r,m|slg %r,m|alcg %r,m|slbg %r,m|agh %r,m
n %r,m|ng %r,m|o %r,m|og %r,m|x %r,m|xg %r,m|c %r,m|cg %r,m|cl %r,m|clg %r,m|ch %r,m|cgh %r,m|cgf %r,m|ms %r,m|msg %r,m|mlg %e,m|mh %r,m|mfy %e,m
la %r,m|lay %r,m|larl %r,.+64
mvi s,c|mviy s,c|tm s,c|ni s,c|oi s,c|xi s,c|cli s,c|asi s,k|agsi s,k|alsi s,k|mvhi s,i|mvghi s,i|mvhhi s,i|cghsi s,i|clfhsi s,w
lm g,s|lmg g,s|stmg g,s|stm g,s|icm %r,q,s|stcm %r,q,s|icmh %r,q,s|clm %r,q,s
mvc l,s|clc l,s|xc l,s|nc l,s|oc l,s
laag %r,%r,b|lang %r,%r,b|laog %r,%r,b|laxg %r,%r,b|laal %r,%r,b|cs %r,%r,b|csg %r,%r,b|cdsg %e,%e,t
cvd %r,m|cvdg %r,t
ld %f,m|std %f,m|le %f,m|ste %f,m|ldr %f,%f|lzdr %f|ldgr %f,%r|lgdr %r,%f|adbr %f,%f|sdbr %f,%f|mdbr %f,%f|ddbr %f,%f|aebr %f,%f|mdb %f,m|adb %f,m|cdgbr %f,%r|cefbr %f,%r|lpdfr %f,%f|lcdfr %f,%f|ldebr %f,%f
dsgr %e,%r|dlgr %e,%r|dlr %e,%r|dr %e,%r
`
  .trim()
  .split('\n')
  .map(line => line.split('|'));

const mnemonicOf = (template: string): string => template.split(' ')[0]!;
/** Their names. */
export const mnemonics: readonly string[] = [...new Set(TEMPLATES.flat().map(mnemonicOf))];

class Writer {
  readonly lines: string[] = [];
  readonly #random: Random;
  readonly #name: string;
  readonly #options: Options;
  readonly #templates: readonly (readonly string[])[];
  /** What one call of each function costs. */
  readonly #costs: number[] = [];
  readonly #patchable: string[] = [];
  #labels = 0;
  /** Targets of EXECUTE, behind the function. */
  #targets: string[] = [];
  #depth = 0;

  constructor(random: Random, name: string, options: Options) {
    this.#random = random;
    this.#name = name;
    this.#options = options;
    const { only } = options;
    this.#templates = only ? [TEMPLATES.flat().filter(template => only.includes(mnemonicOf(template)))] : TEMPLATES;
  }

  #label(): string {
    return `${this.#name}_${this.#labels++}`;
  }

  #register(): string {
    return `%r${this.#random.below(9)}`;
  }

  #fill(template: string): string {
    const random = this.#random;
    const base = (): string => `%r${10 + random.below(3)}`;
    const displacement = (): number => random.pick([8 * random.below(32), 8 * random.below(500), random.below(4080)]);
    const operand = (step: number): string => `${step * Math.floor(displacement() / step)}(${base()})`;
    return template.replace(/%r|%e|%f|\b[a-z]\b/g, what => {
      switch (what) {
        case '%r':
          return this.#register();
        case '%e':
          return `%r${2 * random.below(4)}`;
        case '%f':
          return `%f${random.below(16)}`;
        case 'm':
          return `${displacement()}(${random.chance(0.3) ? '%r9,' : ''}${base()})`;
        case 's':
          return operand(random.pick([1, 8]));
        case 'b':
          return operand(8);
        case 't':
          return operand(16);
        case 'g': {
          const [first, last] = [random.below(9), random.below(9)].toSorted();
          return `%r${first},%r${last}`;
        }
        case 'y':
          return `${displacement()}(1,${base()})`;
        case 'l':
          return `${displacement()}(${random.chance(0.7) ? 1 + random.below(16) : 1 + random.below(256)},${base()})`;
        case 'i':
          return `${random.between(-0x8000, 0x7fff)}`;
        case 'w':
          return `${random.below(0x10000)}`;
        case 'h':
          return `${random.bits() | 0}`;
        case 'u':
          return `${random.bits()}`;
        case 'c':
          return `${random.below(256)}`;
        case 'k':
          return `${random.between(-128, 127)}`;
        case 'z':
          return `${random.below(64)}`;
        case 'q':
          return `${1 + random.below(14)}`;
        default:
          return what;
      }
    });
  }

  #plain(): void {
    const kind = this.#random.pick(this.#templates);
    const template = this.#random.pick(kind);
    // Instructions of their own name have letters like placeholders.
    const [mnemonic, ...rest] = template.split(' ');
    this.lines.push(`${mnemonic} ${this.#fill(rest.join(' '))}`);
  }

  #point(register = 10 + this.#random.below(3)): void {
    const random = this.#random;
    const where = DATA + 16 * random.below((DATA_PAGES * 4096) / 16);
    const near = DATA + 4096 * (1 + random.below(DATA_PAGES)) - 16 * random.below(8);
    this.lines.push(`llilf %r${register},${random.chance(0.3) ? near : where}`);
  }

  /** @returns what it costs; `left`: what it may */
  #statement(left: number): number {
    const { lines } = this;
    const random = this.#random;
    const kind = random.below(100);
    if (kind < 55 || left < 40) {
      const count = 1 + random.below(6);
      for (let n = 0; n < count; n++) this.#plain();
      return count;
    }
    if (kind < 60) {
      this.#point();
      return 1;
    }
    if (kind < 63) {
      lines.push(`lghi %r9,${16 * random.below(16)}`);
      return 1;
    }
    if (kind < 75) return this.#skip(left);
    if (kind < 83 && this.#depth < 3) return this.#loop(left);
    if (kind < 90) return this.#call(left);
    if (kind < 94) return this.#execute();
    if (kind < 99 && this.#options.stores !== 'none') return this.#patch();
    // An exception that is not one of storage: its instruction is passed over.
    lines.push(random.pick(['dsgr %r0,%r9', '.short 0', 'lghi %r9,0; dr %r2,%r9', 'lpq %r1,0(%r10)']));
    return 1;
  }

  #skip(left: number): number {
    const { lines } = this;
    const random = this.#random;
    const [label, otherwise] = [this.#label(), this.#label()];
    const branch = random.pick([
      () => `brc ${1 + random.below(14)},`,
      () => `cgrj ${this.#register()},${this.#register()},${random.pick([2, 4, 6, 8, 10, 12])},`,
      () => `crj ${this.#register()},${this.#register()},${random.pick([2, 4, 6, 8, 10, 12])},`,
      () => `clgij ${this.#register()},${random.below(256)},${random.pick([2, 4, 6, 8, 10, 12])},`,
      () => `cgij ${this.#register()},${random.between(-128, 127)},${random.pick([2, 4, 6, 8, 10, 12])},`,
      () => `brcl ${1 + random.below(14)},`,
    ]);
    lines.push(`${branch()}${label}`);
    let cost = 1 + this.#statements(1 + random.below(3), left / 2);
    if (random.chance(0.3)) {
      lines.push(`j ${otherwise}`, `${label}:`);
      cost += this.#statements(1 + random.below(3), left / 2);
      lines.push(`${otherwise}:`);
    } else lines.push(`${label}:`);
    return cost;
  }

  #loop(left: number): number {
    const { lines } = this;
    const random = this.#random;
    const turns = random.pick([2, 3, 5, 9, 20, 60]);
    const label = this.#label();
    const slot = 160 + 8 * this.#depth++;
    const inMemory = random.chance(0.25);
    if (inMemory) lines.push(`mvghi ${slot}(%r15),${turns}`, `${label}:`);
    else lines.push(`stg %r13,${slot}(%r15)`, `lghi %r13,${turns}`, `${label}:`);
    const cost = this.#statements(1 + random.below(6), left / turns);
    if (inMemory) lines.push(`agsi ${slot}(%r15),-1`, `brc 7,${label}`);
    else lines.push(`brctg %r13,${label}`, `lg %r13,${slot}(%r15)`);
    this.#depth--;
    return (cost + 2) * turns;
  }

  #call(left: number): number {
    const affordable = this.#costs.flatMap((cost, n) => (cost <= left ? [n] : []));
    if (!affordable.length) return this.#statement(0);
    const called = this.#random.pick(affordable);
    const name = `${this.#name}_f${called}`;
    this.lines.push(this.#random.chance(0.7) ? `brasl %r14,${name}` : `larl %r14,${name}; basr %r14,%r14`);
    return this.#costs[called]! + 1;
  }

  #execute(): number {
    const random = this.#random;
    const target = this.#label();
    const template = random.pick([
      'mvc y,s',
      'clc y,s',
      'xc y,s',
      'oc y,s',
      'nc y,s',
      'agr %r,%r',
      'lg %r,m',
      'tm s,0',
    ]);
    const [mnemonic, operands] = template.split(' ');
    this.#targets.push(`${target}: ${mnemonic} ${this.#fill(operands!)}`);
    // The second byte of the target is changed by a register: only lengths can bear that.
    const length = /^(mvc|clc|xc|oc|nc|tm)$/.test(mnemonic!) ? this.#register() : '%r0';
    if (random.chance(0.6)) this.lines.push(`exrl ${length},${target}`);
    else this.lines.push(`larl %r14,${target}; ex ${length},0(%r14)`);
    return 2;
  }

  /** Stores into an instruction: one that follows at once, one of the same function, or one of another. */
  #patch(): number {
    const { lines } = this;
    const random = this.#random;
    const isNew = random.chance(0.3) || !this.#patchable.length;
    const place = isNew ? this.#label() : random.pick(this.#patchable);
    if (isNew) this.#patchable.push(place);
    const value = this.#register();
    if (this.#options.stores === 'neighbour' && random.chance(0.4)) {
      const wait = this.#label();
      lines.push(
        `larl %r9,${place}+2; llilf %r14,${MAILBOX}; stg %r9,0(%r14); sth ${value},8(%r14); lghi %r9,1; stg %r9,16(%r14)`,
        `${wait}: diag %r0,%r0,68; ltg %r9,16(%r14); jne ${wait}; bcr 15,%r0`,
      );
    } else if (random.chance(0.3)) lines.push(`sthrl ${value},${place}+2`);
    else lines.push(`larl %r9,${place}+2; sth ${value},0(%r9); lghi %r9,${16 * random.below(16)}`);
    if (random.chance(0.5)) for (let n = random.below(4); n; n--) this.#plain();
    if (isNew)
      lines.push(`${place}: ${random.pick(['aghi', 'lghi', 'ahi', 'mghi', 'oill', 'tmll'])} ${this.#register()},1`);
    return 5;
  }

  #statements(count: number, left: number): number {
    let cost = 0;
    for (let n = 0; n < count; n++) cost += this.#statement(left - cost);
    return cost;
  }

  function(number: number, budget: number): void {
    const { lines } = this;
    lines.push('.balign 8', `${this.#name}_f${number}:`);
    lines.push('stmg %r13,%r15,104(%r15)', 'aghi %r15,-192');
    this.#targets = [];
    // Else an address in the low core, where interruptions leave what depends on when they came.
    for (const register of [10, 11, 12]) this.#point(register);
    lines.push(`lghi %r9,${16 * this.#random.below(16)}`);
    const cost = this.#statements(3 + this.#random.below(16), budget);
    lines.push('lmg %r13,%r15,296(%r15)', 'br %r14', ...this.#targets);
    this.#costs.push(cost + 12);
  }
}

/** The program's text: `name` is the label of its main function, and a prefix of all others. */
export function longProgram(seed: number, number: number, options: Options): string {
  const random = new Random(seed, number);
  const writer = new Writer(random, `p${number}`, options);
  const functions = 3 + random.below(16);
  for (let n = 0; n < functions; n++) {
    // The later a function, the more it may do.
    writer.function(n, (options.budget * (n + 1)) / functions / (n === functions - 1 ? 1 : 3));
    // Programs lie across many pages.
    if (random.chance(0.2)) writer.lines.push(`.skip ${2 * random.below(1500)}`);
  }
  writer.lines.push(`p${number} = p${number}_f${functions - 1}`);
  return writer.lines.join('\n');
}
