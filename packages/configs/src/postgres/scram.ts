import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { UserError } from '@perlstack/stack';

/** PostgreSQL's own number; more would slow every login down. */
const ITERATIONS = 4_096;
/**
 * The salt is told to everybody who begins to log in. It is derived from the password, so it must not be a quicker way
 * to try passwords than the verifier itself is.
 */
const SALT_ITERATIONS = 16 * ITERATIONS;
const SALT_BYTES = 16;
const HASH_BYTES = 32;

/**
 * The characters for which SASLprep (RFC 4013) changes nothing. Others would have to be normalised as the server and
 * every client library do it, and not all of these agree.
 */
const PRINTABLE_ASCII = /^[ -~]+$/;

/**
 * What PostgreSQL keeps of a password for SCRAM-SHA-256 (RFC 5802, RFC 7677), in the form of `pg_authid.rolpassword`.
 * Given to `ALTER ROLE` in place of a password, the server and its logs never see that. The same input gives the same
 * verifier, because its salt is derived from it.
 *
 * @param name of the secret, for the message.
 * @param place what sets this password apart from the same one elsewhere: the stack and the role.
 * @throws UserError when the password holds other than printable ASCII characters. It is not in the message.
 */
export function scramVerifier(name: string, password: string, place: string): string {
  if (!PRINTABLE_ASCII.test(password)) {
    throw new UserError(
      `${name}: use printable ASCII characters only; client libraries disagree on how others are normalised`,
    );
  }
  const salt = pbkdf2Sync(password, `perlstack/${place}`, SALT_ITERATIONS, SALT_BYTES, 'sha256');
  return verifierWith(password, salt, ITERATIONS);
}

/** The verifier of a password for a given salt. */
export function verifierWith(password: string, salt: Buffer, iterations: number): string {
  const salted = pbkdf2Sync(password, salt, iterations, HASH_BYTES, 'sha256');
  const keyed = (text: string): Buffer => createHmac('sha256', salted).update(text).digest();
  const stored = createHash('sha256').update(keyed('Client Key')).digest();
  const parts = [stored, keyed('Server Key')].map((key) => key.toString('base64'));
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${parts.join(':')}`;
}
