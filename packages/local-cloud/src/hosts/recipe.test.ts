import { describe, expect, it } from '@jest/globals';
import { recipeFor, recipeKey } from './recipe.js';

describe('recipeKey', () => {
  it('is the same for the same inputs and another for others', () => {
    const recipe = recipeFor('linode/debian13');
    expect(recipeKey(recipe)).toBe(recipeKey(recipeFor('linode/debian13')));
    expect(recipeKey({ ...recipe, available: [...recipe.available, 'varnish'] })).not.toBe(recipeKey(recipe));
    expect(recipeKey(recipeFor('linode/debian12'))).toMatch(/^bookworm-[0-9a-f]{12}$/);
  });
});

describe('recipeFor', () => {
  it('gives Debian 12, whose cloud-init has no Akamai data source, another way to its user data', () => {
    const paths = (image: 'linode/debian12' | 'linode/debian13'): string[] =>
      recipeFor(image).files.map(({ path }) => path);
    expect(recipeFor('linode/debian12').enabledUnits).toEqual(['fetch-user-data.service']);
    expect(paths('linode/debian12')).toContain('/etc/systemd/system/fetch-user-data.service');
    expect(paths('linode/debian13')).toContain('/usr/lib/python3/dist-packages/DataSourceAkamai.py');
  });

  it('lets hosts install from the image alone', () => {
    const sources = recipeFor('linode/debian13').files.filter(({ path }) => path.startsWith('/etc/apt'));
    expect(sources.map(({ content }) => content)).toEqual([
      'deb [trusted=yes] file:/var/lib/local-packages ./\n',
    ]);
  });
});
