/**
 * The channel subsystem as the I/O instructions see it (PoP ch. 14). A function gives the condition code, or what is to
 * be stored with it. Addresses of blocks have been checked and are read and written by the instruction.
 */

export interface ChannelSubsystem {
  // By subsystem-identification word. 3: not operational.
  clear(subchannel: number): number;
  halt(subchannel: number): number;
  resume(subchannel: number): number;
  cancel(subchannel: number): number;
  start(subchannel: number, orb: Uint8Array): number;
  /** The subchannel-information block, 52 bytes; undefined: not operational. */
  store(subchannel: number): Uint8Array | undefined;
  modify(subchannel: number, schib: Uint8Array): number;
  /** The interruption-response block, up to 96 bytes, with condition code 0 or 1; undefined: not operational. */
  test(subchannel: number): { readonly cc: number; readonly irb: Uint8Array } | undefined;
  /** The pending interruption among these subclasses (bit 0x80 >> ISC), cleared: three words; undefined: none. */
  testPending(subclasses: number): readonly [number, number, number] | undefined;
  /** A channel-report word, or 0. */
  storeReport(): number;
  resetPath(parameter: number): number;
  setMonitor(parameters: { readonly register1: bigint; readonly register2: bigint }): void;
  setAddressLimit(register1: number): void;
  /** DIAGNOSE X'500': tells the device that a queue has something. False: there is no such device or queue. */
  notify(subchannel: number, queue: number): boolean;
  /** CHANNEL SUBSYSTEM CALL: the block's request, to be replaced by its response; gives the condition code. */
  call(block: Uint8Array): number;
}

/** No channels at all: every subchannel is not operational. */
export const noChannels: ChannelSubsystem = {
  clear: () => 3,
  halt: () => 3,
  resume: () => 3,
  cancel: () => 3,
  start: () => 3,
  store: () => undefined,
  modify: () => 3,
  test: () => undefined,
  testPending: () => undefined,
  storeReport: () => 0,
  resetPath: () => 3,
  setMonitor: () => {},
  setAddressLimit: () => {},
  notify: () => false,
  // Response code X'0004': the command is not there.
  call: block => {
    const length = (block[0]! << 8) | block[1]!;
    block.set([0, 8, 0, 4, 0, 0, 0, 0], length);
    return 0;
  },
};
