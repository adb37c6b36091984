/** Takes secrets out of all output, in the forms in which GitHub's runner knows them. */
export class Masker {
  readonly #forms = new Set<string>();

  constructor(secrets: Iterable<string> = []) {
    for (const secret of secrets) this.add(secret);
  }

  /** Masks a value, and each of its lines. */
  add(secret: string): void {
    for (const part of [secret, ...secret.split(/\r?\n/)].map((text) => text.trim())) {
      if (part !== '') formsOf(part).forEach((form) => this.#forms.add(form));
    }
  }

  mask(text: string): string {
    const longestFirst = [...this.#forms].sort((a, b) => b.length - a.length);
    return longestFirst.reduce((rest, form) => rest.replaceAll(form, '***'), text);
  }

  /** True when a text would be changed by masking. */
  covers(text: string): boolean {
    return this.mask(text) !== text;
  }
}

function formsOf(secret: string): string[] {
  return [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret), ...base64(secret)];
}

/** The secret in base64, wherever in a group of three bytes it begins. */
function base64(secret: string): string[] {
  const bytes = Buffer.from(secret);
  if (bytes.length < 6) return [bytes.toString('base64')];
  return [0, 1, 2].map((shift) => {
    const whole = bytes.subarray((3 - shift) % 3);
    return whole.subarray(0, whole.length - (whole.length % 3)).toString('base64');
  });
}
