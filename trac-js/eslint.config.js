// The ESLint rules for all JavaScript in this repository. `cargo xtask test` runs ESLint from the root.

import js from '@eslint/js';
import globals from 'globals';

const rules = { eqeqeq: ['error', 'always', { null: 'ignore' }], 'prefer-const': 'error', 'no-shadow': 'error' };

export default [
  js.configs.recommended,
  { rules, linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['trac-js/**/*.js'],
    languageOptions: { sourceType: 'module', globals: globals.browser },
  },
  {
    files: ['trac-js/*.js'],
    languageOptions: { sourceType: 'module', globals: globals.node },
  },
  {
    files: ['trac-server/**/*.js', 'examples/**/*.js', 'tests/**/*.js'],
    languageOptions: { sourceType: 'script', globals: { ...globals.browser, trac: 'readonly' } },
  },
  {
    // The pages in the same folder use the global names of these files.
    files: ['tests/pages/*.js'],
    rules: { 'no-unused-vars': ['error', { vars: 'local' }] },
  },
  { ignores: ['**/node_modules', 'trac-js/generated', 'target', 'dist', '**/*.min.js'] },
];
