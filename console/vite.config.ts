// How the console is built: everything it needs is in it, its files are named by their content, and what only some pages
// need is loaded with them.
import { defineConfig } from 'vite';

export default defineConfig({
  base: '/',
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    assetsDir: 'assets',
    // Images as files: the page's policy allows no inline ones beyond icons.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2023',
    sourcemap: false,
    chunkSizeWarningLimit: 1_000,
  },
  server: { host: '127.0.0.1', proxy: { '/api': 'http://127.0.0.1:8022' } },
});
