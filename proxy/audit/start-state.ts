// What a shell on the device knows before its first line: the variables that the client asked for and the gateway passed
// on. The device may have taken them or not, so that each counts as set and as empty.
import { emptyShellState, type ShellState } from '../../policies/analysis/types.ts';
import type { GateContext } from '../channels/gate-port.ts';

export const startState = ({ environment }: Pick<GateContext, 'environment'>): ShellState =>
  environment.size === 0
    ? emptyShellState
    : {
        ...emptyShellState,
        variables: new Map(
          [...environment].map(([name, value]) => [name, { candidates: [value, ''], complete: true }]),
        ),
      };
