/** What pgBackRest calls its reasons, by the number in front of them. */
const REASONS = {
  checksum: 26,
  fileInvalid: 28,
  format: 29,
  connect: 49,
  lock: 50,
  backupMismatch: 51,
  missing: 55,
  archiveTimeout: 82,
  crypto: 95,
} as const;

const SECRETS = 'in the input "secrets" of apply-configs';

/**
 * Why a command of pgBackRest failed, as one sentence with what to do.
 *
 * @param said what it wrote to standard error, or the message of a status
 */
export function explain(said: string): string {
  const status = /HTTP request failed with (\d{3})/.exec(said)?.[1];
  if (status !== undefined) return explainHttp(status, /<Code>(\w+)<\/Code>/.exec(said)?.[1]);
  const [, code, message = ''] = /\[0*(\d+)\]: ([^]*)/.exec(said) ?? [];
  const sentence = oneSentence(message || said);
  if (/\.info\b/.test(said) && /CryptoError|outside of section/.test(said)) return WRONG_PASSPHRASE;
  switch (Number(code)) {
    case REASONS.lock:
      return 'another command of pgBackRest is at work there; wait for its end';
    case REASONS.missing:
      return /archive\.info|backup\.info/.test(said)
        ? 'the bucket has no repository of this stack yet: run mode "backup" of pg-backup-to-object-storage'
        : sentence;
    case REASONS.fileInvalid:
    case REASONS.backupMismatch:
      return /do not match the database|system-id/.test(said) ? OTHER_CLUSTER : sentence;
    case REASONS.archiveTimeout:
      return `the log did not reach the bucket in time (${sentence}); see the log of PostgreSQL for "archive-push"`;
    case REASONS.checksum:
    case REASONS.format:
      return damaged(sentence);
    case REASONS.crypto:
      return /certificate/.test(said)
        ? `${sentence}; have the server trust who signed it, or correct backups.endpoint`
        : damaged(sentence);
    case REASONS.connect:
      return `${sentence}; check backups.endpoint and the network`;
    default:
      return sentence;
  }
}

const damaged = (sentence: string): string =>
  `a file in the bucket is not what was stored (${sentence}); see mode "verify" of pg-backup-to-object-storage, and take another backup`;

const WRONG_PASSPHRASE = `the repository was encrypted with another passphrase, or not at all: give the right BACKUP_CIPHER_PASSPHRASE ${SECRETS}, or see backups.encrypt`;

const OTHER_CLUSTER =
  'the repository in the bucket is of another cluster, or of another version of PostgreSQL; move it away, or run "pgbackrest stanza-upgrade" on the server to go on in it';

function explainHttp(status: string, code: string | undefined): string {
  const answer = code === undefined ? status : `${status} ${code}`;
  switch (code) {
    case 'InvalidAccessKeyId':
    case 'SignatureDoesNotMatch':
    case 'AccessDenied':
      return `the bucket refuses the key that the server has (${answer}): give the right BACKUP_ACCESS_KEY_ID and BACKUP_SECRET_ACCESS_KEY ${SECRETS}`;
    case 'NoSuchBucket':
      return `there is no such bucket (${answer}): make it, or correct backups.bucket`;
    default:
      return `the storage answers ${answer}; try again, and look at its status page`;
  }
}

/** Without the HTTP headers that come after, without hints, in one line. */
function oneSentence(message: string): string {
  const lines = message.split('\n').map((line) => line.trim());
  const end = lines.findIndex((line) => /^(HINT:|\*\*\*)/.test(line));
  const kept = (end < 0 ? lines : lines.slice(0, Math.max(end, 1))).filter(Boolean);
  // A text in another encoding is no sentence.
  return kept
    .join(' ')
    .replaceAll(/[^\x20-\x7e]+/g, '?')
    .slice(0, 300);
}
