// Tells what was typed without echo: text that never came back from the device, neither on the line nor anywhere else.
// Every doubt here ends with text that is not stored.
import type { KeysState } from '../terminal/keys-model.ts';
import type { LineOnScreen } from '../terminal/line-reader.ts';
import { visible } from '../terminal/reading.ts';
import type { EchoWitness } from './echo-witness.ts';

/**
 * Whether what was typed was never shown. Editors draw in ways of their own, so for them a trace of it is enough;
 * anything else echoes in one piece or not at all.
 */
export function neverShown(
  line: LineOnScreen,
  keys: KeysState,
  echo: EchoWitness,
  by: 'editor' | 'other',
): boolean {
  if (keys.kind !== 'known') return false;
  const typed = keys.texts.filter((text) => text.trim() !== '');
  if (typed.length === 0 || typed.some((text) => visible(line, text))) return false;
  return !typed.some((text) => (by === 'editor' ? echo.holdsScattered(text) : echo.holds(text)));
}
