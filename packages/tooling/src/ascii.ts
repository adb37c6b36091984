/**
 * Writes a program in ASCII alone: V8 keeps a text that is not in two bytes a character, which are 5 MB more for a bundle.
 *
 * @throws Error where that would change what the program says, which it does in a raw template alone
 */
export function inAscii(program: string): string {
  const [raw] = /String\.raw`(?:[^`\\]|\\[^])*?[^\0-\x7f]/.exec(program) ?? [];
  if (raw !== undefined)
    throw new Error(
      `A raw template holds what is not ASCII, and cannot be written otherwise: ${raw.slice(-80)}`,
    );
  return program.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
