import { RemoteError } from '@perlstack/remote';
import { messageOf, UserError } from '@perlstack/stack';
import { ROLLBACK_FAILED, ROLLED_BACK } from './apply-script.js';
import { BUSY, STATE_FOLDER } from './layout.js';
import { INVALID } from './stage-script.js';
import type { ApplyStep } from './step.js';

/** Rethrows with what the user can do; what is no failure of a script stays as it is. */
type Explain = (error: unknown) => never;

const said = (error: RemoteError): string =>
  error.stderr
    .split('\n')
    .map((line) => line.trim())
    .filter((line, index, all) => line !== '' && all.indexOf(line) === index)
    .slice(-8)
    .join(' | ');

export function explainInstall(host: string): Explain {
  return (error) => {
    if (!(error instanceof RemoteError) || error.reason !== 'exit') throw error;
    throw new UserError(
      `${host}: packages could not be installed: ${said(error)}. Its services are as they were.`,
    );
  };
}

export function explainInvalid(host: string): Explain {
  return (error) => {
    if (!(error instanceof RemoteError) || error.code !== INVALID) throw error;
    const [service = '', ...lines] = error.stderr.split('\n').filter((line) => line.trim() !== '');
    const why = lines.slice(-8).join(' | ');
    throw new UserError(
      `${host}: ${service}: the new configuration is not valid, and the old one stays in force: ${why}`,
    );
  };
}

export function explainApply({ host, service }: ApplyStep): Explain {
  return (error) => {
    if (!(error instanceof RemoteError) || (error.code !== ROLLED_BACK && error.code !== ROLLBACK_FAILED))
      throw error;
    const state =
      error.code === ROLLED_BACK
        ? 'and the old one is back in force'
        : `AND THE OLD ONE COULD NOT BE BROUGHT BACK (its files are in ${STATE_FOLDER}/backup/${service} there)`;
    throw new UserError(
      `${host}: ${service}: the new configuration did not come into force, ${state}: ${said(error) || messageOf(error)}`,
    );
  };
}

/** Two runs on one host would stage over each other. */
export const explainBusy: Explain = (error) => {
  if (!(error instanceof RemoteError) || error.code !== BUSY) throw error;
  throw new UserError(
    `${error.host}: another run has been applying configurations there for a minute: wait until it is through, ` +
      'and let only one run at a time by `concurrency:` of the workflow.',
  );
};
