/** Reads lines from a terminal, with editing, history and completion in the manner of readline. */

export interface LineEditorOptions {
  readonly write: (text: string) => void;
  readonly line: (text: string) => void;
  /** Ways in which the last word of a line may go on, as whole words. */
  readonly complete: (line: string) => readonly string[];
}

const HISTORY = 64;

export class LineEditor {
  readonly history: string[] = [];
  readonly #options: LineEditorOptions;
  #prompt = '';
  #text: string[] = [];
  #cursor = 0;
  /** Index of the line of the history that is shown; at its end the one that is being typed. */
  #recalled = 0;
  #escape: string | undefined;
  readonly #actions: Readonly<Record<string, () => void>> = {
    '\r': () => this.#enter(),
    '\n': () => this.#enter(),
    '\t': () => this.#complete(),
    '\x01': () => this.#move(0),
    '\x05': () => this.#move(this.#text.length),
    '\x02': () => this.#move(Math.max(0, this.#cursor - 1)),
    '\x06': () => this.#move(Math.min(this.#text.length, this.#cursor + 1)),
    'word-left': () => this.#move(this.#wordStart()),
    'word-right': () => this.#move(this.#wordEnd()),
    '\x04': () => this.#remove(this.#cursor, this.#cursor + 1),
    '\x08': () => this.#remove(this.#cursor - 1, this.#cursor),
    '\x7f': () => this.#remove(this.#cursor - 1, this.#cursor),
    '\x0b': () => this.#remove(this.#cursor, this.#text.length),
    '\x15': () => this.#remove(0, this.#cursor),
    '\x17': () => this.#remove(this.#wordStart(), this.#cursor),
    '\x10': () => this.#recall(-1),
    '\x0e': () => this.#recall(1),
    '\x0c': () => {
      this.#options.write('\x1b[H\x1b[2J');
      this.show();
    },
  };

  constructor(options: LineEditorOptions) {
    this.#options = options;
  }

  /** Begins a line. */
  start(prompt: string): void {
    this.#prompt = prompt;
    this.#set('');
    this.#recalled = this.history.length;
    this.#escape = undefined;
    this.#options.write(prompt);
  }

  /** Shows the line that is being edited again, after something else was written. */
  show(): void {
    this.#options.write(`${this.#prompt}${this.#text.join('')}`);
    this.#moveBack(this.#text.length - this.#cursor);
  }

  type(character: string): void {
    if (this.#escape !== undefined) this.#sequence(this.#escape + character);
    else if (character === '\x1b') this.#escape = '';
    else this.#key(character);
  }

  #sequence(sequence: string): void {
    // ESC [ parameters letter, ESC O letter, or ESC and one character.
    if (sequence === '[' || sequence === 'O' || /^\[[\d;]+$/.test(sequence)) {
      this.#escape = sequence;
      return;
    }
    this.#escape = undefined;
    const keys: Record<string, string> = {
      '[A': '\x10',
      '[B': '\x0e',
      '[C': '\x06',
      '[D': '\x02',
      '[H': '\x01',
      '[F': '\x05',
      OH: '\x01',
      OF: '\x05',
      '[1~': '\x01',
      '[7~': '\x01',
      '[4~': '\x05',
      '[8~': '\x05',
      '[3~': '\x04',
      f: 'word-right',
      b: 'word-left',
    };
    const key = keys[sequence];
    if (key) this.#key(key);
  }

  #key(key: string): void {
    const action = this.#actions[key];
    if (action) action();
    else if (key >= ' ') this.#insert(key);
  }

  #enter(): void {
    const line = this.#text.join('');
    this.#options.write('\r\n');
    if (line.trim() !== '') {
      const known = this.history.indexOf(line);
      if (known >= 0) this.history.splice(known, 1);
      this.history.push(line);
      if (this.history.length > HISTORY) this.history.shift();
    }
    this.#options.line(line);
  }

  #set(text: string): void {
    this.#text = [...text];
    this.#cursor = this.#text.length;
  }

  #insert(text: string): void {
    const added = [...text];
    this.#text.splice(this.#cursor, 0, ...added);
    this.#cursor += added.length;
    if (this.#cursor === this.#text.length) this.#options.write(text);
    else this.#redraw();
  }

  #remove(from: number, to: number): void {
    if (from < 0 || from >= this.#text.length || from === to) return;
    this.#text.splice(from, to - from);
    this.#cursor = from;
    this.#redraw();
  }

  #move(to: number): void {
    if (to < this.#cursor) this.#moveBack(this.#cursor - to);
    else this.#options.write(this.#text.slice(this.#cursor, to).join(''));
    this.#cursor = to;
  }

  #moveBack(columns: number): void {
    if (columns > 0) this.#options.write(`\x1b[${columns}D`);
  }

  #redraw(): void {
    this.#options.write('\r');
    this.show();
    // Clears what is left over behind the end of the line.
    const behind = this.#text.length - this.#cursor;
    this.#options.write(`${behind > 0 ? `\x1b[${behind}C` : ''}\x1b[K`);
    this.#moveBack(behind);
  }

  #wordStart(): number {
    let at = this.#cursor;
    while (at > 0 && this.#text[at - 1] === ' ') at--;
    while (at > 0 && this.#text[at - 1] !== ' ') at--;
    return at;
  }

  #wordEnd(): number {
    let at = this.#cursor;
    while (at < this.#text.length && this.#text[at] === ' ') at++;
    while (at < this.#text.length && this.#text[at] !== ' ') at++;
    return at;
  }

  #recall(step: number): void {
    const to = this.#recalled + step;
    if (to < 0 || to > this.history.length) return;
    this.#recalled = to;
    this.#set(this.history[to] ?? '');
    this.#redraw();
  }

  #complete(): void {
    const line = this.#text.slice(0, this.#cursor).join('');
    const word = /\S*$/.exec(line)![0];
    const words = this.#options.complete(line).filter(candidate => candidate.startsWith(word));
    if (words.length === 0) return;
    let common = words[0]!;
    for (const other of words) while (!other.startsWith(common)) common = common.slice(0, -1);
    if (words.length === 1) common += ' ';
    if (common.length > word.length) {
      this.#insert(common.slice(word.length));
      return;
    }
    this.#options.write(`\r\n${words.join('  ')}\r\n`);
    this.show();
  }
}
