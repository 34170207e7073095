// Colours, fonts and defaults of the console's components; both schemes keep WCAG AA contrast.
import { Anchor, type CSSVariablesResolver, createTheme } from '@mantine/core';

export const theme = createTheme({
  primaryColor: 'cyan',
  primaryShade: 9,
  autoContrast: true,
  luminanceThreshold: 0.35,
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
  fontFamilyMonospace: 'ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace',
  headings: { sizes: { h1: { fontSize: '1.5rem' }, h2: { fontSize: '1.15rem' }, h3: { fontSize: '1rem' } } },
  respectReducedMotion: true,
  components: { Anchor: Anchor.extend({ defaultProps: { inherit: true } }) },
});

/** Mantine's own greys for secondary text, and its oranges and yellows on white, are too faint for AA. */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-dimmed': '#5c636a',
    '--mantine-color-placeholder': '#5c636a',
    '--mantine-color-orange-outline': '#a33a05',
    '--mantine-color-yellow-outline': '#7a5800',
  },
  dark: { '--mantine-color-dimmed': '#a6adb4', '--mantine-color-placeholder': '#a6adb4' },
});
