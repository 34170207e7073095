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
          // Each file starts servers of its own on ports of its own, and mostly waits; more at once would crowd two cores.
          maxWorkers: 3,
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
