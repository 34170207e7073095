import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{src,proxy,policies,recordings}/**/*.test.ts'],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'end-to-end',
          include: ['test/**/*.test.ts'],
          // Run by `npm run test:more-clients`: they need other registries and compilers.
          exclude: ['test/more-clients/**'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // Each file starts real servers; one at a time keeps a two-core machine honest about latency.
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'more-clients',
          include: ['test/more-clients/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
