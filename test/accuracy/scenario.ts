// The form of a scripted interaction (one JSON object a line) and its reader. Unknown fields are ignored, so that
// files from elsewhere can be tried.
import { readFileSync } from 'node:fs';

export type Step =
  | string
  | { readonly b: string }
  | { readonly w: number }
  | { readonly i: number }
  | { readonly rs: readonly [number, number] };

export interface Scenario {
  readonly id: string;
  readonly cls: string;
  readonly sh: readonly string[];
  readonly steps: readonly Step[];
  readonly want?: readonly string[];
  readonly wantBy?: Readonly<Record<string, readonly string[]>>;
  readonly opt?: { readonly rc?: string };
  readonly ps1?: Readonly<Record<string, string>>;
  /** Truth is one entry a line. */
  readonly line?: number;
  /** Truth is a set of lines, in any order. */
  readonly lineset?: number;
  /** What was read and did not run (answers to programs) does not count. */
  readonly ignoreExtra?: number;
  /** Lines that were given up with ^C: some shells record them although they never ran. */
  readonly interrupted?: readonly string[];
  readonly deadline?: number;
}

export function readScenarios(path: string): Scenario[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line, index) => {
      try {
        return JSON.parse(line) as Scenario;
      } catch (error) {
        throw new Error(`${path}:${index + 1}: ${error instanceof Error ? error.message : String(error)}`);
      }
    });
}
