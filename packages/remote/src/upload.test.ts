import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { uploadCommand } from './upload.js';

describe('the script of an upload', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'upload-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Runs it here, as a host does. */
  function start() {
    const { username, gid } = userInfo();
    const target = { path: join(folder, 'file'), mode: 0o600, owner: username, group: String(gid) };
    const { script, args, input } = uploadCommand(target, Buffer.from('content'));
    return { input, child: spawn('sh', ['-c', script, 'sh', ...args], { stdio: 'pipe' }) };
  }

  it('puts the content in its place', async () => {
    const { input, child } = start();
    input.pipe(child.stdin);
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(readdirSync(folder)).toEqual(['file']);
    expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('content');
  });

  it('leaves nothing of a content that breaks off, with the connection that would hear of it', async () => {
    const { child } = start();
    child.stdin.write('conten');
    child.stdout.destroy();
    child.stderr.destroy();
    child.stdin.end();
    await once(child, 'exit');
    expect(readdirSync(folder)).toEqual([]);
  });
});
