import { createReadStream } from 'node:fs';
import type { Handler } from '@perlstack/procedure';
import { RemoteError } from '@perlstack/remote';
import {
  act,
  ARRIVAL_LIMIT,
  BOOT_LIMIT,
  EVIDENCE_LINES,
  type Hands,
  linesOf,
  pass,
  ReleaseFault,
  SHORT_MS,
} from './hands.js';
import { faultIn } from './load-fault.js';
import * as scripts from './scripts.js';
import { socketProbes } from './site.js';
import type { BootStep, CompileStep, ProveStep, UploadStep } from './steps.js';
import { drain, stop } from './stop.js';

export function uploading(hands: Hands): Handler<UploadStep> {
  return {
    run: async ({ host, release, sha256 }, context) => {
      if (hands.artifact === undefined) throw new Error('Uploading needs the artifact');
      const input = createReadStream(hands.artifact);
      try {
        await act(hands, host, ['upload', scripts.UPLOAD], [release, sha256], context, {
          ...ARRIVAL_LIMIT,
          input,
        });
      } finally {
        input.destroy();
      }
      return `${(input.bytesRead / 1024 ** 2).toFixed(1)} MiB`;
    },
  };
}

export function compiling(hands: Hands): Handler<CompileStep> {
  const { app, timings } = hands.site;
  return {
    run: async ({ host, release, load }, context) => {
      const seconds = (ms: number): string => String(Math.ceil(ms / 1_000));
      const loading = load ? seconds(app.health.timeout) : '';
      const args = [release, seconds(timings.compileMs), loading, app.psgi, ...app.lib];
      const limit = { timeoutMs: timings.compileMs + (load ? app.health.timeout : 0) + SHORT_MS };
      try {
        await act(hands, host, ['compile check', scripts.COMPILE], args, context, limit);
      } catch (error) {
        if (!(error instanceof RemoteError) || error.reason !== 'exit') throw error;
        const loads = error.code !== DOES_NOT_LOAD;
        const lines = linesOf(error.stderr).filter((line) => loads || !line.endsWith(' syntax OK'));
        const limitMs = loads ? timings.compileMs : app.health.timeout;
        const first = faultIn(lines) ?? `no word within ${limitMs / 1_000} s`;
        throw new ReleaseFault(
          `${host}: ${app.psgi} of ${release} does not ${loads ? 'compile' : 'load'}: ${first}`,
          lines.slice(-EVIDENCE_LINES),
        );
      }
      return load ? 'loads' : undefined;
    },
  };
}

const DOES_NOT_LOAD = 71;

export function booting(hands: Hands): Handler<BootStep> {
  return {
    run: async ({ host, release }, context) => {
      await act(hands, host, ['boot', scripts.BOOT], [release], context, BOOT_LIMIT);
    },
    undo: async ({ host, release }, context) => {
      const left = await drain(hands, host, [release], '', context);
      await stop(hands, host, [release], context);
      return left > 0 ? `stopped with ${left} requests in flight` : 'stopped';
    },
  };
}

export function proving(hands: Hands): Handler<ProveStep> {
  const { site } = hands;
  return {
    run: async ({ host, release }, context) => {
      const fault = async (): Promise<string | undefined> =>
        (await act(hands, host, ['looking at the unit', scripts.BOOT_FAULT], [release], context)) ||
        undefined;
      return pass(hands, host, release, {
        probes: socketProbes(site, host, release),
        successes: site.app.health.successes,
        timeoutMs: site.app.health.timeout,
        signal: context.signal,
        giveUp: fault,
      });
    },
  };
}
