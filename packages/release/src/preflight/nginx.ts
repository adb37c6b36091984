/** A directive of nginx's configuration, with its block where it has one. */
export interface NginxDirective {
  readonly name: string;
  readonly words: readonly string[];
  readonly block: readonly NginxDirective[];
}

const TOKEN =
  /\s+|#[^\n]*|"((?:\\[^]|[^"\\])*)"|'((?:\\[^]|[^'\\])*)'|([{};])|((?:\\[^]|[^\s;{}"'\\])(?:\\[^]|\$\{[^}]*\}|[^\s;{}\\])*)/gy;

/** Reads what `nginx -T` prints: all files one after the other, which nginx itself has found to be valid. */
export function readNginx(text: string): NginxDirective[] {
  const stack: NginxDirective[][] = [[]];
  let words: string[] = [];
  for (const [, double, single, mark, bare] of text.matchAll(TOKEN)) {
    const word = double ?? single ?? bare;
    if (word !== undefined) words.push(word);
    if (mark === undefined) continue;
    const [name = '', ...rest] = words;
    words = [];
    if (mark === '}') {
      if (stack.length > 1) stack.pop();
      continue;
    }
    const block: NginxDirective[] = [];
    stack.at(-1)?.push({ name, words: rest, block });
    if (mark === '{') stack.push(block);
  }
  return stack[0] ?? [];
}

/** Every directive of a name, however deep it stands. */
export function allOf(directives: readonly NginxDirective[], name: string): NginxDirective[] {
  return directives.flatMap((one) => [...(one.name === name ? [one] : []), ...allOf(one.block, name)]);
}
