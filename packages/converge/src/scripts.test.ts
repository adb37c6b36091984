import { execFileSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import { APPLY_SCRIPT, CLEAN_SCRIPT, CONFIRM_SCRIPT, GUARD_SCRIPT, RESTORE_SCRIPT } from './apply-script.js';
import { READ_RECORDS } from './layout.js';
import { OBSERVE_SCRIPT } from './observe-script.js';
import { DIRECTORIES_SCRIPT, INSTALL_SCRIPT, PRESETS_SCRIPT, USERS_SCRIPT } from './prepare-scripts.js';
import { STAGE_SCRIPT } from './stage-script.js';

const SCRIPTS = Object.entries({
  APPLY_SCRIPT,
  CLEAN_SCRIPT,
  RESTORE_SCRIPT,
  GUARD_SCRIPT,
  CONFIRM_SCRIPT,
  PRESETS_SCRIPT,
  OBSERVE_SCRIPT,
  STAGE_SCRIPT,
  INSTALL_SCRIPT,
  USERS_SCRIPT: READ_RECORDS + USERS_SCRIPT,
  DIRECTORIES_SCRIPT: READ_RECORDS + DIRECTORIES_SCRIPT,
});

describe.each(SCRIPTS)('%s', (name, script) => {
  it('is a script for a POSIX shell', () => {
    expect(() => execFileSync('sh', ['-n', '-c', script], { stdio: 'pipe' })).not.toThrow();
  });

  it('holds nothing that was meant to be filled in', () => {
    expect(script).not.toMatch(/undefined|\[object|NaN/);
  });

  it('fits into one argument', () => {
    expect(script.length).toBeLessThan(16_000);
    expect(name).not.toBe('');
  });
});
