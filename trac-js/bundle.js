// Makes one file from the modules in `js/`, for each form of the script. `cargo xtask build-script` writes what comes
// from Rust into `generated/`, runs this, and minifies the result.

import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

// `before` and `after` are a function around the script, so that the page sees none of its names.
const bundle = async (entry, file, before = '', after = '', plugins = []) => {
  const { warnings } = await build({
    entryPoints: [path(entry)],
    outfile: path(file),
    bundle: true,
    format: 'esm',
    banner: { js: before },
    footer: { js: after },
    plugins,
  });
  if (warnings.length) throw new Error(`${warnings.length} warnings`);
};

const settingsFromCall = {
  name: 'settings-from-call',
  setup: ({ onResolve }) => onResolve({ filter: /^\.\/settings\.js$/ }, () => ({ path: path('js/settings.call.js') })),
};

await bundle('js/script.js', '../target/script/trac.js', '(() => {', '})();');
await bundle('js/compat.js', '../target/script/trac.compat.js', '(() => {', '})();');
// The package runs the whole script at each call of `boot`, and no part of it before: a server may import the package.
await bundle('js/compat.js', 'generated/boot.js', 'export const boot = (options) => {', '};', [settingsFromCall]);
await bundle('js/module.js', '../target/script/index.js');
