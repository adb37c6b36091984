import type { OutputLine } from '@perlstack/local-cloud';

/** How many lines of a list are shown. */
const MOST = 8;
/** What somebody opens in the log of a run when he wants to know: hundreds of lines for ten servers. */
const FOLDED = /^##\[group\](Differences)$/;
const MARKER = /^##\[(group|endgroup)\]/;
/** Lists are indented. */
const ITEM = /^ {2}\S/;
const PROGRESS = /: \d+ of \d+ (packages|MiB)$|: \d+ %$/;

interface List {
  readonly step: string;
  length: number;
}

/** A run's output as a terminal shows it, which folds nothing by itself. */
export class Screen {
  readonly #print: (line: string) => void;
  #list: List | undefined;
  #folded: { readonly title: string; lines: number } | undefined;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  show({ step, text }: OutputLine): void {
    if (this.#fold(step, text) || MARKER.test(text) || PROGRESS.test(text)) return;
    const isItem = ITEM.test(text);
    if (!isItem || this.#list?.step !== step) this.#endList();
    if (isItem) {
      this.#list ??= { step, length: 0 };
      this.#list.length += 1;
      if (this.#list.length > MOST) return;
    }
    this.#print(`  ${step} │ ${text}`);
  }

  /** Says how many lines of a list were left out. */
  #endList(): void {
    const { step, length } = this.#list ?? { step: '', length: 0 };
    if (length > MOST) this.#print(`  ${step} │   … and ${length - MOST} more`);
    this.#list = undefined;
  }

  #fold(step: string, text: string): boolean {
    if (this.#folded === undefined) {
      const title = FOLDED.exec(text)?.[1];
      if (title === undefined) return false;
      this.#endList();
      this.#folded = { title, lines: 0 };
    } else if (text === '##[endgroup]') {
      const { title, lines } = this.#folded;
      this.#print(`  ${step} │ ${title}: ${lines} lines, folded`);
      this.#folded = undefined;
    } else this.#folded.lines += 1;
    return true;
  }
}
