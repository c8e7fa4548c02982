/** The human monitor on a character device. */

import type { Chardev, ChardevEvent, FrontEnd } from '../../chardev/chardev.ts';
import { version } from '../../version.ts';
import { completions, execute, type MonitorEnvironment, MonitorState } from './commands.ts';
import { LineEditor } from './line-editor.ts';

/** Programs that drive a monitor wait for QEMU's. */
const PROMPT = '(qemu) ';

const encoder = new TextEncoder();

export class Monitor implements FrontEnd {
  readonly #chardev: Chardev;
  readonly #editor: LineEditor;
  readonly #state: MonitorState;
  #decoder = new TextDecoder();
  /** On a multiplexed device the console may have the terminal; what there is to say waits. */
  #hidden = false;
  #unsaid = '';
  #greeted = false;
  /** A command is being carried out: what is typed waits. */
  #busy = false;

  constructor(chardev: Chardev, environment: MonitorEnvironment) {
    this.#chardev = chardev;
    this.#editor = new LineEditor({
      write: text => this.#write(text),
      line: line => void this.#carryOut(line),
      complete: completions,
    });
    const print = (text: string) => this.#write(text.replaceAll('\n', '\r\n'));
    this.#state = new MonitorState(environment, print, this.#editor.history);
    chardev.attach(this);
  }

  #write(text: string): void {
    if (this.#hidden) this.#unsaid += text;
    else this.#chardev.write(encoder.encode(text));
  }

  room(): number {
    return this.#busy ? 0 : 1;
  }

  receive(data: Uint8Array): void {
    for (const character of this.#decoder.decode(data, { stream: true })) this.#editor.type(character);
  }

  event(event: ChardevEvent): void {
    switch (event) {
      case 'open':
        this.#decoder = new TextDecoder();
        this.#greeted = true;
        this.#write(`lpar ${version} monitor - type 'help' for more information\r\n`);
        this.#editor.start(PROMPT);
        break;
      case 'focus': {
        this.#hidden = false;
        const text = this.#unsaid;
        this.#unsaid = '';
        if (text !== '') this.#write(text);
        else this.#editor.show();
        break;
      }
      case 'blur':
        // At the very first nothing has been said yet.
        if (this.#greeted && !this.#hidden) this.#write('\r\n');
        this.#hidden = true;
        break;
    }
  }

  async #carryOut(line: string): Promise<void> {
    this.#busy = true;
    try {
      await execute(line, this.#state);
    } finally {
      this.#busy = false;
    }
    this.#editor.start(PROMPT);
    this.#chardev.inputWanted();
  }
}
