/**
 * CHANNEL SUBSYSTEM CALL: commands that tell of the channel subsystem and set it up. They are described nowhere in public; what is
 * here is what operating systems and other machines of this kind agree on.
 */

import { type ChannelTable, DEFAULT_CSSID, MOST_CSSID, MOST_SSID, PMCW_VALID, SCHIB } from './table.ts';
import { cssTrace } from './trace.ts';

/** Channel paths, by image. */
export interface ChannelPaths {
  /** RESET CHANNEL PATH; gives the condition code. */
  reset(cssid: number, path: number): number;
  /** The paths of an image, by their numbers. */
  describe(cssid: number): readonly { readonly path: number; readonly type: number; readonly virtual: boolean }[];
  /** Whether there is such an image. */
  exists(cssid: number): boolean;
}

const Response = {
  done: 0x0001,
  invalidRequest: 0x0003,
  notProvided: 0x0004,
  nothingStored: 0x0005,
  invalidFormat: 0x0007,
  invalidImage: 0x0008,
} as const;

/** A command is not carried out, and this response code tells why. */
class Refused extends Error {
  readonly code: number;

  constructor(code: number) {
    super();
    this.code = code;
  }
}

const demand = (condition: boolean, code: number = Response.invalidRequest): void => {
  if (!condition) throw new Refused(code);
};

/** A request: its words behind the header, and how much room there is for data of a response. */
interface Request {
  readonly length: number;
  word(n: number): number;
  readonly room: number;
  readonly table: ChannelTable;
  readonly paths: ChannelPaths;
}

/** What follows the header of a response: a word, mostly zero, and data. */
interface Answer {
  readonly word?: number;
  readonly data?: Uint8Array;
}

const HEADER = 8;
/** Length of most requests. */
const SHORT = 16;
const MULTIPLE_IMAGES = 0x2000_0000;

/** The image that a request names, where it may name another than its own. */
function image({ table, paths }: Request, cssid: number, multiple: boolean): number {
  if (cssid === 0 && !(multiple && table.highestCssid > 0)) return DEFAULT_CSSID;
  demand(multiple && table.highestCssid > 0 && paths.exists(cssid), Response.invalidImage);
  return cssid;
}

/** Bytes that describe a path, by format. */
const DESCRIPTION_SIZES = [8, 32] as const;
const PATH_VALID = 0x80;

function storePathDescriptions(request: Request): Answer {
  const first = request.word(0);
  const second = request.word(1);
  demand(request.length === SHORT && !(first & 0xc000_f000) && !(second & 0xffff_ff00) && request.word(2) === 0);
  const format = (first >>> 8) & 0xf;
  demand((first & 0x0f00_0000) === 0 && format <= 1, Response.invalidFormat);
  const size = DESCRIPTION_SIZES[first & 0x1000_0000 ? 1 : 0];
  const [from, to] = [first & 0xff, second & 0xff];
  demand(from <= to);
  const paths = request.paths
    .describe(image(request, (first >>> 16) & 0xff, (first & MULTIPLE_IMAGES) !== 0))
    .filter(({ path }) => path >= from && path <= to)
    .slice(0, Math.floor(request.room / size));
  const data = new Uint8Array(size * paths.length);
  for (const [n, { path, type }] of paths.entries()) data.set([PATH_VALID, 0, type, path], n * size);
  return { word: size === 8 ? 0 : 1, data };
}

const SUBCHANNEL_DESCRIPTION = 32;
const SUBCHANNEL_VALID = 0x80;
const DEVICE_VALID = 0x40;

function storeSubchannelDescriptions(request: Request): Answer {
  const { table } = request;
  const first = request.word(0);
  const second = request.word(1);
  demand(request.length === SHORT && !(first & 0xffcf_0000) && second >>> 16 === 0 && request.word(2) === 0);
  const ssid = (first >>> 20) & 3;
  const [from, to] = [first & 0xffff, second & 0xffff];
  demand(from <= to && ssid <= table.highestSsid);
  const count = Math.min(to - from + 1, Math.floor(request.room / SUBCHANNEL_DESCRIPTION));
  const data = new Uint8Array(SUBCHANNEL_DESCRIPTION * count);
  for (let n = 0; n < count; n++) {
    const number = from + n;
    const at = n * SUBCHANNEL_DESCRIPTION;
    const slot = table.slotOf({ cssid: DEFAULT_CSSID, ssid, number });
    if (slot < 0) continue;
    // Device number, path-installed mask and channel paths are where the subchannel-information block has them.
    const block = table.locked(slot, () => table.bytes(slot, SCHIB, 24));
    if (!(table.flags(slot) & PMCW_VALID)) continue;
    data.set([SUBCHANNEL_VALID | DEVICE_VALID, 0, block[6]!, block[7]!, block[11]!, 0], at);
    data.set([number >> 8, number], at + 6);
    data.set(block.subarray(16, 24), at + 8);
  }
  return { data };
}

/** Words of general characteristics, and of those of this instruction. */
const GENERAL_WORDS = 510;
const OWN_WORDS = 508;
/** Several images and sets, descriptions of paths in format 1, extended measurement blocks, adapter interruptions. */
const GENERAL: readonly (readonly [word: number, bits: number])[] = [
  [0, 0x0300_0000],
  [1, 0x0007_9000],
  [3, 0x0008_0000],
];
const OWN: readonly (readonly [word: number, bits: number])[] = [
  [0, 0x4000_0000],
  [3, 0x0004_0000],
];

function storeCharacteristics(request: Request): Answer {
  const first = request.word(0);
  demand(request.length === SHORT);
  demand((first & 0x000f_0000) === 0, Response.invalidFormat);
  image(request, (first >>> 8) & 0xff, (first & MULTIPLE_IMAGES) !== 0);
  demand(!(first & 0xdff0_00ff) && request.word(1) === 0 && request.word(2) === 0);
  const data = new Uint8Array(4 * (GENERAL_WORDS + OWN_WORDS));
  const view = new DataView(data.buffer);
  for (const [word, bits] of GENERAL) view.setUint32(4 * word, bits);
  for (const [word, bits] of OWN) view.setUint32(4 * (GENERAL_WORDS + word), bits);
  return { data };
}

const ENABLE_MULTIPLE_IMAGES = 0;
const ENABLE_MULTIPLE_SETS = 2;

function setDomainAttributes({ length, word, table }: Request): Answer {
  const first = word(0);
  demand(length === 0x400 && !(first & 0xf0ff_0000));
  demand((first & 0x0f00_0000) === 0, Response.invalidFormat);
  const operation = first & 0xffff;
  demand(operation === ENABLE_MULTIPLE_IMAGES || operation === ENABLE_MULTIPLE_SETS);
  if (cssTrace.css_enable_facility.on) {
    cssTrace.css_enable_facility.tell(operation === ENABLE_MULTIPLE_IMAGES ? 'mcsse' : 'mss');
  }
  if (operation === ENABLE_MULTIPLE_IMAGES) table.highestCssid = MOST_CSSID;
  else table.highestSsid = MOST_SSID;
  return {};
}

/** Events are told by channel reports here, and nothing is stored beside them. */
function storeEvent(): Answer {
  throw new Refused(Response.nothingStored);
}

const commands: ReadonlyMap<number, (request: Request) => Answer> = new Map([
  [0x0002, storePathDescriptions],
  [0x0004, storeSubchannelDescriptions],
  [0x000e, storeEvent],
  [0x0010, storeCharacteristics],
  [0x0031, setDomainAttributes],
]);

/**
 * Carries out the request in a block of 4096 bytes and puts the response behind it; the length of the request has been
 * checked.
 */
export function channelSubsystemCall(
  block: Uint8Array,
  table: ChannelTable,
  paths: ChannelPaths,
  unimplemented: (what: string) => void,
): void {
  const view = new DataView(block.buffer, block.byteOffset, block.length);
  const length = view.getUint16(0);
  const command = view.getUint16(2);
  const room = block.length - length - HEADER;
  // The request is read before the response takes its place.
  const request = { length, word: (n: number) => view.getUint32(4 + 4 * n), room, table, paths };
  const respond = (code: number, { word = 0, data = new Uint8Array(0) }: Answer): void => {
    const fits = data.subarray(0, room);
    block.fill(0, length);
    view.setUint16(length, HEADER + fits.length);
    view.setUint16(length + 2, code);
    view.setUint32(length + 4, word);
    block.set(fits, length + HEADER);
  };
  const carryOut = commands.get(command);
  if (!carryOut) {
    unimplemented(`CHSC command X'${command.toString(16).padStart(4, '0')}'`);
    return respond(Response.notProvided, {});
  }
  try {
    respond(Response.done, carryOut(request));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    respond(error.code, {});
  }
}
