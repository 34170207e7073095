// The settings under which reading by screen is measured: submit keys are held and editors are asked, but whatever
// was read runs, so that each reading can be compared with what the shell says it ran.
import type { GateSettings } from '../../proxy/gate/gate-types.ts';

export const BY_SCREEN: GateSettings = {
  mode: 'enforce',
  probes: true,
  replay: 'never',
  uncertain: 'allow',
  gateKeys: false,
  erase: 'interrupt',
};
