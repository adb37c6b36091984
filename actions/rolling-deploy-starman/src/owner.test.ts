import { describe, expect, it } from '@jest/globals';
import { ownerFrom } from './owner.js';

const github = {
  GITHUB_SERVER_URL: 'https://github.com',
  GITHUB_REPOSITORY: 'acme/shop',
  GITHUB_RUN_ID: '12',
  GITHUB_RUN_NUMBER: '3',
  GITHUB_WORKFLOW_REF: 'acme/shop/.github/workflows/deploy.yml@refs/heads/main',
  GITHUB_SHA: 'f'.repeat(40),
  GITHUB_ACTOR: 'ada',
};

describe('who deploys', () => {
  it('is the run, the person who started it, and what is deployed', () => {
    expect(ownerFrom(github)).toEqual({
      ...{ id: 'acme/shop/12', actor: 'ada', url: 'https://github.com/acme/shop/actions/runs/12' },
      ...{ workflow: 'acme/shop/.github/workflows/deploy.yml', number: 3, commit: 'f'.repeat(40) },
    });
  });

  it('is, of a run that is started again, who did that', () => {
    expect(ownerFrom({ ...github, GITHUB_TRIGGERING_ACTOR: 'grace' })).toMatchObject({
      ...{ id: 'acme/shop/12', actor: 'grace' },
    });
  });

  it('is, outside of GitHub, who works there', () => {
    expect(ownerFrom({ USER: 'ada' })).toEqual({ id: expect.stringMatching(/^ada\/\d+$/), actor: 'ada' });
  });
});
