const SECRET_KEYS = new Set(['root_pass', 'password', 'authorized_keys', 'user_data', 'token', 'secret_key']);
const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g;
const BEARER = /Bearer\s+\S+/gi;
/** Shorter strings would tear ordinary words out of messages. */
const SHORTEST = 6;

/** Every secret in the body of a request, by the names of its keys; user data also in clear. */
export function secretsIn(body: unknown): string[] {
  if (typeof body === 'string') return secretsIn(parsed(body));
  if (typeof body !== 'object' || body === null) return [];
  return Object.entries(body).flatMap(([key, value]) =>
    SECRET_KEYS.has(key) ? texts(value) : secretsIn(value),
  );
}

/** A text on one line, without any of the secrets, private keys and bearer tokens, and of a bearable length. */
export function redact(text: string, secrets: readonly string[]): string {
  const known = secrets.filter((secret) => secret.length >= SHORTEST).sort((a, b) => b.length - a.length);
  const clean = known.reduce((rest, secret) => rest.replaceAll(secret, '***'), text);
  const line = clean.replace(PRIVATE_KEY, '***').replace(BEARER, 'Bearer ***').replace(/\s+/g, ' ').trim();
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}

function texts(value: unknown): string[] {
  if (typeof value === 'string') return [value, Buffer.from(value, 'base64').toString('utf8')];
  return Array.isArray(value) ? value.flatMap(texts) : [];
}

function parsed(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' ? value : undefined;
  } catch {
    return undefined;
  }
}
