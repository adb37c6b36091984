// Lets a plain `node --import` run the workspace's TypeScript sources, as jest's moduleNameMapper does for tests:
// relative `.js` specifiers mean `.ts` files, and a workspace package means its `src/index.ts`.
import { existsSync } from 'node:fs';
import { registerHooks } from 'node:module';

const packages = new URL('../../../', import.meta.url);

registerHooks({
  resolve(specifier, context, nextResolve) {
    const name = /^@perlstack\/([a-z-]+)$/.exec(specifier)?.[1];
    if (name) return nextResolve(new URL(`${name}/src/index.ts`, packages).href, context);
    if (/^\..*\.js$/.test(specifier) && context.parentURL) {
      const source = new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL);
      if (existsSync(source)) return nextResolve(source.href, context);
    }
    return nextResolve(specifier, context);
  },
});
