/** Control-program identification: what the operating system calls itself. */

import { fromEbcdic } from '../../ebcdic.ts';
import type { Fields, SavedFields } from '../../save/save-state.ts';
import type { EventSource } from './event-facility.ts';
import { EVENT_ACCEPTED, EVENT_HEADER, EventType, Response } from './sccb.ts';

export interface Identification {
  readonly systemType: string;
  readonly systemName: string;
  readonly systemLevel: bigint;
  readonly sysplexName: string;
}

export class ControlProgramIdentification implements EventSource {
  readonly name = 'sclp identification';
  readonly version = 1;
  readonly receives = [EventType.identification];
  readonly sends = [];
  readonly pending = false;
  identification: Identification | undefined;

  write(buffer: Uint8Array): number {
    // Version and reserved byte, system type and name (8 each), 8 reserved, level, sysplex name.
    const at = EVENT_HEADER + 2;
    if (buffer.length < at + 48) return Response.inconsistentLengths;
    const text = (offset: number): string =>
      new TextDecoder('latin1').decode(fromEbcdic(buffer.slice(at + offset, at + offset + 8))).trim();
    const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
    this.identification = {
      systemType: text(0),
      systemName: text(8),
      systemLevel: view.getBigUint64(at + 24),
      sysplexName: text(32),
    };
    buffer[3]! |= EVENT_ACCEPTED;
    return Response.normal;
  }

  reset(): void {
    this.identification = undefined;
  }

  save(): Fields {
    return { identification: this.identification ? { ...this.identification } : null };
  }

  load(saved: SavedFields): () => void {
    const identification = saved.optional('identification', () => {
      const fields = saved.group('identification');
      return {
        systemType: fields.text('systemType'),
        systemName: fields.text('systemName'),
        systemLevel: fields.doubleword('systemLevel'),
        sysplexName: fields.text('sysplexName'),
      };
    });
    return () => {
      this.identification = identification;
    };
  }
}
