/** The machine's protocol for programs, one command at a time. */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, type Socket } from 'node:net';

export class Qmp {
  readonly events: { readonly event: string; readonly data?: Readonly<Record<string, unknown>> }[] = [];
  readonly #socket: Socket;
  #text = '';
  #answers: ((answer: never) => void)[] = [];

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8').on('data', (text: string) => {
      this.#text += text;
      for (let end = this.#text.indexOf('\n'); end >= 0; end = this.#text.indexOf('\n')) {
        const message = JSON.parse(this.#text.slice(0, end));
        this.#text = this.#text.slice(end + 1);
        if (message.event) this.events.push(message);
        else if (!message.QMP) this.#answers.shift()!(message as never);
      }
    });
  }

  async ask(execute: string, given: object = {}): Promise<never> {
    this.#socket.write(`${JSON.stringify({ execute, arguments: given })}\n`);
    const answer: { return?: unknown; error?: { desc: string } } = await new Promise(resolve => {
      this.#answers.push(resolve as never);
    });
    if (answer.error) throw new Error(answer.error.desc);
    return answer.return as never;
  }

  human = (line: string): Promise<string> => this.ask('human-monitor-command', { 'command-line': line });

  close(): void {
    this.#socket.destroy();
  }
}

/** Connects when the machine listens on the socket. */
export async function talk(path: string): Promise<Qmp> {
  while (!existsSync(path)) await new Promise(resolve => setTimeout(resolve, 50));
  const socket = connect(path);
  await once(socket, 'connect');
  const one = new Qmp(socket);
  await one.ask('qmp_capabilities');
  return one;
}
