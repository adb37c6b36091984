/** Shorter lines of a longer secret (`{`, `}`) are no secret, and masking them would make a log unreadable. */
const SHORTEST_LINE = 6;
const PEM_FRAME = /^-----(BEGIN|END) [A-Z0-9 ]+-----$/;
const MASK = '***';

/**
 * Every form in which a secret could show up in a log: itself, its lines, and each of those escaped for JSON or a
 * URL and in base64 wherever it may begin in the encoded text. Longest first, so that no form hides in another.
 */
export function secretForms(secret: string): string[] {
  const whole = secret.trim();
  if (whole === '') return [];
  const lines = whole
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line === whole || (line.length >= SHORTEST_LINE && !PEM_FRAME.test(line)));
  const forms = [secret, whole, ...lines].flatMap((text) => [
    text,
    JSON.stringify(text).slice(1, -1),
    encodeURIComponent(text),
    ...base64Forms(text),
  ]);
  return [...new Set(forms)].sort((a, b) => b.length - a.length);
}

/** Base64 of a text that begins 0, 1 or 2 bytes into a group of three, without the characters its neighbours share. */
function base64Forms(text: string): string[] {
  const bytes = Buffer.from(text);
  if (bytes.length < 4) return [bytes.toString('base64')];
  const inner = [0, 1, 2].map((shift) => {
    const encoded = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
    const shared = (shift + bytes.length) % 3 === 0 ? 0 : 1;
    const end = encoded.replace(/=+$/, '').length - shared;
    return encoded.slice(shift === 0 ? 0 : shift + 1, end);
  });
  return [...inner, ...inner.map((form) => form.replaceAll('+', '-').replaceAll('/', '_'))];
}

/** Knows the secrets of a run and takes them out of any text. */
export class Redactor {
  #forms: string[] = [];

  /** Adds a secret; @returns the forms that were not known yet. */
  add(secret: string): string[] {
    const fresh = secretForms(secret).filter((form) => !this.#forms.includes(form));
    this.#forms = [...this.#forms, ...fresh].sort((a, b) => b.length - a.length);
    return fresh;
  }

  redact(text: string): string {
    return this.#forms.reduce((rest, form) => rest.replaceAll(form, MASK), text);
  }
}
