// Bundles the modules in `js/` into one file for each form of the script. `cargo xtask build-script` writes the
// output of Rust to `generated/`, runs this, and minifies the result.

import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

// `before` and `after` wrap the script in a function, so that its names are not global.
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
await bundle('js/verify.js', '../target/script/trac-verify.js', '(() => {', '})();');
// The package runs the whole script at each call of `boot`, and nothing on import, because a server may import
// the package.
await bundle('js/compat.js', 'generated/boot.js', 'export const boot = (options) => {', '};', [settingsFromCall]);
await bundle('js/module.js', '../target/script/index.js');
