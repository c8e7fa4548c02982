/** Channel paths: an image has one for each type of device in it; there is nothing that could happen to them. */

import type { ChannelPaths } from './chsc.ts';
import { type ChannelTable, DEFAULT_CSSID, Report, SCHIB } from './table.ts';

export class TablePaths implements ChannelPaths {
  readonly #table: ChannelTable;

  constructor(table: ChannelTable) {
    this.#table = table;
  }

  #slots(cssid: number): number[] {
    return [...this.#table.slots()].filter(slot => this.#table.identification(slot).cssid === cssid);
  }

  exists(cssid: number): boolean {
    return cssid === DEFAULT_CSSID || this.#slots(cssid).length > 0;
  }

  describe(cssid: number): readonly { readonly path: number; readonly type: number; readonly virtual: boolean }[] {
    const paths = new Map<number, number>();
    for (const slot of this.#slots(cssid)) {
      paths.set(this.#table.bytes(slot, SCHIB + 16, 1)[0]!, this.#table.pathType(slot));
    }
    return [...paths].sort(([a], [b]) => a - b).map(([path, type]) => ({ path, type, virtual: true }));
  }

  /** The path is initialized at once, which a channel report says. */
  reset(cssid: number, path: number): number {
    if (!this.describe(cssid).some(one => one.path === path)) return 3;
    const initialized = Report.channelPath | Report.initialized | Report.solicited;
    if (this.#table.highestCssid === 0) this.#table.report(initialized | path);
    else this.#table.report(initialized | path, initialized | (cssid << 8));
    return 0;
  }
}
