/** Service-call control blocks: the private copy that a command works on, and the codes. */

export const HEADER_LENGTH = 8;
export const SCCB_MAXIMUM = 4096;

export const Response = {
  normalRead: 0x0010,
  normal: 0x0020,
  boundaryViolation: 0x0100,
  noAction: 0x0120,
  invalidCommand: 0x01f0,
  insufficientLength: 0x0300,
  equipmentCheck: 0x0340,
  standbyRead: 0x0410,
  invalidFunction: 0x40f0,
  noEventBuffers: 0x60f0,
  invalidSelectionMask: 0x70f0,
  inconsistentLengths: 0x72f0,
  eventBufferSyntax: 0x73f0,
  invalidMaskLength: 0x74f0,
} as const;

export class Sccb {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;

  /** @param bytes the block, as long as its length field says; grown to a page for responses that are longer */
  constructor(bytes: Uint8Array) {
    this.bytes = new Uint8Array(Math.max(bytes.length, SCCB_MAXIMUM));
    this.bytes.set(bytes);
    this.view = new DataView(this.bytes.buffer);
  }

  get length(): number {
    return this.view.getUint16(0);
  }
  set length(value: number) {
    this.view.setUint16(0, value);
  }
  get functionCode(): number {
    return this.bytes[2]!;
  }
  /** The guest lets the response be longer or shorter than the request. */
  get variableLength(): boolean {
    return (this.bytes[5]! & 0x80) !== 0;
  }
  clearVariableLength(): void {
    this.bytes[5]! &= 0x7f;
  }
  get response(): number {
    return this.view.getUint16(6);
  }
  set response(value: number) {
    this.view.setUint16(6, value);
  }
}

/** The header of an event buffer: length, type, flags; its data follow at byte 6. */
export const EVENT_HEADER = 6;
export const EVENT_ACCEPTED = 0x80;

export const EventType = {
  operatorCommand: 0x01,
  message: 0x02,
  configuration: 0x04,
  priorityMessage: 0x09,
  identification: 0x0b,
  ascii: 0x1a,
  quiesce: 0x1d,
} as const;

/** The bit of an event type in the event masks, which are 64 bits here. */
export const maskOf = (type: number): bigint => 1n << BigInt(64 - type);
