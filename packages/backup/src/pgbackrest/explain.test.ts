import { describe, expect, it } from '@jest/globals';
import { explain } from './explain.js';

const http = (status: string, code: string): string =>
  `ERROR: [039]: HTTP request failed with ${status}:
       *** Path/Query ***:
       POST /shop-backups?list-type=2
       *** Request Headers ***:
       authorization: <redacted>
       *** Response Content ***:
       <?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code></Error>`;

describe('explain', () => {
  it.each<[string, string, string | RegExp]>([
    [
      'a key that the bucket refuses',
      http('403 (Forbidden)', 'SignatureDoesNotMatch'),
      'the bucket refuses the key that the server has (403 SignatureDoesNotMatch): give the right BACKUP_ACCESS_KEY_ID and BACKUP_SECRET_ACCESS_KEY in the input "secrets" of apply-configs',
    ],
    [
      'a bucket that is not there',
      http('404 (Not Found)', 'NoSuchBucket'),
      'there is no such bucket (404 NoSuchBucket): make it, or correct backups.bucket',
    ],
    [
      'a storage that is busy',
      http('503 (Service Unavailable)', 'SlowDown'),
      'the storage answers 503 SlowDown; try again, and look at its status page',
    ],
    [
      'another passphrase, by a command',
      "ERROR: [095]: unable to load info file '/repo/archive/shop/archive.info':\n CryptoError: unable to flush\n HINT: is or was the repo encrypted?",
      /^the repository was encrypted with another passphrase/,
    ],
    [
      'another passphrase, by a status',
      "[FormatError] unable to load info file '/repo/backup/shop/backup.info':\nFormatError: key/value found outside of section at line 1: 6|\u0003\ufffd",
      /^the repository was encrypted with another passphrase/,
    ],
    [
      'a file that cannot be decrypted, which is no fault of the passphrase',
      'ERROR: [095]: raised from local-1 shim protocol: unable to flush\n CryptoError: unable to flush',
      'a file in the bucket is not what was stored (raised from local-1 shim protocol: unable to flush CryptoError: unable to flush); see mode "verify" of pg-backup-to-object-storage, and take another backup',
    ],
    [
      'a file with another content',
      "ERROR: [026]: error restoring '/data/base/5/1259': actual checksum 'a' does not match expected checksum 'b'",
      /^a file in the bucket is not what was stored \(error restoring '\/data\/base\/5\/1259'/,
    ],
    [
      'another one at work',
      "ERROR: [050]: unable to acquire lock on file '/run/postgresql/pgbackrest/shop-backup-1.lock': Resource temporarily unavailable\nHINT: is another pgBackRest process running?",
      'another command of pgBackRest is at work there; wait for its end',
    ],
    [
      'no repository',
      "ERROR: [055]: unable to load info file '/shop/pgbackrest/archive/shop/archive.info' or …:\nFileMissingError: unable to open missing file",
      'the bucket has no repository of this stack yet: run mode "backup" of pg-backup-to-object-storage',
    ],
    [
      'a log that does not come',
      'ERROR: [082]: WAL segment 000000010000000000000004 was not archived before the 5000ms timeout\n       HINT: check the archive_command',
      'the log did not reach the bucket in time (WAL segment 000000010000000000000004 was not archived before the 5000ms timeout); see the log of PostgreSQL for "archive-push"',
    ],
    [
      'a certificate that nobody vouches for',
      "ERROR: [095]: unable to verify certificate presented by 'objects.test:7443': [20] unable to get local issuer certificate",
      "unable to verify certificate presented by 'objects.test:7443': [20] unable to get local issuer certificate; have the server trust who signed it, or correct backups.endpoint",
    ],
    [
      'a name that nobody knows',
      "ERROR: [049]: unable to get address for 'objects.test': [-2] Name or service not known",
      "unable to get address for 'objects.test': [-2] Name or service not known; check backups.endpoint and the network",
    ],
    [
      'anything else, without its hints',
      "ERROR: [040]: unable to restore to path '/x' because it contains files\n       HINT: try using --delta if this is what you intended.",
      "unable to restore to path '/x' because it contains files",
    ],
  ])('says what to do about %s', (_, said, sentence) => {
    const text = explain(said);
    if (typeof sentence === 'string') expect(text).toBe(sentence);
    else expect(text).toMatch(sentence);
    expect(text).not.toMatch(/[\n\ufffd]/);
  });
});
